//! How many rows of each window hold which value: what distinct counts over windows need.
//!
//! Most keys show one value only (a terminal stands in one country; most cards too): for those
//! the window's row count says all, and nothing is kept but the value itself. At the second
//! value a [`Multiset`] is made, with a count a value and window. It finds values by looking
//! through a short list, and by a hash table when the list gets long.
//!
//! ```text
//! [ distinct a window … | value, count a window … | value, count a window … ]
//! ```
//! all in one vector of 32-bit words: for the two or three values of most keys that is one or
//! two cache lines.

use hashbrown::HashMap;
use pelton_kernels::prefetch::prefetch_range;

/// The code of a null: a value of its own that distinct counts skip.
pub(super) const NULL_CODE: u32 = u32::MAX;

/// Lists longer than this are searched by hash. A linear search of 16 codes costs about as
/// much as one hash look-up.
const LINEAR_MAX: usize = 16;

/// Two cache lines: two or three values in five windows.
const PREFETCHED_WORDS: usize = 32;

type Index = HashMap<u32, u32, foldhash::fast::FixedState>;

/// Counts of each value in each window of one key.
#[derive(Debug)]
pub(super) struct Multiset {
    windows: usize,
    words: Vec<u32>,
    /// Where each value's record begins, where there are many.
    index: Option<Index>,
    /// The record that was found last, or none: a row's value is counted window by window.
    last: usize,
}

/// No record begins here.
const NO_RECORD: usize = usize::MAX;

impl Multiset {
    /// No values yet, for this many windows.
    pub(super) fn new(windows: usize) -> Self {
        Self { windows, words: vec![0; windows], index: None, last: NO_RECORD }
    }

    /// Asks for the words to be brought into the cache, as far as most keys need them.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch_range(&self.words, 0..PREFETCHED_WORDS);
    }

    pub(super) fn bytes(&self) -> u64 {
        let index = self.index.as_ref().map_or(0, |index| index.allocation_size());
        (size_of::<Self>() + self.words.capacity() * 4 + index) as u64
    }

    /// One more row with this value in a window.
    #[inline]
    pub(super) fn add(&mut self, value: u32, window: usize) {
        self.add_many(value, window, 1);
    }

    /// `rows` more rows with this value in a window.
    pub(super) fn add_many(&mut self, value: u32, window: usize, rows: u32) {
        if rows == 0 {
            return;
        }
        let record = match self.find(value) {
            Some(record) => record,
            None => self.insert(value),
        };
        self.last = record;
        let count = &mut self.words[record + 1 + window];
        *count += rows;
        if *count == rows && value != NULL_CODE {
            self.words[window] += 1;
        }
    }

    /// One row with this value fewer in a window that holds one.
    #[inline]
    pub(super) fn remove(&mut self, value: u32, window: usize) {
        let Some(record) = self.find(value) else {
            debug_assert!(false, "a value that was never added leaves the window");
            return;
        };
        self.last = record;
        let count = &mut self.words[record + 1 + window];
        debug_assert!(*count > 0);
        *count -= 1;
        if *count == 0 && value != NULL_CODE {
            self.words[window] -= 1;
        }
    }

    /// Number of different non-null values in a window.
    #[inline]
    pub(super) fn distinct(&self, window: usize) -> u32 {
        self.words[window]
    }

    /// Number of rows with this value in a window.
    #[inline]
    pub(super) fn count(&self, value: u32, window: usize) -> u32 {
        self.find(value).map_or(0, |record| self.words[record + 1 + window])
    }

    /// Where the value's record begins.
    #[inline]
    fn find(&self, value: u32) -> Option<usize> {
        if self.words.get(self.last) == Some(&value) {
            return Some(self.last);
        }
        if let Some(index) = &self.index {
            return index.get(&value).map(|&record| record as usize);
        }
        let records = self.words[self.windows..].chunks_exact(self.windows + 1);
        let place = records.into_iter().position(|record| record[0] == value)?;
        Some(self.windows + place * (self.windows + 1))
    }

    fn values(&self) -> usize {
        (self.words.len() - self.windows) / (self.windows + 1)
    }

    fn insert(&mut self, value: u32) -> usize {
        let record_words = self.windows + 1;
        if self.values() >= LINEAR_MAX && self.words.len() + record_words > self.words.capacity() {
            self.drop_unused();
        }
        let record = self.words.len();
        self.words.push(value);
        self.words.resize(record + record_words, 0);
        if let Some(index) = &mut self.index {
            index.insert(value, record as u32);
        } else if self.values() > LINEAR_MAX {
            self.reindex();
        }
        record
    }

    /// Forgets the values that no window holds, before the list would grow.
    fn drop_unused(&mut self) {
        let records = self.words[self.windows..].chunks_exact(self.windows + 1);
        let used = records.filter(|record| record[1..].iter().any(|&count| count > 0));
        let kept: Vec<u32> =
            self.words[..self.windows].iter().copied().chain(used.flatten().copied()).collect();
        if kept.len() == self.words.len() {
            return;
        }
        self.words = kept;
        (self.index, self.last) = (None, NO_RECORD);
        if self.values() > LINEAR_MAX {
            self.reindex();
        }
    }

    fn reindex(&mut self) {
        let (windows, step) = (self.windows, self.windows + 1);
        let records = self.words[windows..].chunks_exact(step).enumerate();
        let index = records.map(|(i, record)| (record[0], (windows + i * step) as u32));
        self.index = Some(index.collect());
    }
}
