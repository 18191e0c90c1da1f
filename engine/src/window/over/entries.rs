//! A batch's columns as log entries hold them: 64-bit values, fixed-point places, codes, flags.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{self as types, ArrowPrimitiveType, DataType};

use super::layout::{Layout, NULL_BITS};
use super::spec::{MeasureKind, OverPlan};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::operator::Rows;
use crate::state::codes::ValueCodes;

/// Marks a place that is null, NaN or out of range.
pub(super) const NO_PLACE: u64 = 1 << 31 | 1 << 63;

/// Degrees to fixed point and back: 1e-7 degree is about 1 cm.
const FIXED_PER_DEGREE: f64 = 1e7;

/// The rows of one shard of one batch, a column each.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub times: Vec<i64>,
    /// Of each measure its integers or the bits of its floats, 0 where it is null; nothing of
    /// booleans.
    pub values: Vec<Vec<u64>>,
    pub places: Vec<u64>,
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
        gather(&times.time, rows, &mut self.times, |time| time);
        self.flags.clear();
        self.flags.resize(rows.len(), 0);
        self.has_nulls = false;
        self.values.resize_with(plan.measures.len(), Vec::new);
        for (m, measure) in plan.measures.iter().enumerate() {
            let column = column(batch, &measure.column)?;
            self.fill_nulls(column, rows, m);
            if measure.kind != MeasureKind::Boolean {
                fill_values(&mut self.values[m], column, &measure.column, rows)?;
            }
        }
        for sum in &layout.sums {
            // All bits that differ from the sign's, of all values.
            let values = self.values[sum.measure].iter().map(|&x| x as i64);
            self.magnitude |= values.fold(0, |bits, x| bits | (x ^ x >> 63) as u64);
        }
        for &(m, bit) in &layout.bits {
            let name = &plan.measures[m].column;
            self.fill_bits(column(batch, name)?, name, rows, bit)?;
        }
        if let (Some(_), Some((lat, lon))) = (layout.place_word, &plan.place) {
            let (lat, lon) = (float(batch, lat)?, float(batch, lon)?);
            self.fill_places(lat, lon, rows);
        }
        self.codes.resize_with(codes.len(), Vec::new);
        for ((index, name), out) in codes.iter_mut().zip(&plan.codes).zip(&mut self.codes) {
            out.clear();
            index.codes(column(batch, name)?, rows, out)?;
        }
        Ok(())
    }

    /// Writes what a row's entry holds, but for the sums.
    #[inline]
    pub(super) fn write(&self, row: usize, layout: &Layout, entry: &mut [u64]) {
        entry[0] = self.times[row] as u64;
        for &(measure, word) in &layout.floats {
            entry[word] = self.values[measure][row];
        }
        if let Some(word) = layout.place_word {
            entry[word] = self.places[row];
        }
        let flags = u64::from(self.flags[row]);
        match self.codes.as_slice() {
            [] => entry[layout.codes_word] = flags,
            [codes] => entry[layout.codes_word] = u64::from(codes[row]) | flags << 32,
            codes => {
                entry[layout.codes_word..=layout.codes_word + layout.codes / 2].fill(0);
                for (code, codes) in codes.iter().enumerate() {
                    entry[layout.codes_word + code / 2] |=
                        u64::from(codes[row]) << (32 * (code % 2));
                }
                entry[layout.codes_word + layout.codes / 2] |= flags << (32 * (layout.codes % 2));
            }
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

    fn fill_places(
        &mut self,
        lat: &arrow::array::Float64Array,
        lon: &arrow::array::Float64Array,
        rows: Rows<'_>,
    ) {
        self.places.clear();
        if lat.null_count() + lon.null_count() > 0 {
            let place = |row| match lat.is_null(row) || lon.is_null(row) {
                true => NO_PLACE,
                false => fixed_place(lat.value(row), lon.value(row)),
            };
            self.places.extend((0..rows.len()).map(|i| place(rows.get(i))));
            return;
        }
        let (lat, lon) = (lat.values(), lon.values());
        match rows {
            Rows::All(n) => {
                let places = lat[..n].iter().zip(&lon[..n]);
                self.places.extend(places.map(|(&lat, &lon)| fixed_place(lat, lon)));
            }
            Rows::Some(rows) => {
                let rows = rows.iter().map(|&row| row as usize);
                self.places.extend(rows.map(|row| fixed_place(lat[row], lon[row])));
            }
        }
    }
}

/// Appends the rows of a column to `out`, which is cleared first.
#[inline]
fn gather<T: Copy, U>(values: &[T], rows: Rows<'_>, out: &mut Vec<U>, convert: impl FnMut(T) -> U) {
    out.clear();
    match rows {
        Rows::All(n) => out.extend(values[..n].iter().copied().map(convert)),
        Rows::Some(rows) => out.extend(rows.iter().map(|&row| values[row as usize]).map(convert)),
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

fn fill_values(out: &mut Vec<u64>, array: &ArrayRef, name: &str, rows: Rows<'_>) -> Result<()> {
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
    out: &mut Vec<u64>,
    values: &arrow::array::PrimitiveArray<T>,
    rows: Rows<'_>,
    mut convert: impl FnMut(T::Native) -> u64,
) {
    // What lies under a null is anything; the sums rely on 0.
    match values.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => gather(values.values(), rows, out, convert),
        Some(nulls) => {
            out.clear();
            out.extend((0..rows.len()).map(|i| {
                let row = rows.get(i);
                if nulls.is_null(row) { 0 } else { convert(values.value(row)) }
            }));
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
