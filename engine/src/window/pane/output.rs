//! From cells to the rows that a window gives out.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Float64Array, Int32Array, Int64Array};
use arrow::array::{RecordBatch, RecordBatchOptions, UInt32Array, UInt64Array};
use arrow::datatypes::DataType;

use super::spec::{Function, Lower, Op, Plan};
use super::table::{Cells, Table, float_of_order};
use crate::batch::Position;
use crate::error::{Error, Result};
use crate::operator::WindowRows;
use crate::state::keys::KeyIndex;

/// Rows to give out: windows one after the other, each in the order of key ids.
#[derive(Debug)]
pub(super) struct Output {
    /// Start and end of each window, and its number of rows.
    pub(super) windows: Vec<(i128, i128, usize)>,
    /// Key id of each row.
    pub(super) keys: Vec<u32>,
    pub(super) table: Table,
}

/// Largest decimal of 38 digits.
const DECIMAL_MAX: i128 = 10i128.pow(38) - 1;

impl Output {
    pub(super) fn new(plan: &Plan) -> Self {
        Self { windows: Vec::new(), keys: Vec::new(), table: Table::new(plan) }
    }

    /// Builds the rows.
    ///
    /// # Errors
    /// When a sum does not fit its column.
    pub(super) fn finish(
        self,
        plan: &Plan,
        index: &KeyIndex,
        first_seen: &[Position],
    ) -> Result<WindowRows> {
        let rows = self.keys.len();
        let (mut starts, mut ends) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        for &(start, end, count) in &self.windows {
            starts.resize(starts.len() + count, saturated(start));
            ends.resize(ends.len() + count, saturated(end));
        }
        let positions = self.keys.iter().map(|&key| first_seen[key as usize]);
        let order: Vec<(i64, i64, Position)> =
            ends.iter().zip(&starts).zip(positions).map(|((&e, &s), p)| (e, s, p)).collect();
        let mut columns =
            vec![time_array(starts, &plan.time_type)?, time_array(ends, &plan.time_type)?];
        columns.extend(index.key_columns(&self.keys)?);
        for (i, lower) in plan.lowers.iter().enumerate() {
            let field = plan.output.field(columns.len());
            debug_assert_eq!(columns.len(), plan.output.fields().len() - plan.lowers.len() + i);
            columns.push(self.lower(plan, lower, field.name(), field.data_type())?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(plan.output.clone(), columns, &options)?;
        sorted(WindowRows { rows: batch, order })
    }

    /// An aggregate's column.
    fn lower(
        &self,
        plan: &Plan,
        lower: &Lower,
        name: &str,
        data_type: &DataType,
    ) -> Result<ArrayRef> {
        let count = |entry: usize| match lower.column {
            Some(column) if lower.function != Function::Count => {
                self.table.values_in(entry, column)
            }
            _ => self.table.rows[entry],
        };
        let Some(lift) = lower.lift else {
            let counts = (0..self.keys.len()).map(|entry| count(entry) as i64);
            return Ok(Arc::new(Int64Array::from_iter_values(counts)));
        };
        let is_sum = lower.function == Function::Sum;
        Ok(match (&self.table.cells[lift], plan.lifts[lift].op) {
            (Cells::Exact(cells), _) if is_sum => exact_sums(cells, count, name, data_type)?,
            (Cells::Exact(cells), _) => Arc::new(exact_means(cells, count, lower.scale)),
            (Cells::Float(cells), _) => {
                let value = |(entry, &sum): (usize, &f64)| {
                    let n = count(entry);
                    let result = if is_sum { sum } else { sum / n as f64 };
                    // One NaN, whatever it came from: machines differ in its bits.
                    (n > 0).then_some(if result.is_nan() { f64::NAN } else { result })
                };
                Arc::new(cells.iter().enumerate().map(value).collect::<Float64Array>())
            }
            (Cells::Least(cells), Op::Least { flip }) => {
                let value =
                    |(entry, &cell): (usize, &i64)| (count(entry) > 0).then_some(cell ^ flip);
                least_array(cells.iter().enumerate().map(value), data_type)?
            }
            (Cells::LeastWide(cells), Op::LeastWide { flip }) => {
                let value =
                    |(entry, &cell): (usize, &i128)| (count(entry) > 0).then_some(cell ^ flip);
                let values = cells.iter().enumerate().map(value);
                if data_type == &DataType::UInt64 {
                    Arc::new(values.map(|v| v.map(|v| v as u64)).collect::<UInt64Array>())
                } else {
                    let array: Decimal128Array = values.collect();
                    Arc::new(array.with_data_type(data_type.clone()))
                }
            }
            _ => unreachable!("the plan gives each operation its cells"),
        })
    }
}

/// Sums of integers or decimals as a column.
fn exact_sums(
    cells: &[i128],
    count: impl Fn(usize) -> u64,
    name: &str,
    data_type: &DataType,
) -> Result<ArrayRef> {
    if data_type == &DataType::Int64 {
        let sums = cells.iter().enumerate().map(|(entry, &sum)| {
            if count(entry) == 0 {
                return Ok(None);
            }
            i64::try_from(sum).map(Some).map_err(|_| {
                Error::run(format!("the aggregate \"{name}\" overflows 64 bits ({sum})"))
                    .advise("cast the column to a decimal, or use shorter windows")
            })
        });
        return Ok(Arc::new(sums.collect::<Result<Int64Array>>()?));
    }
    let sums = cells.iter().enumerate().map(|(entry, &sum)| {
        if sum.unsigned_abs() > DECIMAL_MAX.unsigned_abs() {
            return Err(Error::run(format!("the aggregate \"{name}\" overflows 38 digits"))
                .advise("use shorter windows, or scale the column down"));
        }
        Ok((count(entry) > 0).then_some(sum))
    });
    let array = sums.collect::<Result<Decimal128Array>>()?;
    Ok(Arc::new(array.with_data_type(data_type.clone())))
}

/// Means of integers or decimals: the exact sum, rounded once, by the count times 10^scale.
fn exact_means(cells: &[i128], count: impl Fn(usize) -> u64, scale: i8) -> Float64Array {
    let power = 10i128.pow(u32::from(scale.unsigned_abs()).min(38)) as f64;
    let mean = |(entry, &sum): (usize, &i128)| {
        let n = count(entry);
        let (sum, n_float) = (sum as f64, n as f64);
        (n > 0).then(|| if scale < 0 { sum * power / n_float } else { sum / (n_float * power) })
    };
    cells.iter().enumerate().map(mean).collect()
}

/// Least or greatest values in the column's own type.
fn least_array(
    values: impl Iterator<Item = Option<i64>>,
    data_type: &DataType,
) -> Result<ArrayRef> {
    let array: ArrayRef = match data_type {
        DataType::Float32 | DataType::Float64 => {
            Arc::new(values.map(|v| v.map(float_of_order)).collect::<Float64Array>())
        }
        DataType::Date32 => Arc::new(values.map(|v| v.map(|v| v as i32)).collect::<Int32Array>()),
        _ => Arc::new(values.collect::<Int64Array>()),
    };
    Ok(arrow::compute::cast(&array, data_type)?)
}

/// Times in the time column's own type. What the type cannot hold (a window that starts before
/// 0 over unsigned times, or beyond 64 bits) becomes the nearest time that it can.
fn time_array(mut times: Vec<i64>, data_type: &DataType) -> Result<ArrayRef> {
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
    times.iter_mut().for_each(|time| *time = (*time).clamp(low, high));
    let array: ArrayRef = Arc::new(Int64Array::from(times));
    Ok(arrow::compute::cast(&array, data_type)?)
}

fn saturated(time: i128) -> i64 {
    time.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// The rows in their order. Key ids are in the order in which keys were first seen, which is
/// that of positions unless partitions were read in turns.
pub(super) fn sorted(output: WindowRows) -> Result<WindowRows> {
    if output.order.is_sorted() {
        return Ok(output);
    }
    let mut indices: Vec<u32> = (0..output.order.len() as u32).collect();
    indices.sort_by_key(|&i| output.order[i as usize]);
    let order = indices.iter().map(|&i| output.order[i as usize]).collect();
    let rows = arrow::compute::take_record_batch(&output.rows, &UInt32Array::from(indices))?;
    Ok(WindowRows { rows, order })
}
