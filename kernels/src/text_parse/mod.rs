//! Text to numbers, a column at a time.
//!
//! A column kernel takes the text, where each field lies in it ([`Spans`]), and a slice to
//! fill. It parses the plain fields (up to 16 bytes: sign, digits, one point) without a branch
//! on their content, and lists the others as *exceptions*: the empty, the long, the quoted, the
//! wrong. The caller reads those one by one with the functions of [`scalar`], which are the
//! specification: **a kernel gives either what `scalar` gives, or an exception**. Which fields
//! become exceptions may differ between levels; what the caller makes of them does not.
//!
//! # The sixteen bytes before the end
//! Digits count from the right, so a field is loaded by its *end*: 16 bytes, of which the last
//! `len` belong to it. Bytes before it are masked away, which turns them into leading zeros:
//!
//! ```text
//! … 1 0 2 1 , 3 8 . 5 0     loaded
//!             3 8 . 5 0     masked to the field; the point found by comparison
//! 0 0 0 0 0 0 0 3 8 5 0     point squeezed out by a shuffle, '0' subtracted
//!        3850               pairs × 10 + 1, fours × 100 + 1, eights × 10,000 + 1
//! ```
//!
//! The three multiply-adds are D. Lemire's and W. Muła's ("Number parsing at a gigabyte per
//! second", Software: Practice and Experience 2021, and "SIMD-ized atoi"). A float whose digits
//! are below 2⁵³ is one exact division by an exact power of ten, hence correctly rounded
//! (W. Clinger, "How to read floating point numbers accurately", PLDI 1990); others go to the
//! standard library through the caller.

#[cfg(target_arch = "x86_64")]
mod eight;
pub mod scalar;
#[cfg(target_arch = "x86_64")]
mod simd;
#[cfg(test)]
mod tests;
mod time;

pub use scalar::{
    DecimalError, parse_bool, parse_decimal, parse_f32, parse_f64, parse_i64, parse_u64,
};
pub use time::{TimeUnit, days_from_civil, parse_date, parse_iso_timestamp, parse_timestamp};

use crate::simd::Level;

/// Where the fields of a column lie in a text.
pub trait Spans {
    /// Number of fields.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Start and end of field `i`, in bytes. A span that is no part of the text makes the field
    /// an exception.
    fn span(&self, i: usize) -> (usize, usize);

    /// The position before field `i` (wrapped where it starts at 0) in the low half of a word,
    /// its end in the high half.
    #[inline(always)]
    fn packed(&self, i: usize) -> u64 {
        let (start, end) = self.span(i);
        // A span that 32 bits cannot hold becomes one that no kernel takes.
        let end = u32::try_from(end).unwrap_or(0);
        u64::from((start as u32).wrapping_sub(1)) | u64::from(end) << 32
    }
}

/// Spans written out one by one.
#[derive(Debug, Clone, Copy)]
pub struct ExplicitSpans<'a> {
    /// Where each field starts.
    pub starts: &'a [u32],
    /// Where each field ends; as many.
    pub ends: &'a [u32],
}

impl Spans for ExplicitSpans<'_> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.starts.len().min(self.ends.len())
    }

    #[inline(always)]
    fn span(&self, i: usize) -> (usize, usize) {
        (self.starts[i] as usize, self.ends[i] as usize)
    }
}

/// Column `column` of the records that start after `separators[rows[i]]`.
#[derive(Debug, Clone, Copy)]
pub struct ColumnSpans<'a> {
    /// The separators of a [`crate::csv_scan::CsvIndex`].
    pub separators: &'a [u32],
    /// For each record, the index of the separator before it.
    pub rows: &'a [u32],
    /// Index of the column.
    pub column: usize,
}

impl Spans for ColumnSpans<'_> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.rows.len()
    }

    #[inline(always)]
    fn span(&self, i: usize) -> (usize, usize) {
        let first = self.rows[i] as usize + self.column;
        // One check for both: a record is never the last two entries.
        let pair = &self.separators[first..first + 2];
        (pair[0].wrapping_add(1) as usize, pair[1] as usize)
    }

    #[inline(always)]
    fn packed(&self, i: usize) -> u64 {
        let first = self.rows[i] as usize + self.column;
        let pair = &self.separators[first..first + 2];
        u64::from(pair[0]) | u64::from(pair[1]) << 32
    }
}

/// How decimal digits become an integer of a fixed scale: for each place that the point may
/// have in the loaded 16 bytes (16: none), the factor and the largest digits allowed.
#[derive(Debug, Clone)]
pub struct DecimalPlan {
    precision: u8,
    scale: i8,
    factor: [u64; 17],
    largest: [u64; 17],
}

impl DecimalPlan {
    /// A plan for numbers of `precision` digits in all, `scale` of them after the point.
    #[must_use]
    pub fn new(precision: u8, scale: i8) -> Self {
        // The fast path stays below 10^18, which fits into 64 bits; larger ones are exceptions.
        let bound = 10u64.pow(u32::from(precision.min(18))) - 1;
        let (mut factor, mut largest) = ([0; 17], [0; 17]);
        for at in 0..17 {
            let fraction_digits = if at == 16 { 0 } else { 15 - at as i32 };
            let exponent = i32::from(scale) - fraction_digits;
            // With too many digits after the point only zero passes (0 × 0).
            if let Some(power) = u32::try_from(exponent).ok().and_then(|e| 10u64.checked_pow(e)) {
                factor[at] = power;
                largest[at] = bound / power;
            }
        }
        Self { precision, scale, factor, largest }
    }

    /// Digits in all.
    #[must_use]
    pub fn precision(&self) -> u8 {
        self.precision
    }

    /// Digits after the point.
    #[must_use]
    pub fn scale(&self) -> i8 {
        self.scale
    }
}

/// Parses a column of integers.
///
/// # Contract
/// `out.len() == spans.len()` (asserted). Indices of fields that the fast path does not take
/// are appended to `exceptions`, increasing; their slots in `out` are 0.
///
/// ```
/// use pelton_kernels::{simd::Level, text_parse::{ExplicitSpans, parse_i64_column}};
/// let text = b"and a long text before: 17,-3,x";
/// let spans = ExplicitSpans { starts: &[24, 27, 30], ends: &[26, 29, 31] };
/// let (mut out, mut exceptions) = ([0; 3], vec![]);
/// parse_i64_column(Level::best(), text, &spans, &mut out, &mut exceptions);
/// assert_eq!((out, exceptions), ([17, -3, 0], vec![2]));
/// ```
pub fn parse_i64_column<S: Spans>(
    level: Level,
    text: &[u8],
    spans: &S,
    out: &mut [i64],
    exceptions: &mut Vec<u32>,
) {
    assert_eq!(out.len(), spans.len());
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if level.is_available() => {
            // SAFETY: the processor has the level's instructions, as was just asked.
            unsafe { simd::i64s_avx512(text, spans, out, exceptions) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 if level.is_available() => {
            // SAFETY: as above.
            unsafe { simd::i64s_avx2(text, spans, out, exceptions) }
        }
        _ => each(text, spans, out, exceptions, scalar::parse_i64),
    }
}

/// Parses a column of floats; each is the float nearest to the text, ties to even.
///
/// # Contract
/// As [`parse_i64_column`].
pub fn parse_f64_column<S: Spans>(
    level: Level,
    text: &[u8],
    spans: &S,
    out: &mut [f64],
    exceptions: &mut Vec<u32>,
) {
    assert_eq!(out.len(), spans.len());
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if level.is_available() => {
            // SAFETY: the processor has the level's instructions, as was just asked.
            unsafe { simd::f64s_avx512(text, spans, out, exceptions) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 if level.is_available() => {
            // SAFETY: as above.
            unsafe { simd::f64s_avx2(text, spans, out, exceptions) }
        }
        _ => each(text, spans, out, exceptions, scalar::parse_f64_quickly),
    }
}

/// Parses a column of decimals to integers of the plan's scale.
///
/// # Contract
/// As [`parse_i64_column`].
pub fn parse_decimal_column<S: Spans>(
    level: Level,
    text: &[u8],
    spans: &S,
    plan: &DecimalPlan,
    out: &mut [i128],
    exceptions: &mut Vec<u32>,
) {
    assert_eq!(out.len(), spans.len());
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if level.is_available() => {
            // SAFETY: the processor has the level's instructions, as was just asked.
            unsafe { simd::decimals_avx512(text, spans, plan, out, exceptions) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 if level.is_available() => {
            // SAFETY: as above.
            unsafe { simd::decimals_avx2(text, spans, plan, out, exceptions) }
        }
        _ => each(text, spans, out, exceptions, |field| scalar::parse_decimal_quickly(field, plan)),
    }
}

/// Field by field, by a function that knows one field.
#[inline(always)]
fn each<S: Spans, T: Default>(
    text: &[u8],
    spans: &S,
    out: &mut [T],
    exceptions: &mut Vec<u32>,
    parse: impl Fn(&[u8]) -> Option<T>,
) {
    for (i, slot) in out.iter_mut().enumerate() {
        let (start, end) = spans.span(i);
        *slot = text.get(start..end).and_then(&parse).unwrap_or_else(|| {
            exceptions.push(i as u32);
            T::default()
        });
    }
}
