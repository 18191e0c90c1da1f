//! From states to the columns that a window gives out.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::ArrayData;
use arrow::array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, LargeStringArray,
    ListArray, StringArray, StructArray, UInt64Array, make_array,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::DataType;

use super::cells::Cells;
use super::plan::{AggregatePlan, Lower, Op};
use super::sums::Sums;
use super::table::Table;
use super::value::{Value, float_of_order};
use crate::error::{Error, Result};

/// Largest decimal of 38 digits.
const DECIMAL_MAX: i128 = 10i128.pow(38) - 1;

/// Of how many values each entry of a column is, and which entries have any.
struct Counts<'a> {
    counts: Cow<'a, [u64]>,
    /// `None`: all of them.
    valid: Option<NullBuffer>,
}

impl Table {
    /// All aggregates, an entry a row.
    ///
    /// # Errors
    /// When a sum does not fit its column.
    pub(crate) fn lower(&self, plan: &AggregatePlan) -> Result<Vec<ArrayRef>> {
        let columns = plan.lowers.iter().zip(&plan.fields);
        columns
            .map(|(lower, field)| self.column(plan, lower, field.name(), field.data_type()))
            .collect()
    }

    fn column(
        &self,
        plan: &AggregatePlan,
        lower: &Lower,
        name: &str,
        data_type: &DataType,
    ) -> Result<ArrayRef> {
        let counts = |counts: &[u64]| -> ArrayRef {
            Arc::new(Int64Array::from(counts.iter().map(|&n| n as i64).collect::<Vec<_>>()))
        };
        Ok(match *lower {
            Lower::Rows => counts(&self.rows),
            Lower::NonNull { column } => counts(&self.counts(column).counts),
            Lower::Sum { column, lift } => match &self.cells[lift] {
                Cells::Exact(cells) => exact_sums(cells, self.counts(column), name, data_type)?,
                cells => float_results(cells, self.counts(column), |sum, _| sum),
            },
            Lower::Avg { column, lift, .. } if matches!(data_type, DataType::Duration(_)) => {
                match &self.cells[lift] {
                    Cells::Exact(sums) => {
                        mean_lengths(&sums.wide(), self.counts(column), data_type)?
                    }
                    _ => unreachable!("durations are summed exactly"),
                }
            }
            Lower::Avg { column, lift, scale } => match &self.cells[lift] {
                Cells::Exact(cells) => exact_means(cells, self.counts(column), scale),
                cells => float_results(cells, self.counts(column), |sum, n| sum / n as f64),
            },
            Lower::Least { column, lift } => {
                let valid = self.counts(column).valid;
                least_values(&self.cells[lift], &plan.lifts[lift].op, valid, data_type)?
            }
            Lower::States { lift } => match &self.cells[lift] {
                Cells::States(states) => states
                    .lower(data_type)
                    .map_err(|error| error.at(format!("the aggregate \"{name}\"")))?,
                _ => unreachable!("the plan gives states to what it lowers from states"),
            },
        })
    }

    fn counts(&self, column: usize) -> Counts<'_> {
        let nulls = &self.nulls[column];
        let counts = if nulls.is_empty() {
            Cow::Borrowed(&self.rows[..])
        } else {
            self.rows.iter().zip(nulls).map(|(rows, nulls)| rows - nulls).collect()
        };
        let valid = counts.contains(&0).then(|| counts.iter().map(|&n| n > 0).collect());
        Counts { counts, valid }
    }
}

/// Sums of integers or decimals as a column. Where there is no value the sum is 0.
fn exact_sums(sums: &Sums, of: Counts, name: &str, data_type: &DataType) -> Result<ArrayRef> {
    let is_narrow = matches!(data_type, DataType::Int64 | DataType::Duration(_));
    if let (Sums::Narrow { sums, .. }, true) = (sums, is_narrow) {
        return int_array(sums.clone(), of.valid, data_type);
    }
    let cells = sums.wide();
    if is_narrow {
        let sums: Vec<i64> = cells.iter().map(|&sum| sum as i64).collect();
        let mut pairs = cells.iter().zip(&sums);
        if let Some((sum, _)) = pairs.find(|&(&sum, &short)| sum != i128::from(short)) {
            return Err(Error::run(format!("the aggregate \"{name}\" overflows 64 bits ({sum})"))
                .advise("cast the column to a decimal, or use shorter windows"));
        }
        return int_array(sums, of.valid, data_type);
    }
    let is_wide = matches!(sums, Sums::Wide(_));
    if is_wide && cells.iter().any(|sum| sum.unsigned_abs() > DECIMAL_MAX.unsigned_abs()) {
        return Err(Error::run(format!("the aggregate \"{name}\" overflows 38 digits"))
            .advise("use shorter windows, or scale the column down"));
    }
    let array = Decimal128Array::new(cells.into_owned().into(), of.valid);
    Ok(Arc::new(array.with_data_type(data_type.clone())))
}

/// Means of lengths of time, as such.
fn mean_lengths(cells: &[i128], of: Counts, data_type: &DataType) -> Result<ArrayRef> {
    let means = cells.iter().zip(&*of.counts).map(|(&sum, &n)| nearest(sum, n));
    int_array(means.collect(), of.valid, data_type)
}

/// The integer nearest to a mean, halves away from 0; 0 of nothing.
pub(crate) fn nearest(sum: i128, n: u64) -> i64 {
    let n = i128::from(n.max(1));
    let (whole, rest) = (sum / n, sum % n);
    let up = rest.unsigned_abs() * 2 >= n.unsigned_abs();
    (whole + if up { sum.signum() } else { 0 }) as i64
}

/// Means of integers or decimals: the exact sum, rounded once, by the count times 10^scale.
fn exact_means(sums: &Sums, of: Counts, scale: i8) -> ArrayRef {
    let power = power_of_ten(scale);
    let mean = |sum: f64, n: u64| {
        // Where there is no value the sum is 0, and nobody looks at the mean.
        let n = n.max(1) as f64;
        if scale < 0 { sum * power / n } else { sum / (n * power) }
    };
    let counts = of.counts.iter();
    // The processor converts 64 bits by itself; both round once.
    let means: Vec<f64> = match sums {
        Sums::Narrow { sums, .. } => {
            sums.iter().zip(counts).map(|(&sum, &n)| mean(sum as f64, n)).collect()
        }
        Sums::Wide(sums) => sums.iter().zip(counts).map(|(&sum, &n)| mean(sum as f64, n)).collect(),
    };
    Arc::new(Float64Array::new(means.into(), of.valid))
}

/// 10^|scale|.
pub(super) fn power_of_ten(scale: i8) -> f64 {
    10i128.pow(u32::from(scale.unsigned_abs()).min(38)) as f64
}

fn float_results(cells: &Cells, of: Counts, result: impl Fn(f64, u64) -> f64) -> ArrayRef {
    let Cells::Float(cells) = cells else { unreachable!("sums are exact or of floats") };
    let results = cells.iter().zip(&*of.counts);
    let results = results.map(|(&sum, &n)| one_nan(result(sum, n.max(1))));
    Arc::new(Float64Array::new(results.collect::<Vec<_>>().into(), of.valid))
}

/// One NaN, whatever it came from: machines differ in its bits.
pub(super) fn one_nan(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value }
}

fn least_values(
    cells: &Cells,
    op: &Op,
    valid: Option<NullBuffer>,
    data_type: &DataType,
) -> Result<ArrayRef> {
    match (cells, op) {
        (Cells::Least(cells), Op::Least { flip }) => {
            let values = cells.iter().map(|&cell| cell ^ flip);
            match data_type {
                other if other.is_floating() => {
                    let floats: Vec<f64> = values.map(float_of_order).collect();
                    let floats: ArrayRef = Arc::new(Float64Array::new(floats.into(), valid));
                    Ok(arrow::compute::cast(&floats, data_type)?)
                }
                _ => int_array(values.collect(), valid, data_type),
            }
        }
        (Cells::LeastWide(cells), Op::LeastWide { flip }) => {
            wide_array(cells.iter().map(|&cell| cell ^ flip).collect(), valid, data_type)
        }
        _ => unreachable!("the plan gives each operation its cells"),
    }
}

/// Integers, or what is kept as such, as a column of their type. Where `valid` says no, the value
/// may be any.
pub(crate) fn int_array(
    values: Vec<i64>,
    valid: Option<NullBuffer>,
    data_type: &DataType,
) -> Result<ArrayRef> {
    use DataType::*;
    let len = values.len();
    let buffer = match data_type {
        Date32 | Time32(_) | Decimal32(..) => {
            Buffer::from_vec(values.into_iter().map(|v| v as i32).collect::<Vec<i32>>())
        }
        Int64 | Date64 | Timestamp(..) | Time64(_) | Duration(_) | Decimal64(..) => {
            Buffer::from_vec(values)
        }
        _ => {
            let array: ArrayRef = Arc::new(Int64Array::new(values.into(), valid));
            return Ok(arrow::compute::cast(&array, data_type)?);
        }
    };
    let data = ArrayData::builder(data_type.clone()).len(len).add_buffer(buffer).nulls(valid);
    Ok(make_array(data.build()?))
}

pub(crate) fn wide_array(
    values: Vec<i128>,
    valid: Option<NullBuffer>,
    data_type: &DataType,
) -> Result<ArrayRef> {
    if data_type == &DataType::UInt64 {
        let short: Vec<u64> = values.into_iter().map(|v| v as u64).collect();
        return Ok(Arc::new(UInt64Array::new(short.into(), valid)));
    }
    let array = Decimal128Array::new(values.into(), valid);
    Ok(Arc::new(array.with_data_type(data_type.clone())))
}

/// Values as a column of their type.
///
/// # Errors
/// When a value is not of the type (an aggregate of a user's own that gives something else).
pub(super) fn value_array(values: Vec<Option<Value>>, data_type: &DataType) -> Result<ArrayRef> {
    let wrong =
        |value: &Value| Error::run(format!("an aggregate gave {value:?}, which is no {data_type}"));
    macro_rules! each {
        ($variant:pat => $result:expr) => {
            values.iter().map(|value| match value {
                None => Ok(None),
                Some($variant) => Ok(Some($result)),
                Some(other) => Err(wrong(other)),
            })
        };
    }
    Ok(match data_type {
        DataType::Boolean => {
            Arc::new(each!(Value::Bool(v) => *v).collect::<Result<BooleanArray>>()?)
        }
        other if other.is_floating() => {
            let floats =
                each!(Value::Float(v) => one_nan(v.0)).collect::<Result<Float64Array>>()?;
            arrow::compute::cast(&floats, data_type)?
        }
        DataType::UInt64 | DataType::Decimal128(..) => {
            let wide: Vec<Option<i128>> = each!(Value::Wide(v) => *v).collect::<Result<_>>()?;
            let (values, valid) = split(wide);
            wide_array(values, valid, data_type)?
        }
        DataType::Utf8 => {
            let texts: Vec<Option<&str>> = each!(Value::Text(v) => &**v).collect::<Result<_>>()?;
            let bytes: usize = texts.iter().flatten().map(|text| text.len()).sum();
            if i32::try_from(bytes).is_err() {
                return Err(Error::run("the text of one column of one output exceeds 2 GiB")
                    .advise("read the column as LargeUtf8, or use shorter windows"));
            }
            Arc::new(StringArray::from(texts))
        }
        DataType::LargeUtf8 | DataType::Utf8View => {
            let texts: Vec<Option<&str>> = each!(Value::Text(v) => &**v).collect::<Result<_>>()?;
            arrow::compute::cast(&LargeStringArray::from(texts), data_type)?
        }
        DataType::List(field) => list_array(values, field, wrong)?,
        DataType::Struct(fields) => struct_array(values, fields, wrong)?,
        _ => {
            let ints: Vec<Option<i64>> = each!(Value::Int(v) => *v).collect::<Result<_>>()?;
            let (values, valid) = split(ints);
            int_array(values, valid, data_type)?
        }
    })
}

/// The values, and which there are.
fn split<T: Copy + Default>(values: Vec<Option<T>>) -> (Vec<T>, Option<NullBuffer>) {
    let valid: NullBuffer = values.iter().map(Option::is_some).collect();
    let values = values.into_iter().map(Option::unwrap_or_default).collect();
    (values, (valid.null_count() > 0).then_some(valid))
}

fn list_array(
    values: Vec<Option<Value>>,
    field: &arrow::datatypes::FieldRef,
    wrong: impl Fn(&Value) -> Error,
) -> Result<ArrayRef> {
    let nulls: NullBuffer = values.iter().map(Option::is_some).collect();
    let mut lengths = Vec::with_capacity(values.len());
    let mut items = Vec::new();
    for value in values {
        match value {
            None => lengths.push(0),
            Some(Value::List(list)) => {
                lengths.push(list.len());
                items.extend(list.into_iter().map(Some));
            }
            Some(other) => return Err(wrong(&other)),
        }
    }
    if i32::try_from(items.len()).is_err() {
        return Err(Error::run("the lists of one column of one output hold more than 2^31 items")
            .advise("use shorter windows"));
    }
    let items = value_array(items, field.data_type())?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(field.clone(), offsets, items, Some(nulls))?))
}

fn struct_array(
    values: Vec<Option<Value>>,
    fields: &arrow::datatypes::Fields,
    wrong: impl Fn(&Value) -> Error,
) -> Result<ArrayRef> {
    let nulls: NullBuffer = values.iter().map(Option::is_some).collect();
    let len = values.len();
    let mut columns: Vec<Vec<Option<Value>>> = vec![Vec::with_capacity(len); fields.len()];
    for value in values {
        match value {
            None => columns.iter_mut().for_each(|column| column.push(None)),
            Some(Value::Record(record)) if record.len() == fields.len() => {
                columns.iter_mut().zip(record).for_each(|(c, value)| c.push(Some(value)));
            }
            Some(other) => return Err(wrong(&other)),
        }
    }
    let arrays = columns.into_iter().zip(fields);
    let arrays = arrays.map(|(column, field)| value_array(column, field.data_type()));
    let arrays = arrays.collect::<Result<Vec<_>>>()?;
    let nulls = (nulls.null_count() > 0).then_some(nulls);
    let array = StructArray::try_new_with_length(fields.clone(), arrays, nulls, len)?;
    debug_assert_eq!(array.len(), len);
    Ok(Arc::new(array))
}

/// Times in the time column's own type. What the type cannot hold (a window that starts before
/// 0 over unsigned times, or beyond 64 bits) becomes the nearest time that it can.
pub(crate) fn time_array(mut times: Vec<i64>, data_type: &DataType) -> Result<ArrayRef> {
    let (low, high) = match data_type {
        DataType::Int8 => (i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => (i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 => (i32::MIN.into(), i32::MAX.into()),
        DataType::UInt8 => (0, u8::MAX.into()),
        DataType::UInt16 => (0, u16::MAX.into()),
        DataType::UInt32 => (0, u32::MAX.into()),
        DataType::UInt64 => (0, i64::MAX),
        _ => (i64::MIN, i64::MAX),
    };
    if (low, high) != (i64::MIN, i64::MAX) {
        times.iter_mut().for_each(|time| *time = (*time).clamp(low, high));
    }
    let array: ArrayRef = Arc::new(Int64Array::from(times));
    Ok(arrow::compute::cast(&array, data_type)?)
}
