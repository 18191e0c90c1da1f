//! Which type may become which, and how each value is held to it.
//!
//! | from | to | held to |
//! |---|---|---|
//! | integers | integers | the range of the target |
//! | integers | Float64, Float32 | the same integer coming back |
//! | integers | Decimal128, Timestamp | range and precision |
//! | integers 0 and 1 | Boolean, and back | nothing else |
//! | Float32 | Float64 | – |
//! | floats | Decimal128 | the same float coming back (57.16 is 57.16) |
//! | decimals | Decimal128 of another scale, integers, floats | the same decimal coming back |
//! | Timestamp | Timestamp of another unit or zone | the same instant coming back |
//! | Date32, Date64 | Timestamp | range; midnight UTC |
//! | text, dictionary of text | each other | – |
//! | Binary | text | UTF-8 |
//! | Null | anything | – |
//!
//! A time zone is a way to show an instant: taking it away or changing it leaves the instant.
//! "Coming back" is the definition of lossless, and the code does exactly that: it converts
//! back and compares.

use arrow::array::types::{Float32Type, Float64Type};
use arrow::array::{Array, ArrayRef, AsArray, Datum};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::error::ArrowError;

/// A way from one type to another.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Conversion {
    /// The types on the way, the first and the last included.
    types: Vec<DataType>,
    /// Whether it must be checked that the value comes back.
    there_and_back: bool,
}

const SAFE: CastOptions<'static> =
    CastOptions { safe: true, format_options: arrow::util::display::FormatOptions::new() };

impl Conversion {
    /// The way from `from` to `to`, if there is a sensible one.
    pub(super) fn plan(from: &DataType, to: &DataType) -> Option<Self> {
        if let DataType::Dictionary(_, values) = from
            && !is_text(values)
        {
            // Only dictionaries of text are worth keeping: unpack, then go on.
            let mut way = if **values == *to {
                Self { types: vec![to.clone()], there_and_back: false }
            } else {
                Self::plan(values, to)?
            };
            way.types.insert(0, from.clone());
            return Some(way);
        }
        let (between, there_and_back) = steps(from, to)?;
        let mut types = vec![from.clone()];
        types.extend(between);
        types.push(to.clone());
        types.dedup();
        Some(Self { types, there_and_back })
    }

    /// The converted values, and which rows have lost theirs (`None`: no row).
    pub(super) fn convert(
        &self,
        source: &ArrayRef,
    ) -> Result<(ArrayRef, Option<BooleanBuffer>), ArrowError> {
        let mut converted = source.clone();
        for to in &self.types[1..] {
            converted = cast_with_options(&converted, to, &SAFE)?;
        }
        let lost = if self.there_and_back {
            let mut back = converted.clone();
            for to in self.types.iter().rev().skip(1) {
                back = cast_with_options(&back, to, &SAFE)?;
            }
            changed(source, &back)?
        } else {
            new_nulls(source, &converted)
        };
        Ok((converted, lost.filter(|lost| lost.count_set_bits() > 0)))
    }
}

/// The types between `from` and `to`, and whether values must be checked to come back.
fn steps(from: &DataType, to: &DataType) -> Option<(Vec<DataType>, bool)> {
    use DataType::{
        Binary, BinaryView, Boolean, Date32, Date64, Decimal128, Dictionary, Float32, Float64,
        Int64, LargeBinary, Null, Timestamp, Utf8,
    };
    let seconds = Timestamp(TimeUnit::Second, None);
    let milliseconds = Timestamp(TimeUnit::Millisecond, None);
    Some(match (from, to) {
        (Null, _) => (vec![], false),
        (from, to) if is_text(from) && is_text(to) => match to {
            Dictionary(..) => (vec![Utf8], false),
            _ => (vec![], false),
        },
        (Binary | LargeBinary | BinaryView, to) if is_text(to) => match to {
            Dictionary(..) => (vec![Binary, Utf8], false),
            _ => (vec![Binary], false),
        },
        (from, to) if from.is_integer() && to.is_integer() => (vec![], false),
        (from, Float32 | Float64) if from.is_integer() => (vec![], true),
        (from, Decimal128(..)) if from.is_integer() => (vec![], false),
        (from, Boolean) if from.is_integer() => (vec![], true),
        (Boolean, to) if to.is_integer() => (vec![], false),
        (Float32, Float64) => (vec![], false),
        (Float32 | Float64, Decimal128(..)) => (vec![], true),
        (from, Decimal128(..)) if from.is_decimal() => (vec![], true),
        (from, Float32 | Float64) if from.is_decimal() => (vec![], true),
        (from, to) if from.is_decimal() && to.is_integer() => (vec![], true),
        // Through integers: a cast between zones would move the instant to local time.
        (Timestamp(unit, _), Timestamp(to_unit, _)) => {
            let bare = |unit: &TimeUnit| Timestamp(*unit, None);
            (vec![Int64, bare(unit), bare(to_unit), Int64], true)
        }
        (from, Timestamp(..)) if from.is_integer() => (vec![Int64], false),
        (Date32, Timestamp(unit, _)) => (vec![seconds, Timestamp(*unit, None), Int64], false),
        (Date64, Timestamp(unit, _)) => (vec![milliseconds, Timestamp(*unit, None), Int64], false),
        _ => return None,
    })
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// Where `converted` is null and `source` is not.
fn new_nulls(source: &dyn Array, converted: &dyn Array) -> Option<BooleanBuffer> {
    if converted.logical_null_count() == source.logical_null_count() {
        return None;
    }
    let converted = converted.logical_nulls()?;
    let is_null = !converted.inner();
    Some(match source.logical_nulls() {
        Some(source) => &is_null & source.inner(),
        None => is_null,
    })
}

/// Where `back` is not what `source` was. −0.0 may come back as 0.0.
fn changed(source: &ArrayRef, back: &ArrayRef) -> Result<Option<BooleanBuffer>, ArrowError> {
    macro_rules! floats {
        ($type:ty) => {{
            let (source, back) = (source.as_primitive::<$type>(), back.as_primitive::<$type>());
            BooleanBuffer::collect_bool(source.len(), |row| {
                source.is_valid(row) && (back.is_null(row) || source.value(row) != back.value(row))
            })
        }};
    }
    Ok(Some(match source.data_type() {
        DataType::Float32 => floats!(Float32Type),
        DataType::Float64 => floats!(Float64Type),
        _ => {
            let (source, back): (&dyn Datum, &dyn Datum) = (source, back);
            distinct(source, back)?.values().clone()
        }
    }))
}
