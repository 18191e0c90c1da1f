//! How many rows of each window hold which value: what distinct counts over windows need.
//!
//! Most keys show one value only (a terminal stands in one country; most cards too): for those
//! the window's row count says all, and nothing is kept but the value itself. At the second
//! value a [`Multiset`] is made, with a count a value and window. It finds values by looking
//! through a short list, and by a hash table when the list gets long.

use hashbrown::HashMap;

/// The code of a null: a value of its own that distinct counts skip.
pub(super) const NULL_CODE: u32 = u32::MAX;

/// Lists longer than this are searched by hash. A linear search of 16 codes (one cache line)
/// costs about as much as one hash look-up.
const LINEAR_MAX: usize = 16;

type Index = HashMap<u32, u32, foldhash::fast::FixedState>;

/// Counts of each value in each window of one key.
#[derive(Debug, Default)]
pub(super) struct Multiset {
    values: Vec<u32>,
    /// `counts[place * windows + window]`.
    counts: Vec<u32>,
    /// Number of non-null values with a count above 0, for each window.
    distinct: Vec<u32>,
    index: Option<Index>,
}

impl Multiset {
    /// No values yet, for this many windows.
    pub(super) fn new(windows: usize) -> Self {
        Self { distinct: vec![0; windows], ..Self::default() }
    }

    pub(super) fn bytes(&self) -> u64 {
        let index = self.index.as_ref().map_or(0, |index| index.allocation_size());
        (self.values.capacity() * 4 + self.counts.capacity() * 4 + self.distinct.len() * 4 + index)
            as u64
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
        let windows = self.distinct.len();
        let place = match self.find(value) {
            Some(place) => place,
            None => self.insert(value),
        };
        let count = &mut self.counts[place * windows + window];
        if *count == 0 && value != NULL_CODE {
            self.distinct[window] += 1;
        }
        *count += rows;
    }

    /// One row with this value fewer in a window that holds one.
    #[inline]
    pub(super) fn remove(&mut self, value: u32, window: usize) {
        let windows = self.distinct.len();
        let Some(place) = self.find(value) else {
            debug_assert!(false, "a value that was never added leaves the window");
            return;
        };
        let count = &mut self.counts[place * windows + window];
        debug_assert!(*count > 0);
        *count -= 1;
        if *count == 0 && value != NULL_CODE {
            self.distinct[window] -= 1;
        }
    }

    /// Number of different non-null values in a window.
    #[inline]
    pub(super) fn distinct(&self, window: usize) -> u32 {
        self.distinct[window]
    }

    /// Number of rows with this value in a window.
    #[inline]
    pub(super) fn count(&self, value: u32, window: usize) -> u32 {
        self.find(value).map_or(0, |place| self.counts[place * self.distinct.len() + window])
    }

    #[inline]
    fn find(&self, value: u32) -> Option<usize> {
        match &self.index {
            None => self.values.iter().position(|&known| known == value),
            Some(index) => index.get(&value).map(|&place| place as usize),
        }
    }

    fn insert(&mut self, value: u32) -> usize {
        if self.values.len() >= LINEAR_MAX && self.values.len() == self.values.capacity() {
            self.drop_unused();
        }
        let place = self.values.len();
        self.values.push(value);
        self.counts.resize(self.counts.len() + self.distinct.len(), 0);
        if let Some(index) = &mut self.index {
            index.insert(value, place as u32);
        } else if self.values.len() > LINEAR_MAX {
            self.reindex();
        }
        place
    }

    /// Forgets the values that no window holds, before the list would grow.
    fn drop_unused(&mut self) {
        let windows = self.distinct.len();
        let used = |place: usize, counts: &[u32]| {
            counts[place * windows..(place + 1) * windows].iter().any(|&count| count > 0)
        };
        let kept: Vec<usize> =
            (0..self.values.len()).filter(|&place| used(place, &self.counts)).collect();
        if kept.len() == self.values.len() {
            return;
        }
        self.values = kept.iter().map(|&place| self.values[place]).collect();
        self.counts = kept
            .iter()
            .flat_map(|&place| self.counts[place * windows..(place + 1) * windows].iter().copied())
            .collect();
        self.index = None;
        if self.values.len() > LINEAR_MAX {
            self.reindex();
        }
    }

    fn reindex(&mut self) {
        let places = self.values.iter().enumerate().map(|(place, &value)| (value, place as u32));
        self.index = Some(places.collect());
    }
}
