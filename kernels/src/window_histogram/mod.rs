//! Values counted between edges: histograms, and sketches of quantiles made of them.
//!
//! [`Edges`] are ascending; the slot of a value is the number of edges that are not above it, so
//! `n` edges make `n + 1` slots, the first for what is below all of them. NaN is above everything,
//! −0 is 0, and nulls are not counted. Counts are integers, so they don't depend on the order of
//! rows, on batches or on the backend.
//!
//! A histogram may be told by a function instead (bins of equal width, the buckets of a DDSketch):
//! [`Edges::of`] finds the edges of any function that never falls, to the last bit, so that
//! counting between edges is counting by the function.

#[cfg(feature = "gpu")]
pub mod gpu;
pub mod scalar;
#[cfg(test)]
mod tests;

/// A number that can be counted: its bits as an integer of the same order.
pub trait Counted: Copy {
    /// The least key.
    const LEAST: u64;
    /// The key; equal numbers have equal keys, and NaN has the greatest.
    fn key(self) -> u64;
    /// A number of a key: `from_key(x.key())` is `x`, but for −0 and for NaN's payload.
    fn from_key(key: u64) -> Self;
}

impl Counted for f64 {
    // Of −∞.
    const LEAST: u64 = !Self::NEG_INFINITY.to_bits();

    fn key(self) -> u64 {
        if self.is_nan() {
            return u64::MAX;
        }
        let bits = if self == 0.0 { 0 } else { self.to_bits() };
        if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
    }

    fn from_key(key: u64) -> Self {
        if key >> 63 == 1 { Self::from_bits(key ^ 1 << 63) } else { Self::from_bits(!key) }
    }
}

impl Counted for i64 {
    const LEAST: u64 = 0;

    fn key(self) -> u64 {
        self as u64 ^ 1 << 63
    }

    fn from_key(key: u64) -> Self {
        (key ^ 1 << 63) as Self
    }
}

/// Ascending edges. Between two equal ones lies a slot that stays empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edges {
    keys: Vec<u64>,
}

impl Edges {
    /// These, sorted.
    pub fn new<T: Counted>(edges: impl IntoIterator<Item = T>) -> Self {
        let mut keys: Vec<u64> = edges.into_iter().map(Counted::key).collect();
        keys.sort_unstable();
        Self { keys }
    }

    /// The edges of a function that never falls (with NaN the greatest number): a value is in slot
    /// `slot(value) − first`, clamped to 0 and `last − first`. Steps beyond those that the
    /// function ever comes to make no slots.
    ///
    /// It takes up to 65 calls an edge.
    pub fn of<T: Counted>(first: i64, last: i64, slot: impl Fn(T) -> i64) -> Self {
        let at = |key: u64| slot(T::from_key(key));
        let (mut start, top) = (T::LEAST, u64::MAX);
        let mut keys = Vec::new();
        for wanted in first + 1..=last {
            // The least key at which the function has come to `wanted`.
            let mut end = top;
            while start < end {
                let middle = start + (end - start) / 2;
                if at(middle) >= wanted { end = middle } else { start = middle + 1 }
            }
            if at(start) < wanted {
                break;
            }
            keys.push(start);
        }
        Self { keys }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Number of slots.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.keys.len() + 1
    }

    /// The slot of a value.
    #[must_use]
    pub fn slot(&self, value: impl Counted) -> usize {
        let key = value.key();
        self.keys.partition_point(|edge| *edge <= key)
    }
}

/// Rows to be counted: as many as the shorter of ids and values.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a, T> {
    /// Dense ids of groups; none where all rows are of group 0. Ids past the groups are not
    /// counted.
    pub ids: Option<&'a [u32]>,
    /// Bit `i % 64` of word `i / 64` is 0 where row `i` is null.
    pub valid: Option<&'a [u64]>,
    /// Values.
    pub values: &'a [T],
}

impl<T> Rows<'_, T> {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        let ids = self.ids.map_or(usize::MAX, <[u32]>::len);
        self.values.len().min(ids)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Adds rows to the counts: those of group 0, slot by slot, then those of group 1, ….
///
/// # Panics
/// When counts are not whole groups, or `valid` has fewer bits than there are rows.
pub fn count<T: Counted>(edges: &Edges, rows: Rows<'_, T>, counts: &mut [u64]) {
    assert_eq!(counts.len() % edges.slots(), 0, "counts of a part of a group");
    scalar::count(edges, rows, counts);
}
