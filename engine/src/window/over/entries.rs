//! A batch's columns, laid out as log entries: row-major, one entry a row of the shard.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{self as types, ArrowPrimitiveType, DataType};

use super::layout::{Layout, NULL_BITS, Slot};
use super::spec::OverPlan;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::operator::Rows;
use crate::state::codes::ValueCodes;

/// Marks a place that is null, NaN or out of range.
pub(super) const NO_PLACE: u64 = 1 << 31 | 1 << 63;

/// Degrees to fixed point and back: 1e-7 degree is about 1 cm.
const FIXED_PER_DEGREE: f64 = 1e7;

/// The entries of one batch.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub words: Vec<u64>,
    codes: Vec<u32>,
    flags: Vec<u32>,
}

impl Entries {
    /// Lays out the rows of a batch.
    pub(super) fn fill(
        &mut self,
        plan: &OverPlan,
        layout: &Layout,
        codes: &mut [ValueCodes],
        batch: &Batch,
        rows: Rows<'_>,
    ) -> Result<()> {
        let stride = layout.entry_words;
        let times = batch.times.as_ref().ok_or_else(|| {
            Error::usage("a window needs event times").advise("call event_time(...) before it")
        })?;
        self.words.clear();
        self.words.resize(rows.len() * stride, 0);
        for (i, entry) in self.words.chunks_exact_mut(stride).enumerate() {
            entry[0] = times.time[rows.get(i)] as u64;
        }
        self.flags.clear();
        self.flags.resize(rows.len(), 0);
        for (measure, slot) in layout.measures.iter().enumerate() {
            let name = &plan.measures[measure].column;
            let column = column(batch, name)?;
            self.fill_nulls(column, rows, measure);
            match *slot {
                Slot::Bit(bit) => self.fill_bits(column, name, rows, bit)?,
                Slot::Word(word) => fill_words(&mut self.words, stride, word, column, name, rows)?,
            }
        }
        if let (Some(word), Some((lat, lon))) = (layout.place_word, &plan.place) {
            let (lat, lon) = (float(batch, lat)?, float(batch, lon)?);
            for (i, entry) in self.words.chunks_exact_mut(stride).enumerate() {
                entry[word] = fixed_place(lat, lon, rows.get(i));
            }
        }
        for (code, (index, name)) in codes.iter_mut().zip(&plan.codes).enumerate() {
            self.codes.clear();
            index.codes(column(batch, name)?, rows, &mut self.codes)?;
            let (word, shift) = (layout.codes_word + code / 2, 32 * (code % 2));
            for (entry, &value) in self.words.chunks_exact_mut(stride).zip(&self.codes) {
                entry[word] |= u64::from(value) << shift;
            }
        }
        let (word, shift) = (layout.codes_word + layout.codes / 2, 32 * (layout.codes % 2));
        for (entry, &flags) in self.words.chunks_exact_mut(stride).zip(&self.flags) {
            entry[word] |= u64::from(flags) << shift;
        }
        Ok(())
    }

    /// Whether a measure of a row is null.
    pub(super) fn has_nulls(&self) -> bool {
        self.flags.iter().any(|flags| flags & NULL_BITS != 0)
    }

    fn fill_nulls(&mut self, column: &ArrayRef, rows: Rows<'_>, measure: usize) {
        if let Some(nulls) = column.nulls().filter(|nulls| nulls.null_count() > 0) {
            for (i, flags) in self.flags.iter_mut().enumerate() {
                *flags |= u32::from(nulls.is_null(rows.get(i))) << measure;
            }
        }
    }

    fn fill_bits(&mut self, column: &ArrayRef, name: &str, rows: Rows<'_>, bit: u32) -> Result<()> {
        let values = column.as_boolean_opt().ok_or_else(|| changed(name, "Boolean", column))?;
        for (i, flags) in self.flags.iter_mut().enumerate() {
            let row = rows.get(i);
            *flags |= u32::from(values.value(row) && values.is_valid(row)) << bit;
        }
        Ok(())
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
fn fixed_place(
    lat: &arrow::array::Float64Array,
    lon: &arrow::array::Float64Array,
    row: usize,
) -> u64 {
    if lat.is_null(row) || lon.is_null(row) {
        return NO_PLACE;
    }
    match (fixed(lat.value(row), 90.0), fixed(lon.value(row), 180.0)) {
        (Some(lat), Some(lon)) => u64::from(lat as u32) | u64::from(lon as u32) << 32,
        _ => NO_PLACE,
    }
}

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

fn fill_words(
    words: &mut [u64],
    stride: usize,
    word: usize,
    array: &ArrayRef,
    name: &str,
    rows: Rows<'_>,
) -> Result<()> {
    macro_rules! each {
        ($kind:ty, $convert:expr) => {{
            let values = array.as_primitive::<$kind>();
            let convert = $convert;
            fill::<$kind>(words, stride, word, values, rows, convert);
        }};
    }
    match array.data_type() {
        DataType::Int8 => each!(types::Int8Type, |x| i64::from(x) as u64),
        DataType::Int16 => each!(types::Int16Type, |x| i64::from(x) as u64),
        DataType::Int32 => each!(types::Int32Type, |x| i64::from(x) as u64),
        DataType::Int64 => each!(types::Int64Type, |x| x as u64),
        DataType::UInt8 => each!(types::UInt8Type, u64::from),
        DataType::UInt16 => each!(types::UInt16Type, u64::from),
        DataType::UInt32 => each!(types::UInt32Type, u64::from),
        DataType::Float32 => each!(types::Float32Type, |x| f64::from(x).to_bits()),
        DataType::Float64 => each!(types::Float64Type, f64::to_bits),
        DataType::UInt64 => {
            let values = array.as_primitive::<types::UInt64Type>();
            narrow(words, stride, word, values, rows, name, |x| i64::try_from(x).ok())?;
        }
        DataType::Decimal128(_, _) => {
            let values = array.as_primitive::<types::Decimal128Type>();
            narrow(words, stride, word, values, rows, name, |x| i64::try_from(x).ok())?;
        }
        other => {
            return Err(Error::usage(format!("column {name} ({other}) cannot be summed"))
                .advise("integers, decimals, floats and booleans can"));
        }
    }
    Ok(())
}

fn fill<T: ArrowPrimitiveType>(
    words: &mut [u64],
    stride: usize,
    word: usize,
    values: &arrow::array::PrimitiveArray<T>,
    rows: Rows<'_>,
    mut convert: impl FnMut(T::Native) -> u64,
) {
    // What lies under a null is anything; the accumulators rely on 0.
    match values.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => {
            let values = values.values();
            for (i, entry) in words.chunks_exact_mut(stride).enumerate() {
                entry[word] = convert(values[rows.get(i)]);
            }
        }
        Some(nulls) => {
            for (i, entry) in words.chunks_exact_mut(stride).enumerate() {
                let row = rows.get(i);
                entry[word] = if nulls.is_null(row) { 0 } else { convert(values.value(row)) };
            }
        }
    }
}

/// As [`fill`], for values that may be too large for 64 bits.
fn narrow<T: ArrowPrimitiveType>(
    words: &mut [u64],
    stride: usize,
    word: usize,
    values: &arrow::array::PrimitiveArray<T>,
    rows: Rows<'_>,
    name: &str,
    convert: impl Fn(T::Native) -> Option<i64>,
) -> Result<()> {
    let mut fits = true;
    fill(words, stride, word, values, rows, |x| {
        convert(x).map_or_else(
            || {
                fits = false;
                0
            },
            |x| x as u64,
        )
    });
    if fits {
        return Ok(());
    }
    Err(Error::run(format!(
        "a value of column {name} does not fit into 64 bits, which windows hold it in"
    ))
    .advise("cast the column to a narrower type or leave it out of the window"))
}
