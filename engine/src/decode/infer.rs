//! The type of a column from its first values.
//!
//! A type fits where every value that is there reads as it; of those that fit, the first of:
//! 64-bit integer, 64-bit float, boolean, time (ISO 8601, as microseconds UTC), text. A column
//! without any value is text. A later value that does not read as the inferred type rejects
//! its row.

use arrow::datatypes::{DataType, TimeUnit};
use pelton_kernels::text_parse as parse;

/// Rows that are looked at, at most.
pub(super) const ROWS_LOOKED_AT: usize = 1_000;
/// Bytes that are looked at, at most (and the row that crosses it).
pub(super) const BYTES_LOOKED_AT: usize = 1 << 20;

/// What a column can still be.
#[derive(Debug, Clone)]
pub(super) struct Guess {
    seen: bool,
    int64: bool,
    float64: bool,
    /// A value had a digit: columns of nothing but `NaN` or `inf` are text.
    digits: bool,
    boolean: bool,
    time: bool,
}

impl Default for Guess {
    fn default() -> Self {
        Self { seen: false, int64: true, float64: true, digits: false, boolean: true, time: true }
    }
}

impl Guess {
    /// Takes a value into account (not an empty or null one).
    pub fn look_at(&mut self, value: &[u8]) {
        if value.is_empty() {
            return;
        }
        self.seen = true;
        self.int64 = self.int64 && parse::parse_i64(value).is_some();
        self.float64 = self.float64 && parse::parse_f64(value).is_some();
        self.digits |= value.iter().any(u8::is_ascii_digit);
        self.look_at_word(value);
    }

    /// As [`Self::look_at`], for a value that is no number even if it looks like one (a JSON
    /// string).
    pub fn look_at_text(&mut self, value: &[u8]) {
        if !value.is_empty() {
            self.seen = true;
            (self.int64, self.float64, self.boolean) = (false, false, false);
            self.look_at_word(value);
        }
    }

    fn look_at_word(&mut self, value: &[u8]) {
        self.boolean = self.boolean
            && (value.eq_ignore_ascii_case(b"true") || value.eq_ignore_ascii_case(b"false"));
        self.time =
            self.time && parse::parse_iso_timestamp(value, parse::TimeUnit::Microsecond).is_some();
    }

    /// The type that fits.
    pub fn data_type(&self) -> DataType {
        match self {
            Self { seen: false, .. } => DataType::Utf8,
            Self { int64: true, .. } => DataType::Int64,
            Self { float64: true, digits: true, .. } => DataType::Float64,
            Self { boolean: true, .. } => DataType::Boolean,
            Self { time: true, .. } => {
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
            }
            _ => DataType::Utf8,
        }
    }
}
