//! From a key to the row of a table that has it. Nothing is added after it was made, so all
//! shards read one.
//!
//! Each key column turns values into codes of its own, in the order of the table's rows; pairs of
//! codes become codes again, from the left. Keys are unique, so the last code *is* the row.

use std::sync::{Arc, PoisonError, RwLock};

use arrow::array::types::*;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, TimeUnit};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::error::{Error, Result};
use crate::operator::Rows;
use crate::state::keys::canonical_f64;

/// No row.
pub(crate) const NONE: u32 = u32::MAX;

/// An array of codes may be so many times longer than there are keys, or so long in any case
/// (1 MiB: within a core's L2).
const SPARSE_MAX: u64 = 8;
const DENSE_ALWAYS: u64 = 1 << 18;

/// Why a table cannot be looked up in.
#[derive(Debug)]
pub(super) enum Problem {
    Type(Error),
    /// Two rows have one key.
    Twice(usize, usize),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Type(error)
    }
}

/// Keys of one or more columns to rows.
#[derive(Debug)]
pub(super) struct Index {
    columns: Vec<Codes>,
    pairs: Vec<HashMap<u64, u32, FixedState>>,
}

/// Values of one column to codes.
#[derive(Debug)]
enum Codes {
    /// `codes[value − low]`; the last stands for all values that are too large.
    Dense {
        low: u64,
        codes: Vec<u32>,
    },
    Hashed(HashMap<u64, u32, FixedState>),
    Text {
        codes: HashMap<Box<str>, u32, FixedState>,
        translated: Translated,
    },
}

/// The dictionary that was translated last, and the codes of its values.
#[derive(Debug, Default)]
struct Translated(RwLock<Option<(ArrayRef, Arc<[u32]>)>>);

impl Index {
    /// An index of the rows of these columns, which have no nulls.
    pub(super) fn new(columns: &[ArrayRef]) -> Result<Self, Problem> {
        let rows = columns.first().map_or(0, |column| column.len());
        if rows >= NONE as usize {
            return Err(Error::run("a table of 2^32 rows or more cannot be looked up in").into());
        }
        let mut codes_of_all: Option<Vec<u32>> = None;
        let mut index = Self { columns: Vec::new(), pairs: Vec::new() };
        for column in columns {
            let (codes, own) = Codes::new(column)?;
            index.columns.push(codes);
            codes_of_all = Some(match codes_of_all {
                None => own,
                Some(left) => {
                    let mut pairs = HashMap::with_hasher(FixedState::default());
                    let both = left.iter().zip(&own).map(|(&left, &own)| pair(left, own));
                    let joined = numbered(both, &mut pairs);
                    index.pairs.push(pairs);
                    joined
                }
            });
        }
        // Codes count up where all keys differ: the first that does not is a key seen before.
        let codes = codes_of_all.unwrap_or_default();
        match codes.iter().enumerate().find(|(row, code)| **code as usize != *row) {
            Some((row, &code)) => Err(Problem::Twice(code as usize, row)),
            None => Ok(index),
        }
    }

    /// The row of each key, of these rows of the columns; [`NONE`] where there is none, or the
    /// key is null.
    pub(super) fn find(&self, columns: &[ArrayRef], rows: Rows<'_>) -> Result<Vec<u32>> {
        let mut found = Vec::new();
        for (i, (codes, column)) in self.columns.iter().zip(columns).enumerate() {
            let own = codes.find(column, rows)?;
            if i == 0 {
                found = own;
                continue;
            }
            let pairs = &self.pairs[i - 1];
            for (left, right) in found.iter_mut().zip(own) {
                *left = match (*left, right) {
                    (NONE, _) | (_, NONE) => NONE,
                    (left, right) => pairs.get(&pair(left, right)).copied().unwrap_or(NONE),
                };
            }
        }
        Ok(found)
    }

    /// Rows by code from the first code on, the last for all others, where the key is one column of
    /// integers that stand close together.
    pub(super) fn dense(&self) -> Option<(u64, &[u32])> {
        match self.columns.as_slice() {
            [Codes::Dense { low, codes }] => Some((*low, codes)),
            _ => None,
        }
    }

    /// How a row is found, in words.
    pub(super) fn describe(&self) -> String {
        match self.columns.as_slice() {
            [Codes::Dense { codes, .. }] => format!("an array of {} keys", codes.len() - 1),
            [Codes::Hashed(_)] => "a hash a row".into(),
            [_] => "a hash a row (a dictionary: a hash a value)".into(),
            several => format!("{} lookups a row", 2 * several.len() - 1),
        }
    }
}

fn pair(left: u32, right: u32) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

/// Numbers the values in the order in which they first come; equal ones have one number.
fn numbered(
    values: impl Iterator<Item = u64>,
    codes: &mut HashMap<u64, u32, FixedState>,
) -> Vec<u32> {
    let number = |value| {
        let next = codes.len() as u32;
        *codes.entry(value).or_insert(next)
    };
    values.map(number).collect()
}

impl Codes {
    /// Codes of the column's values, which are not null, and those of its rows.
    fn new(column: &ArrayRef) -> Result<(Self, Vec<u32>)> {
        let value_type = match column.data_type() {
            DataType::Dictionary(_, value) => value,
            other => other,
        };
        if is_text(value_type) {
            let column = cast(column, &DataType::LargeUtf8)?;
            let mut codes: HashMap<Box<str>, u32, FixedState> = HashMap::default();
            let own = column.as_string::<i64>().iter().map(|text| {
                let next = codes.len() as u32;
                *codes.entry(text.unwrap_or_default().into()).or_insert(next)
            });
            let own = own.collect();
            return Ok((Self::Text { codes, translated: Translated::default() }, own));
        }
        let mut values = Vec::with_capacity(column.len());
        each_bits(column, Rows::All(column.len()), |value| {
            values.push(value);
            0
        })?;
        let mut hashed = HashMap::with_hasher(FixedState::default());
        let own = numbered(values.iter().copied(), &mut hashed);
        // Signed order: integers are mostly small, and some below zero.
        let low = values.iter().map(|&value| value as i64).min().unwrap_or(0) as u64;
        let reach = values.iter().map(|&value| value.wrapping_sub(low)).max().unwrap_or(0);
        if reach >= DENSE_ALWAYS.max(SPARSE_MAX.saturating_mul(values.len() as u64)) {
            return Ok((Self::Hashed(hashed), own));
        }
        let mut codes = vec![NONE; reach as usize + 2];
        for (&value, &code) in values.iter().zip(&own) {
            codes[value.wrapping_sub(low) as usize] = code;
        }
        Ok((Self::Dense { low, codes }, own))
    }

    fn find(&self, column: &ArrayRef, rows: Rows<'_>) -> Result<Vec<u32>> {
        match self {
            Self::Dense { low, codes } => {
                let last = codes.len() - 1;
                let at = |value: u64| {
                    let at = usize::try_from(value.wrapping_sub(*low)).unwrap_or(last);
                    codes[at.min(last)]
                };
                each_bits(column, rows, at)
            }
            Self::Hashed(codes) => {
                each_bits(column, rows, |value| codes.get(&value).copied().unwrap_or(NONE))
            }
            Self::Text { codes, translated } => {
                let find = |text: &str| codes.get(text).copied().unwrap_or(NONE);
                let column = &picked(column, rows)?;
                match column.data_type() {
                    DataType::Dictionary(..) => {
                        let dictionary = column.as_any_dictionary();
                        let known = translated.of(dictionary.values(), find)?;
                        coded(column, &known)
                    }
                    _ => texts(column, find),
                }
            }
        }
    }
}

impl Translated {
    /// The code of each value of a dictionary.
    fn of(&self, values: &ArrayRef, find: impl Fn(&str) -> u32) -> Result<Arc<[u32]>> {
        {
            let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, codes)) = known.as_ref().filter(|(v, _)| Arc::ptr_eq(v, values)) {
                return Ok(codes.clone());
            }
        }
        let codes: Arc<[u32]> = texts(values, find)?.into();
        let known = Some((values.clone(), codes.clone()));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(codes)
    }
}

/// `find` of each text; [`NONE`] of nulls.
fn texts(column: &ArrayRef, find: impl Fn(&str) -> u32) -> Result<Vec<u32>> {
    let find = |text: Option<&str>| text.map_or(NONE, &find);
    Ok(match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().iter().map(find).collect(),
        DataType::LargeUtf8 => column.as_string::<i64>().iter().map(find).collect(),
        DataType::Utf8View => column.as_string_view().iter().map(find).collect(),
        _ => {
            let column = cast(column, &DataType::LargeUtf8)?;
            column.as_string::<i64>().iter().map(find).collect()
        }
    })
}

/// The codes of a dictionary column's rows, by those of its values.
fn coded(column: &ArrayRef, codes: &[u32]) -> Result<Vec<u32>> {
    // Keys of null rows may hold anything.
    let of = |key: usize| codes.get(key).copied().unwrap_or(NONE);
    let mut found: Vec<u32> = match column.as_any_dictionary_opt() {
        None => return Err(Error::run("a dictionary column holds no dictionary")),
        Some(dictionary) => match dictionary.keys().data_type() {
            DataType::Int32 => {
                let keys = dictionary.keys().as_primitive::<Int32Type>().values();
                keys.iter().map(|&key| of(key as usize)).collect()
            }
            DataType::UInt32 => {
                let keys = dictionary.keys().as_primitive::<UInt32Type>().values();
                keys.iter().map(|&key| of(key as usize)).collect()
            }
            _ => {
                let keys = cast(&dictionary.keys().slice(0, column.len()), &DataType::Int64)?;
                let keys = keys.as_primitive::<Int64Type>().values();
                keys.iter().map(|&key| of(key as usize)).collect()
            }
        },
    };
    without(&mut found, column.nulls());
    Ok(found)
}

fn without(found: &mut [u32], nulls: Option<&NullBuffer>) {
    if let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) {
        for (row, found) in found.iter_mut().enumerate() {
            if nulls.is_null(row) {
                *found = NONE;
            }
        }
    }
}

/// `find` of each value as 64 bits (signed ones extended, floats by their canonical bits);
/// [`NONE`] of nulls.
fn each_bits(
    column: &ArrayRef,
    rows: Rows<'_>,
    mut find: impl FnMut(u64) -> u32,
) -> Result<Vec<u32>> {
    if let DataType::Dictionary(_, value) = column.data_type() {
        return each_bits(&cast(column, value)?, rows, find);
    }
    macro_rules! bits {
        ($type:ty, $to:expr) => {
            native_bits::<$type>(column, rows, $to, find)
        };
    }
    Ok(match column.data_type() {
        DataType::Int8 => bits!(Int8Type, |v| v as i64 as u64),
        DataType::Int16 => bits!(Int16Type, |v| v as i64 as u64),
        DataType::Int32 => bits!(Int32Type, |v| v as i64 as u64),
        DataType::Int64 => bits!(Int64Type, |v| v as u64),
        DataType::UInt8 => bits!(UInt8Type, u64::from),
        DataType::UInt16 => bits!(UInt16Type, u64::from),
        DataType::UInt32 => bits!(UInt32Type, u64::from),
        DataType::UInt64 => bits!(UInt64Type, |v| v),
        DataType::Date32 => bits!(Date32Type, |v| v as i64 as u64),
        DataType::Timestamp(TimeUnit::Second, _) => bits!(TimestampSecondType, |v| v as u64),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            bits!(TimestampMillisecondType, |v| v as u64)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            bits!(TimestampMicrosecondType, |v| v as u64)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            bits!(TimestampNanosecondType, |v| v as u64)
        }
        DataType::Float64 => bits!(Float64Type, |v| canonical_f64(v).to_bits()),
        DataType::Float32 => {
            let wide = cast(column, &DataType::Float64)?;
            native_bits::<Float64Type>(&wide, rows, |v| canonical_f64(v).to_bits(), &mut find)
        }
        DataType::Boolean | DataType::Date64 | DataType::Time32(_) | DataType::Time64(_) => {
            return each_bits(&cast(column, &DataType::Int64)?, rows, find);
        }
        other => {
            return Err(Error::usage(format!("a column of type {other} cannot be looked up by"))
                .advise("look up by integers, text, booleans, floats, dates or timestamps"));
        }
    })
}

fn native_bits<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    rows: Rows<'_>,
    to: impl Fn(T::Native) -> u64,
    mut find: impl FnMut(u64) -> u32,
) -> Vec<u32> {
    let column = column.as_primitive::<T>();
    let values = column.values();
    let mut found: Vec<u32> = match rows {
        Rows::All(len) => values[..len].iter().map(|&value| find(to(value))).collect(),
        Rows::Some(rows) => rows.iter().map(|&row| find(to(values[row as usize]))).collect(),
    };
    if let Some(nulls) = column.nulls().filter(|nulls| nulls.null_count() > 0) {
        for (i, found) in found.iter_mut().enumerate() {
            if nulls.is_null(rows.get(i)) {
                *found = NONE;
            }
        }
    }
    found
}

/// These rows of a column.
fn picked(column: &ArrayRef, rows: Rows<'_>) -> Result<ArrayRef> {
    Ok(match rows {
        Rows::All(_) => column.clone(),
        Rows::Some(rows) => take(column, &UInt32Array::from(rows.to_vec()), None)?,
    })
}

pub(super) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Whether keys of two (plain) types can be compared.
pub(super) fn alike(rows: &DataType, table: &DataType) -> bool {
    rows == table
        || (is_text(rows) && is_text(table))
        || (rows.is_integer() && table.is_integer())
        || (rows.is_floating() && table.is_floating())
}

/// What rows' keys must be converted to first: bits of 64 unsigned ones and of signed ones mean
/// different values.
pub(super) fn conversion(rows: &DataType, table: &DataType) -> Option<DataType> {
    let wide = |data_type: &DataType| data_type == &DataType::UInt64;
    let differ = rows.is_integer() && table.is_integer() && wide(rows) != wide(table);
    differ.then(|| if wide(table) { DataType::UInt64 } else { DataType::Int64 })
}
