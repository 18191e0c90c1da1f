//! Values to dense codes, for counting distinct ones: the same tables as for keys, but null is
//! not a value.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use super::keys::{ColumnKeys, NO_ID, Nulls};
use crate::error::Result;
use crate::operator::Rows;

/// One column's values to dense `u32` codes, in the order of first appearance.
///
/// Equality is that of keys ([`super::keys`]); null has the reserved code
/// [`ValueCodes::NULL`].
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{ArrayRef, StringArray};
/// use arrow::datatypes::DataType;
/// use pelton::operator::Rows;
/// use pelton::state::codes::ValueCodes;
///
/// let mut codes = ValueCodes::new(&DataType::Utf8)?;
/// let countries: ArrayRef = Arc::new(StringArray::from(vec![Some("DE"), None, Some("DE")]));
/// let mut out = Vec::new();
/// codes.codes(&countries, Rows::All(3), &mut out)?;
/// assert_eq!(out, [0, ValueCodes::NULL, 0]);
/// # Ok::<(), pelton::Error>(())
/// ```
#[derive(Debug)]
pub struct ValueCodes {
    values: ColumnKeys,
}

impl ValueCodes {
    /// The code of null.
    pub const NULL: u32 = NO_ID;

    /// No value known yet.
    ///
    /// # Errors
    /// When values of the type cannot be told apart (lists, structs, binary).
    pub fn new(data_type: &DataType) -> Result<Self> {
        Ok(Self { values: ColumnKeys::new(data_type, Nulls::AreReserved)? })
    }

    /// Writes the code of each row's value to `out` (cleared first), in the order of the rows.
    ///
    /// # Errors
    /// When the column's type is not the one declared, or 2³² − 2 values are known.
    pub fn codes(&mut self, column: &ArrayRef, rows: Rows<'_>, out: &mut Vec<u32>) -> Result<()> {
        self.values.ids(column, rows, out)
    }

    /// The values of `codes` as a column (a dictionary's as its plain values).
    ///
    /// # Errors
    /// When text exceeds what an array can hold (2 GiB).
    ///
    /// # Panics
    /// When a code was never given out.
    pub fn values(&self, codes: &[u32]) -> Result<ArrayRef> {
        self.values.values(codes)
    }

    /// Number of different values known.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether no value is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes allocated.
    pub fn bytes(&self) -> u64 {
        self.values.bytes()
    }
}
