//! A batch's columns as log entries hold them: 64-bit values, fixed-point places, codes, flags.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{self as types, ArrowPrimitiveType, DataType};

use super::layout::{Layout, NULL_BITS};
use super::spec::OverPlan;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::operator::Rows;
use crate::state::codes::ValueCodes;

/// Marks a place that is null, NaN or out of range.
pub(super) const NO_PLACE: u64 = 1 << 31 | 1 << 63;

/// Degrees to fixed point and back: 1e-7 degree is about 1 cm.
const FIXED_PER_DEGREE: f64 = 1e7;

/// The rows of one shard of one batch, a column for each word of an entry.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// Word w of row i stands at `w · rows + i`. Where entries hold sums, this is the value.
    words: Vec<u64>,
    rows: usize,
    pub codes: Vec<Vec<u32>>,
    /// Which measures are null, and which booleans are true.
    pub flags: Vec<u32>,
    /// Whether a flag is set for a null.
    pub has_nulls: bool,
    /// The bits that integers of this and all earlier batches need, without their sign.
    pub magnitude: u64,
}

impl Entries {
    /// Takes the rows of a batch in.
    pub(super) fn fill(
        &mut self,
        plan: &OverPlan,
        layout: &Layout,
        codes: &mut [ValueCodes],
        batch: &Batch,
        rows: Rows<'_>,
    ) -> Result<()> {
        let times = batch.times.as_ref().ok_or_else(|| {
            Error::usage("a window needs event times").advise("call event_time(...) before it")
        })?;
        self.rows = rows.len();
        self.words.clear();
        self.words.resize(layout.entry_words * rows.len(), 0);
        gather(&times.time, rows, self.word_mut(0), |time| time as u64);
        self.flags.clear();
        self.flags.resize(rows.len(), 0);
        self.has_nulls = false;
        for (m, measure) in plan.measures.iter().enumerate() {
            let column = column(batch, &measure.column)?;
            self.fill_nulls(column, rows, m);
            if let Some(word) = layout.word_of(m) {
                fill_values(self.word_mut(word), column, &measure.column, rows)?;
            }
        }
        for sum in &layout.sums {
            // All bits that differ from the sign's, of all values.
            let values = self.word(sum.word).iter().map(|&x| x as i64);
            self.magnitude |= values.fold(0, |bits, x| bits | (x ^ x >> 63) as u64);
        }
        for &(m, bit) in &layout.bits {
            let name = &plan.measures[m].column;
            self.fill_bits(column(batch, name)?, name, rows, bit)?;
        }
        if let (Some(word), Some((lat, lon))) = (layout.place_word, &plan.place) {
            let (lat, lon) = (float(batch, lat)?, float(batch, lon)?);
            fill_places(self.word_mut(word), lat, lon, rows);
        }
        self.codes.resize_with(codes.len(), Vec::new);
        for ((index, name), out) in codes.iter_mut().zip(&plan.codes).zip(&mut self.codes) {
            out.clear();
            index.codes(column(batch, name)?, rows, out)?;
        }
        self.pack_codes(layout);
        Ok(())
    }

    /// Codes and flags, two a word.
    fn pack_codes(&mut self, layout: &Layout) {
        let halves = self.codes.iter().chain([&self.flags]);
        for (i, halves) in halves.enumerate() {
            let at = (layout.codes_word + i / 2) * self.rows;
            let words = &mut self.words[at..at + self.rows];
            for (word, &half) in words.iter_mut().zip(halves) {
                *word |= u64::from(half) << (32 * (i % 2));
            }
        }
    }

    /// A word of the entries, of all rows.
    pub(super) fn word(&self, word: usize) -> &[u64] {
        &self.words[word * self.rows..(word + 1) * self.rows]
    }

    fn word_mut(&mut self, word: usize) -> &mut [u64] {
        &mut self.words[word * self.rows..(word + 1) * self.rows]
    }

    /// A word of the entry of a row.
    #[inline(always)]
    pub(super) fn get(&self, row: usize, word: usize) -> u64 {
        self.words[word * self.rows + row]
    }

    /// Copies the entry of a row.
    #[inline(always)]
    pub(super) fn write(&self, row: usize, entry: &mut [u64]) {
        let words = &self.words[row..];
        let mut at = 0;
        for slot in entry {
            *slot = words[at];
            at += self.rows;
        }
    }

    fn fill_nulls(&mut self, column: &ArrayRef, rows: Rows<'_>, measure: usize) {
        if let Some(nulls) = column.nulls().filter(|nulls| nulls.null_count() > 0) {
            for (i, flags) in self.flags.iter_mut().enumerate() {
                *flags |= u32::from(nulls.is_null(rows.get(i))) << measure;
            }
            self.has_nulls |= self.flags.iter().any(|flags| flags & NULL_BITS != 0);
        }
    }

    fn fill_bits(&mut self, column: &ArrayRef, name: &str, rows: Rows<'_>, bit: u32) -> Result<()> {
        let column = column.as_boolean_opt().ok_or_else(|| changed(name, "Boolean", column))?;
        let values = column.values();
        if values.count_set_bits() == 0 {
            return Ok(());
        }
        for (i, flags) in self.flags.iter_mut().enumerate() {
            let row = rows.get(i);
            *flags |= u32::from(values.value(row) && column.is_valid(row)) << bit;
        }
        Ok(())
    }
}

fn fill_places(
    out: &mut [u64],
    lat: &arrow::array::Float64Array,
    lon: &arrow::array::Float64Array,
    rows: Rows<'_>,
) {
    if lat.null_count() + lon.null_count() > 0 {
        for (i, out) in out.iter_mut().enumerate() {
            let row = rows.get(i);
            let known = lat.is_valid(row) && lon.is_valid(row);
            *out = if known { fixed_place(lat.value(row), lon.value(row)) } else { NO_PLACE };
        }
        return;
    }
    let (lat, lon) = (lat.values(), lon.values());
    match rows {
        Rows::All(n) => {
            for ((out, &lat), &lon) in out.iter_mut().zip(&lat[..n]).zip(&lon[..n]) {
                *out = fixed_place(lat, lon);
            }
        }
        Rows::Some(rows) => {
            for (out, &row) in out.iter_mut().zip(rows) {
                *out = fixed_place(lat[row as usize], lon[row as usize]);
            }
        }
    }
}

/// Writes the rows of a column to `out`.
#[inline]
fn gather<T: Copy>(
    values: &[T],
    rows: Rows<'_>,
    out: &mut [u64],
    mut convert: impl FnMut(T) -> u64,
) {
    match rows {
        Rows::All(n) => {
            for (out, &value) in out.iter_mut().zip(&values[..n]) {
                *out = convert(value);
            }
        }
        Rows::Some(rows) => {
            for (out, &row) in out.iter_mut().zip(rows) {
                *out = convert(values[row as usize]);
            }
        }
    }
}

/// The column of a batch with this name.
pub(super) fn column<'a>(batch: &'a Batch, name: &str) -> Result<&'a ArrayRef> {
    batch
        .rows
        .column_by_name(name)
        .ok_or_else(|| Error::run(format!("a batch has no column {name}, which a window reads")))
}

fn changed(name: &str, wanted: &str, found: &ArrayRef) -> Error {
    Error::run(format!("column {name} is {} here but was {wanted} in the plan", found.data_type()))
}

fn float<'a>(batch: &'a Batch, name: &str) -> Result<&'a arrow::array::Float64Array> {
    let array = column(batch, name)?;
    array.as_primitive_opt::<types::Float64Type>().ok_or_else(|| changed(name, "Float64", array))
}

/// Latitude in the low half, longitude in the high half.
#[inline]
fn fixed_place(lat: f64, lon: f64) -> u64 {
    match (fixed(lat, 90.0), fixed(lon, 180.0)) {
        (Some(lat), Some(lon)) => u64::from(lat as u32) | u64::from(lon as u32) << 32,
        _ => NO_PLACE,
    }
}

#[inline]
fn fixed(degrees: f64, limit: f64) -> Option<i32> {
    // A comparison that NaN fails, too.
    if degrees.abs() <= limit {
        Some((degrees * FIXED_PER_DEGREE + 0.5f64.copysign(degrees)) as i32)
    } else {
        None
    }
}

/// Latitude and longitude of a place, in units of 1e-7 degree.
#[inline]
pub(super) fn place_parts(place: u64) -> (i32, i32) {
    (place as u32 as i32, (place >> 32) as u32 as i32)
}

fn fill_values(out: &mut [u64], array: &ArrayRef, name: &str, rows: Rows<'_>) -> Result<()> {
    macro_rules! each {
        ($kind:ty, $convert:expr) => {
            fill(out, array.as_primitive::<$kind>(), rows, $convert)
        };
    }
    match array.data_type() {
        DataType::Int8 => each!(types::Int8Type, |x| i64::from(x) as u64),
        DataType::Int16 => each!(types::Int16Type, |x| i64::from(x) as u64),
        DataType::Int32 => each!(types::Int32Type, |x| i64::from(x) as u64),
        DataType::Int64 => each!(types::Int64Type, |x| x as u64),
        DataType::UInt8 => each!(types::UInt8Type, u64::from),
        DataType::UInt16 => each!(types::UInt16Type, u64::from),
        DataType::UInt32 => each!(types::UInt32Type, u64::from),
        DataType::Decimal32(..) => each!(types::Decimal32Type, |x| i64::from(x) as u64),
        DataType::Decimal64(..) => each!(types::Decimal64Type, |x| x as u64),
        DataType::Float16 => each!(types::Float16Type, |x| x.to_f64().to_bits()),
        DataType::Float32 => each!(types::Float32Type, |x| f64::from(x).to_bits()),
        DataType::Float64 => each!(types::Float64Type, f64::to_bits),
        DataType::UInt64 => {
            let mut wide = 0;
            each!(types::UInt64Type, |x| {
                wide |= x >> 63;
                x
            });
            fits(wide == 0, name)?;
        }
        DataType::Decimal128(_, _) => {
            let mut wide = 0;
            each!(types::Decimal128Type, |x| {
                // The upper half of what fits repeats the sign of the lower.
                wide |= (x >> 64) as i64 ^ (x as i64 >> 63);
                x as u64
            });
            fits(wide == 0, name)?;
        }
        other => {
            return Err(Error::usage(format!("column {name} ({other}) cannot be summed"))
                .advise("integers, decimals, floats and booleans can"));
        }
    }
    Ok(())
}

fn fill<T: ArrowPrimitiveType>(
    out: &mut [u64],
    values: &arrow::array::PrimitiveArray<T>,
    rows: Rows<'_>,
    mut convert: impl FnMut(T::Native) -> u64,
) {
    // What lies under a null is anything; the sums rely on 0.
    match values.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => gather(values.values(), rows, out, convert),
        Some(nulls) => {
            for (i, out) in out.iter_mut().enumerate() {
                let row = rows.get(i);
                *out = if nulls.is_null(row) { 0 } else { convert(values.value(row)) };
            }
        }
    }
}

fn fits(fits: bool, name: &str) -> Result<()> {
    if fits {
        return Ok(());
    }
    Err(Error::run(format!(
        "a value of column {name} does not fit into 64 bits, which windows hold it in"
    ))
    .advise("cast the column to a narrower type or leave it out of the window"))
}
