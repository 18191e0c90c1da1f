//! What the state held after each row of a batch, a column each: the row loop writes nothing
//! else, and means, deviations and speeds are made of it a column at a time ([`super::derive`]).

use super::layout::Layout;
use crate::state::lines::LINE_WORDS;

/// The columns of [`Layout::columns`], one after the other.
#[derive(Debug, Default)]
pub(super) struct Raw {
    words: Vec<u64>,
    rows: usize,
    /// From a column to the next.
    stride: usize,
    /// Whether a null has ever come: until then counts of nulls are not written.
    pub has_nulls: bool,
}

impl Raw {
    /// Makes room for a batch; what is in it is anything.
    pub(super) fn resize(&mut self, layout: &Layout, rows: usize) {
        self.rows = rows;
        self.stride = stride(rows);
        let words = layout.columns * self.stride;
        if words > self.words.len() {
            self.words.resize(words, 0);
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    #[inline]
    pub(super) fn column(&self, column: usize) -> &[u64] {
        let at = column * self.stride;
        &self.words[at..at + self.rows]
    }

    /// A row, to be written.
    #[inline]
    pub(super) fn row(&mut self, row: usize) -> RawRow<'_> {
        // Nothing, where a plan asks for no column.
        RawRow { words: self.words.get_mut(row..).unwrap_or_default(), stride: self.stride }
    }
}

/// From a column of so many rows to the next: an odd number of cache lines. A row is written to a
/// line of each column; were these a power of two apart, as rows often are, all would fall into
/// the few places that a cache has for one of them.
fn stride(rows: usize) -> usize {
    (rows.div_ceil(LINE_WORDS) | 1) * LINE_WORDS
}

/// One row of [`Raw`].
pub(super) struct RawRow<'a> {
    words: &'a mut [u64],
    stride: usize,
}

impl RawRow<'_> {
    #[inline(always)]
    pub(super) fn set(&mut self, column: usize, value: u64) {
        self.words[column * self.stride] = value;
    }

    /// The same row again, for a function that keeps its parts in registers.
    #[inline(always)]
    pub(super) fn again(&mut self) -> RawRow<'_> {
        RawRow { words: self.words, stride: self.stride }
    }
}
