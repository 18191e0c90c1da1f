//! Single values, where a column at a time will not do: what user-defined aggregates see of a
//! row, what states keep, and what they give back.
//!
//! Values are ordered and equal as keys are: NaN is greatest and equals itself, −0 equals +0,
//! text goes by its bytes. Times, dates and durations are the integers that they are; UInt64 and
//! decimals of 128 bits are 128 bits wide, and all decimals are in units of their last place.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use crate::state::keys::canonical_f64;

/// A float with the order and equality of keys; the value itself is kept as it came.
#[derive(Debug, Clone, Copy)]
pub struct Float(pub f64);

impl PartialEq for Float {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Float {}

impl PartialOrd for Float {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Float {
    fn cmp(&self, other: &Self) -> Ordering {
        float_order(self.0).cmp(&float_order(other.0))
    }
}

impl Hash for Float {
    fn hash<H: Hasher>(&self, state: &mut H) {
        canonical_f64(self.0).to_bits().hash(state);
    }
}

/// A value that a state keeps, or that an aggregate gives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Boolean.
    Bool(bool),
    /// Integers up to 64 bits, dates, times, durations; decimals of 32 and 64 bits in units of
    /// the last place.
    Int(i64),
    /// UInt64; decimals of 128 bits in units of the last place.
    Wide(i128),
    /// Floats.
    Float(Float),
    /// Text.
    Text(Box<str>),
    /// Items of a list.
    List(Vec<Value>),
    /// Fields of a struct.
    Record(Vec<Value>),
}

/// A value of a row, not null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueRef<'a> {
    /// Boolean.
    Bool(bool),
    /// Integers up to 64 bits, dates, times, durations; decimals of 32 and 64 bits in units of
    /// the last place.
    Int(i64),
    /// UInt64; decimals of 128 bits in units of the last place.
    Wide(i128),
    /// Floats.
    Float(Float),
    /// Text.
    Text(&'a str),
}

impl ValueRef<'_> {
    /// The value, to be kept.
    pub fn to_value(self) -> Value {
        match self {
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::Int(value),
            Self::Wide(value) => Value::Wide(value),
            Self::Float(value) => Value::Float(value),
            Self::Text(value) => Value::Text(value.into()),
        }
    }

    /// The value as the nearest float (a decimal without regard to its scale, false as 0 and
    /// true as 1); `None` for text.
    pub fn as_f64(self) -> Option<f64> {
        match self {
            Self::Bool(value) => Some(f64::from(u8::from(value))),
            Self::Int(value) => Some(value as f64),
            Self::Wide(value) => Some(value as f64),
            Self::Float(value) => Some(value.0),
            Self::Text(_) => None,
        }
    }

    /// Whether the value equals one that is kept.
    pub fn is(self, value: &Value) -> bool {
        value.as_ref() == Some(self)
    }
}

impl hashbrown::Equivalent<Value> for ValueRef<'_> {
    fn equivalent(&self, key: &Value) -> bool {
        self.is(key)
    }
}

impl Value {
    /// A float.
    pub fn float(value: f64) -> Self {
        Self::Float(Float(value))
    }

    /// The value without a copy; `None` for lists and records.
    pub fn as_ref(&self) -> Option<ValueRef<'_>> {
        Some(match self {
            Self::Bool(value) => ValueRef::Bool(*value),
            Self::Int(value) => ValueRef::Int(*value),
            Self::Wide(value) => ValueRef::Wide(*value),
            Self::Float(value) => ValueRef::Float(*value),
            Self::Text(value) => ValueRef::Text(value),
            Self::List(_) | Self::Record(_) => return None,
        })
    }

    /// The value that stands for all that are equal to it: +0, and the one NaN.
    #[must_use]
    pub fn canonical(self) -> Self {
        match self {
            Self::Float(Float(value)) => Self::float(canonical_f64(value)),
            other => other,
        }
    }

    /// Bytes that it holds beside itself.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::List(items) | Self::Record(items) => {
                items.capacity() * size_of::<Self>()
                    + items.iter().map(Self::heap_bytes).sum::<usize>()
            }
            _ => 0,
        }
    }
}

/// A float as an integer of the same order: NaN greatest, −0 as +0.
#[inline]
pub(crate) fn float_order(value: f64) -> i64 {
    let bits = canonical_f64(value).to_bits() as i64;
    bits ^ ((bits >> 63) & i64::MAX)
}

/// Undoes [`float_order`].
pub(crate) fn float_of_order(order: i64) -> f64 {
    f64::from_bits((order ^ ((order >> 63) & i64::MAX)) as u64)
}
