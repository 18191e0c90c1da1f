//! The columns of the rows that a mask keeps, by the kernel
//! [`batch_filter`](pelton_kernels::batch_filter).
//!
//! Where few rows are kept, going to each by its number is faster than passing over all rows;
//! the numbers are then computed once for all columns. Both ways give the same columns. Columns
//! of text, dictionaries and nested types go through Arrow's own filter.

use std::cell::OnceCell;
use std::sync::Arc;

use arrow::array::types::*;
use arrow::array::{Array, RecordBatch, RecordBatchOptions};
use arrow::array::{ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow::compute::{FilterBuilder, FilterPredicate};
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use pelton_kernels::batch_filter::{Value, batch_filter, filter_bits};
use pelton_kernels::columns::words;
use pelton_kernels::simd::{self, Level};

#[cfg(feature = "gpu")]
use super::on_gpu::Columns;
use crate::batch::KeptRows;
use crate::error::Result;

/// Below one row in so many, rows are taken by their numbers.
const FEW: usize = 32;

/// A value that is moved: by a GPU, too, where there may be one.
#[cfg(feature = "gpu")]
pub(super) trait Moved: Value + bytemuck::Pod {}
#[cfg(feature = "gpu")]
impl<T: Value + bytemuck::Pod> Moved for T {}

/// A value that is moved.
#[cfg(not(feature = "gpu"))]
pub(super) trait Moved: Value {}
#[cfg(not(feature = "gpu"))]
impl<T: Value> Moved for T {}

/// The rows that a mask keeps.
pub(super) struct Kept {
    level: Level,
    mask: Vec<u64>,
    /// Rows in all.
    rows: usize,
    /// Rows that are kept.
    len: usize,
    /// Their numbers, where they were asked for.
    kept: OnceCell<Arc<KeptRows>>,
    /// For the types that the kernel does not know.
    predicate: OnceCell<FilterPredicate>,
    /// What a GPU has filtered.
    #[cfg(feature = "gpu")]
    elsewhere: Option<Columns>,
}

/// Calls `$call!(ArrowType)` for a type of numbers that the kernel moves.
macro_rules! for_moved_type {
    ($data_type:expr, $call:ident, $other:expr) => {
        match $data_type {
            DataType::Int8 => $call!(Int8Type),
            DataType::Int16 => $call!(Int16Type),
            DataType::Int32 => $call!(Int32Type),
            DataType::Int64 => $call!(Int64Type),
            DataType::UInt8 => $call!(UInt8Type),
            DataType::UInt16 => $call!(UInt16Type),
            DataType::UInt32 => $call!(UInt32Type),
            DataType::UInt64 => $call!(UInt64Type),
            DataType::Float32 => $call!(Float32Type),
            DataType::Float64 => $call!(Float64Type),
            DataType::Date32 => $call!(Date32Type),
            DataType::Date64 => $call!(Date64Type),
            DataType::Timestamp(TimeUnit::Second, _) => $call!(TimestampSecondType),
            DataType::Timestamp(TimeUnit::Millisecond, _) => $call!(TimestampMillisecondType),
            DataType::Timestamp(TimeUnit::Microsecond, _) => $call!(TimestampMicrosecondType),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => $call!(TimestampNanosecondType),
            DataType::Time32(TimeUnit::Second) => $call!(Time32SecondType),
            DataType::Time32(_) => $call!(Time32MillisecondType),
            DataType::Time64(TimeUnit::Microsecond) => $call!(Time64MicrosecondType),
            DataType::Time64(_) => $call!(Time64NanosecondType),
            DataType::Duration(TimeUnit::Second) => $call!(DurationSecondType),
            DataType::Duration(TimeUnit::Millisecond) => $call!(DurationMillisecondType),
            DataType::Duration(TimeUnit::Microsecond) => $call!(DurationMicrosecondType),
            DataType::Duration(TimeUnit::Nanosecond) => $call!(DurationNanosecondType),
            DataType::Interval(IntervalUnit::YearMonth) => $call!(IntervalYearMonthType),
            DataType::Decimal32(..) => $call!(Decimal32Type),
            DataType::Decimal64(..) => $call!(Decimal64Type),
            DataType::Decimal128(..) => $call!(Decimal128Type),
            _ => $other,
        }
    };
}

#[cfg(feature = "gpu")]
pub(super) use for_moved_type;

/// Whether the kernel moves values of this type.
#[cfg(feature = "gpu")]
pub(super) fn is_moved(data_type: &DataType) -> bool {
    macro_rules! yes {
        ($type:ty) => {
            true
        };
    }
    for_moved_type!(data_type, yes, false)
}

impl Kept {
    /// The rows of a mask without nulls.
    pub(super) fn new(keep: &BooleanBuffer) -> Self {
        let mask: Vec<u64> = keep.bit_chunks().iter_padded().take(words(keep.len())).collect();
        Self {
            level: simd::level(),
            len: pelton_kernels::batch_filter::kept(&mask),
            rows: keep.len(),
            mask,
            kept: OnceCell::new(),
            predicate: OnceCell::new(),
            #[cfg(feature = "gpu")]
            elsewhere: None,
        }
    }

    /// A bit for each row.
    #[cfg(feature = "gpu")]
    pub(super) fn mask(&self) -> &[u64] {
        &self.mask
    }

    /// A GPU has filtered some columns.
    #[cfg(feature = "gpu")]
    pub(super) fn filtered_elsewhere(&mut self, columns: Columns) {
        self.elsewhere = Some(columns);
    }

    /// The kept rows, for whoever asks for their numbers later.
    pub(super) fn rows(&self) -> Arc<KeptRows> {
        self.kept.get_or_init(|| Arc::new(KeptRows::new(self.mask.clone()))).clone()
    }

    /// A value for each row to one for each kept row.
    pub(super) fn values<T: Moved>(&self, values: &[T]) -> Vec<T> {
        #[cfg(feature = "gpu")]
        if let Some(kept) = self.elsewhere.as_ref().and_then(|columns| columns.values(values)) {
            return kept;
        }
        if self.len * FEW < self.rows {
            return self.rows().numbers().iter().map(|row| values[*row as usize]).collect();
        }
        let mut out = Vec::new();
        batch_filter(self.level, &self.mask, values, &mut out);
        out
    }

    /// A bit for each row to one for each kept row.
    pub(super) fn bits(&self, bits: &BooleanBuffer) -> BooleanBuffer {
        let bits: Vec<u64> = bits.bit_chunks().iter_padded().take(self.mask.len()).collect();
        let (mut out, mut len) = (Vec::new(), 0);
        filter_bits(self.level, &self.mask, &bits, &mut out, &mut len);
        BooleanBuffer::new(Buffer::from_vec(out), 0, len)
    }

    fn nulls(&self, nulls: Option<&NullBuffer>) -> Option<NullBuffer> {
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0)?;
        Some(NullBuffer::new(self.bits(nulls.inner()))).filter(|kept| kept.null_count() > 0)
    }

    /// The batch of the kept rows.
    pub(super) fn batch(&self, batch: &RecordBatch, keep: &BooleanArray) -> Result<RecordBatch> {
        let columns = batch.columns().iter().map(|column| self.column(column, keep));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.len));
        Ok(RecordBatch::try_new_with_options(batch.schema(), columns, &options)?)
    }

    fn column(&self, column: &ArrayRef, keep: &BooleanArray) -> Result<ArrayRef> {
        macro_rules! primitive {
            ($type:ty) => {
                Ok(self.primitive::<$type>(column))
            };
        }
        for_moved_type!(column.data_type(), primitive, {
            if let Some(column) = column.as_boolean_opt() {
                let (values, nulls) = (self.bits(column.values()), self.nulls(column.nulls()));
                return Ok(Arc::new(BooleanArray::new(values, nulls)));
            }
            let optimized = || FilterBuilder::new(keep).optimize().build();
            Ok(self.predicate.get_or_init(optimized).filter(column)?)
        })
    }

    fn primitive<T: ArrowPrimitiveType<Native: Moved>>(&self, column: &ArrayRef) -> ArrayRef {
        let column = column.as_primitive::<T>();
        let values = ScalarBuffer::from(self.values(column.values()));
        let kept = PrimitiveArray::<T>::new(values, self.nulls(column.nulls()));
        Arc::new(kept.with_data_type(column.data_type().clone()))
    }
}
