//! What the text decoders share: a text cut into segments that start where a record starts,
//! columns that parse the fields of many records at once, and batches with their rejects.
//!
//! ```text
//! blocks ──▶ Segments ──▶ records found (csv, ndjson) ──▶ Column::append, column by column
//!             carry joined                                        │ fast kernel; exceptions one by one
//!                                                  Rows::finish ◀─┘ batch, origin, dead letters
//! ```
//!
//! A decoder finds records and says where each field lies; it never copies one. The columns
//! then run down their fields with a kernel of `pelton_kernels::text_parse`; fields that the
//! kernel leaves out (empty, quoted, long, wrong) are read one by one, which is also the
//! meaning of the format: see [`Dialect`].

mod column;
mod dictionary;
mod rows;
mod schema;
mod segments;

pub(super) use column::ColumnPlan;
pub(super) use rows::Rows;
pub(super) use schema::{Wanted, resolve};
pub(super) use segments::Segments;

/// Longest field that may be asked for in [`super::DecodeOptions::field_bytes_max`]: positions
/// in a segment have 32 bits.
const FIELD_BYTES_MOST: usize = 64 << 20;

/// Bounds of what is taken for a field or record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Longest field; a longer one rejects its row.
    pub field_bytes_max: usize,
    /// Longest record; input that goes on without the end of a record for longer is rejected
    /// up to its next line end, so that memory stays bounded.
    pub record_bytes_max: usize,
}

impl Limits {
    /// Records may be sixteen times as long as fields (16 MiB by default), at least 64 KiB.
    pub fn new(field_bytes_max: usize) -> Self {
        let field_bytes_max = field_bytes_max.clamp(1, FIELD_BYTES_MOST);
        Self { field_bytes_max, record_bytes_max: (field_bytes_max * 16).max(64 << 10) }
    }
}

/// A field as its format reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field<'a> {
    /// No value.
    Null,
    /// A value; quotes and escapes are undone.
    Text(&'a [u8]),
    /// An object or array: its text. Only a text column takes it.
    Nested(&'a [u8]),
    /// Text that cannot be read; says why.
    Wrong(&'static str),
}

/// How a format writes values.
pub(super) trait Dialect {
    /// Reads the bytes of a field; `scratch` holds the result where escapes must be undone.
    fn read<'a>(&self, raw: &'a [u8], scratch: &'a mut Vec<u8>) -> Field<'a>;

    /// Whether a kernel may take a plain number for its value. Not where a number is the text
    /// that means null.
    fn numbers_are_plain(&self) -> bool {
        true
    }

    /// Whether ASCII text can still be [`Field::Wrong`].
    fn texts_can_be_wrong(&self) -> bool {
        false
    }
}
