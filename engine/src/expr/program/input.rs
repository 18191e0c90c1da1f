//! Columns as a program reads them.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{
    DataType, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt32Type, UInt64Type,
};
use arrow::util::bit_chunk_iterator::BitChunks;
use pelton_kernels::columns::decimals_to_f64;

use super::{Kind, Words};
use crate::expr::bind::Node;
use crate::expr::cast::power_of_ten;

/// What a program reads.
#[derive(Debug)]
pub(super) struct Input {
    origin: Origin,
    load: Load,
}

#[derive(Debug)]
enum Origin {
    /// The batch's column of this index, of this type.
    Column(usize, DataType),
    /// What no instruction computes.
    Evaluated(Node),
}

/// How values get into a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    Floats,
    Ints,
    Int32,
    UInt32,
    UInt64,
    Bools,
    Float32AsFloat,
    UInt64AsFloat,
    DecimalAsFloat,
}

/// An unsigned integer less 2^63.
#[inline]
pub(super) fn biased(value: u64) -> i64 {
    (value ^ 1 << 63) as i64
}

/// Times as integers of their unit.
pub(super) fn timestamps(array: &dyn Array) -> Option<&[i64]> {
    let DataType::Timestamp(unit, _) = array.data_type() else { return None };
    Some(match unit {
        TimeUnit::Second => array.as_primitive::<TimestampSecondType>().values(),
        TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().values(),
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().values(),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().values(),
    })
}

impl Load {
    /// The way of a type, where there is one.
    pub(super) fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Float64 => Self::Floats,
            DataType::Int64 | DataType::Timestamp(..) => Self::Ints,
            DataType::Int32 => Self::Int32,
            DataType::UInt32 => Self::UInt32,
            DataType::UInt64 => Self::UInt64,
            DataType::Boolean => Self::Bools,
            _ => return None,
        })
    }

    /// The way of types that become floats when they are read.
    pub(super) fn as_float(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Float32 => Self::Float32AsFloat,
            DataType::UInt64 => Self::UInt64AsFloat,
            DataType::Decimal128(..) => Self::DecimalAsFloat,
            _ => return None,
        })
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Floats | Self::Float32AsFloat | Self::UInt64AsFloat | Self::DecimalAsFloat => {
                Kind::Floats
            }
            Self::Ints | Self::Int32 | Self::UInt32 => Kind::Ints,
            Self::UInt64 => Kind::UInts,
            Self::Bools => Kind::Bools,
        }
    }

    /// Whether the values are read where they lie.
    pub(super) fn is_in_place(self) -> bool {
        matches!(self, Self::Floats | Self::Ints)
    }
}

impl Input {
    pub(super) fn column_of(index: usize, data_type: DataType, load: Load) -> Self {
        Self { origin: Origin::Column(index, data_type), load }
    }

    pub(super) fn evaluated(node: Node, load: Load) -> Self {
        Self { origin: Origin::Evaluated(node), load }
    }

    pub(super) fn is_column(&self, index: usize, load: Load) -> bool {
        self.load == load && matches!(self.origin, Origin::Column(known, _) if known == index)
    }

    pub(super) fn is_in_place(&self) -> bool {
        self.load.is_in_place()
    }

    /// What must be computed before the program starts; `None`: it cannot be.
    pub(super) fn evaluate(&self, batch: &RecordBatch) -> Option<Option<ArrayRef>> {
        match &self.origin {
            Origin::Column(..) => Some(None),
            Origin::Evaluated(node) => node.column_of(batch).ok().map(Some),
        }
    }

    /// The values; `None`: the batch has another column at this place.
    pub(super) fn column<'a>(
        &self,
        batch: &'a RecordBatch,
        evaluated: Option<&'a ArrayRef>,
    ) -> Option<Column<'a>> {
        let array = match &self.origin {
            Origin::Column(index, data_type) => {
                batch.columns().get(*index).filter(|array| array.data_type() == data_type)?
            }
            Origin::Evaluated(_) => evaluated?,
        };
        let values = match (self.load, array.data_type()) {
            (Load::Floats, _) => Values::Floats(array.as_primitive::<Float64Type>().values()),
            (Load::Ints, DataType::Timestamp(..)) => Values::Ints(timestamps(array.as_ref())?),
            (Load::Ints, _) => Values::Ints(array.as_primitive::<Int64Type>().values()),
            (Load::Int32, _) => Values::Int32(array.as_primitive::<Int32Type>().values()),
            (Load::UInt32, _) => Values::UInt32(array.as_primitive::<UInt32Type>().values()),
            (Load::UInt64 | Load::UInt64AsFloat, _) => {
                Values::UInt64(array.as_primitive::<UInt64Type>().values())
            }
            (Load::Bools, _) => Values::Bools(array.as_boolean().values()),
            (Load::Float32AsFloat, _) => {
                Values::Float32(array.as_primitive::<Float32Type>().values())
            }
            (Load::DecimalAsFloat, _) => {
                let decimals = array.as_primitive::<Decimal128Type>();
                Values::Decimals(decimals.values(), power_of_ten(decimals.scale()))
            }
        };
        Some(Column { values, nulls: array.nulls() })
    }
}

/// A column for the length of a batch.
pub(super) struct Column<'a> {
    pub(super) values: Values<'a>,
    nulls: Option<&'a NullBuffer>,
}

pub(super) enum Values<'a> {
    Floats(&'a [f64]),
    Ints(&'a [i64]),
    Int32(&'a [i32]),
    UInt32(&'a [u32]),
    UInt64(&'a [u64]),
    Float32(&'a [f32]),
    /// Unscaled, and what they are divided by.
    Decimals(&'a [i128], f64),
    Bools(&'a BooleanBuffer),
}

impl Column<'_> {
    /// Which of the rows have a value; no bit behind the last row is set.
    pub(super) fn valid(&self, start: usize, len: usize, out: &mut Words) {
        match self.nulls {
            Some(nulls) => copy_bits(nulls.inner(), start, len, out),
            None => *out = super::registers::first(len),
        }
    }

    pub(super) fn bools(&self, start: usize, len: usize, out: &mut Words) {
        if let Values::Bools(bools) = self.values {
            copy_bits(bools, start, len, out);
        }
    }

    /// Converts into a register of floats.
    pub(super) fn floats(&self, start: usize, out: &mut [f64]) {
        let rows = start..start + out.len();
        match &self.values {
            Values::Float32(values) => fill(&values[rows], out, f64::from),
            Values::UInt64(values) => fill(&values[rows], out, |value| value as f64),
            Values::Decimals(values, divisor) => {
                decimals_to_f64(&values[rows], *divisor, out);
            }
            _ => {}
        }
    }

    /// Converts into a register of integers.
    pub(super) fn ints(&self, start: usize, out: &mut [i64]) {
        let rows = start..start + out.len();
        match &self.values {
            Values::Int32(values) => fill(&values[rows], out, i64::from),
            Values::UInt32(values) => fill(&values[rows], out, i64::from),
            Values::UInt64(values) => fill(&values[rows], out, biased),
            _ => {}
        }
    }
}

fn fill<T: Copy, U>(values: &[T], out: &mut [U], convert: impl Fn(T) -> U) {
    for (out, value) in out.iter_mut().zip(values) {
        *out = convert(*value);
    }
}

fn copy_bits(bits: &BooleanBuffer, start: usize, len: usize, out: &mut Words) {
    *out = [0; super::WORDS];
    let chunks = BitChunks::new(bits.values(), bits.offset() + start, len);
    for (out, word) in out.iter_mut().zip(chunks.iter_padded()) {
        *out = word;
    }
}
