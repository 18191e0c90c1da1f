//! What the bytes of a CSV field mean, and where the fields of a column lie.

use pelton_kernels::text_parse::Spans;

use super::record::trim_cr;
use crate::decode::text::{Dialect, Field};

/// Quotes and nulls of CSV.
#[derive(Debug, Clone, Default)]
pub(super) struct CsvDialect {
    null: Option<Vec<u8>>,
    null_is_number: bool,
}

impl CsvDialect {
    /// `null` is the text that means null besides the empty field; quoted it is a text.
    pub fn new(null: Option<&str>) -> Self {
        // Whatever a number can start with (`-999`, `NaN`): then a kernel could take it for one.
        let null_is_number = null.is_some_and(|null| null.parse::<f64>().is_ok());
        Self { null: null.map(|null| null.as_bytes().to_vec()), null_is_number }
    }
}

impl Dialect for CsvDialect {
    #[inline]
    fn read<'a>(&self, raw: &'a [u8], scratch: &'a mut Vec<u8>) -> Field<'a> {
        match raw {
            [] => Field::Null,
            [b'"', inner @ .., b'"'] => Field::Text(unescape(inner, scratch)),
            _ if self.null.as_deref() == Some(raw) => Field::Null,
            _ => Field::Text(raw),
        }
    }

    fn numbers_are_plain(&self) -> bool {
        !self.null_is_number
    }
}

/// Undoes `""`.
fn unescape<'a>(inner: &'a [u8], scratch: &'a mut Vec<u8>) -> &'a [u8] {
    if memchr::memchr(b'"', inner).is_none() {
        return inner;
    }
    scratch.clear();
    let mut quote = false;
    for byte in inner {
        quote = *byte == b'"' && !quote;
        if !quote {
            scratch.push(*byte);
        }
    }
    scratch
}

/// The fields of a record's last column: a carriage return before the line end is no part of
/// them.
pub(super) struct LastColumn<'a, S> {
    pub text: &'a [u8],
    pub spans: S,
}

impl<S: Spans> Spans for LastColumn<'_, S> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.spans.len()
    }

    #[inline(always)]
    fn span(&self, i: usize) -> (usize, usize) {
        let (start, end) = self.spans.span(i);
        (start, trim_cr(self.text, start, end))
    }
}
