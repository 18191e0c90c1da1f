//! The rows of one key, in order of time, in a ring.
//!
//! An entry is a few 64-bit words (see [`super::layout`]); its first word is the event time.
//! Entries are named by *sequence numbers* that survive the loss of older rows: the front entry
//! has number `first`, the next `first + 1`, wrapping at 2³². Cursors of horizons are such
//! numbers, so forgetting rows touches no cursor.
//!
//! Capacities come in steps of a quarter or less (4 classes a doubling; of 4 rows below 32), so a
//! log is at most a fifth slack, and a tenth on average. Steps of an eighth copy every row eight
//! times until it is forgotten, which took an eighth of the whole job's time. The ring asks the
//! allocator for each size: an arena with free lists by class was the first idea and is worse,
//! because keys that grow in step strand all smaller classes (up to eight times the live bytes),
//! while the allocator joins neighbours.

use crate::state::lines::Lines;

/// Rows of one key. As large as it is aligned, so that it never straddles two cache lines.
#[derive(Debug, Default)]
#[repr(align(32))]
pub(super) struct Ring {
    words: Lines,
    /// Slot of the front entry.
    head: u32,
    /// Number of entries.
    len: u32,
    /// Sequence number of the front entry.
    first: u32,
    /// Entries that fit.
    capacity: u32,
}

impl Ring {
    #[inline]
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// Sequence number of the front entry.
    #[inline]
    pub(super) fn first(&self) -> u32 {
        self.first
    }

    /// Sequence number that the next entry at the end gets.
    #[inline]
    pub(super) fn end(&self) -> u32 {
        self.first.wrapping_add(self.len)
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.len == self.capacity
    }

    /// Whether less than half of the room is used, and room is worth giving back.
    pub(super) fn is_sparse(&self) -> bool {
        self.capacity > 8 && self.len * 2 < self.capacity
    }

    pub(super) fn bytes(&self) -> u64 {
        // 16 bytes: what the allocator keeps beside each block (glibc; others keep less).
        if self.words.is_empty() { 0 } else { self.words.len() as u64 * 8 + 16 }
    }

    /// Index in `words` of the entry with this sequence number.
    #[inline]
    fn word(&self, sequence: u32, stride: usize) -> usize {
        let index = sequence.wrapping_sub(self.first);
        debug_assert!(index < self.len, "entry {index} of {}", self.len);
        self.slot_word(index, stride)
    }

    #[inline]
    fn slot_word(&self, index: u32, stride: usize) -> usize {
        let slot = self.head as u64 + index as u64;
        let slot = if slot >= self.capacity as u64 { slot - self.capacity as u64 } else { slot };
        slot as usize * stride
    }

    /// The entry with this sequence number.
    #[inline]
    pub(super) fn entry(&self, sequence: u32, stride: usize) -> &[u64] {
        let at = self.word(sequence, stride);
        &self.words[at..at + stride]
    }

    /// Its event time.
    #[inline]
    pub(super) fn time(&self, sequence: u32, stride: usize) -> i64 {
        self.words[self.word(sequence, stride)] as i64
    }

    /// Entries that fit.
    pub(super) fn capacity(&self) -> u32 {
        self.capacity
    }

    /// The entry with this sequence number, to be changed.
    #[inline]
    pub(super) fn entry_mut(&mut self, sequence: u32, stride: usize) -> &mut [u64] {
        let at = self.word(sequence, stride);
        &mut self.words[at..at + stride]
    }

    /// Makes an entry behind the last, of any content. The ring must not be full.
    #[inline]
    pub(super) fn push(&mut self, stride: usize) -> &mut [u64] {
        debug_assert!(!self.is_full());
        let at = self.slot_word(self.len, stride);
        self.len += 1;
        &mut self.words[at..at + stride]
    }

    /// Makes an entry with this sequence number, a copy of the one that has it (or of anything,
    /// at the end); that and all later ones move up by one. The ring must not be full.
    pub(super) fn insert(&mut self, sequence: u32, stride: usize) {
        let index = sequence.wrapping_sub(self.first);
        debug_assert!(index <= self.len && !self.is_full());
        self.len += 1;
        for to in (index + 1..self.len).rev() {
            let source = self.slot_word(to - 1, stride);
            let target = self.slot_word(to, stride);
            self.words.copy_within(source..source + stride, target);
        }
    }

    /// Forgets the front entry.
    #[inline]
    pub(super) fn pop(&mut self) {
        debug_assert!(self.len > 0);
        self.head = if self.head + 1 == self.capacity { 0 } else { self.head + 1 };
        self.len -= 1;
        self.first = self.first.wrapping_add(1);
    }

    /// The sequence number behind the last entry whose time is at most `time`.
    pub(super) fn upper_bound(&self, time: i64, stride: usize) -> u32 {
        // Stragglers are usually a few entries behind: look there first.
        let mut low = 0;
        let mut high = self.len;
        let mut step = 1;
        while high > 0 {
            let probe = high.saturating_sub(step);
            if self.words[self.slot_word(probe, stride)] as i64 <= time {
                low = probe;
                break;
            }
            high = probe;
            step *= 2;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if self.words[self.slot_word(middle, stride)] as i64 <= time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.first.wrapping_add(low)
    }

    /// Moves the entries to a block with room for at least one more.
    #[cold]
    pub(super) fn grow(&mut self, stride: usize) {
        self.resize(next_capacity(self.capacity), stride);
    }

    /// Moves the entries to the smallest block that holds them and one more.
    #[cold]
    pub(super) fn shrink(&mut self, stride: usize) {
        let mut capacity = 0;
        while capacity <= self.len {
            capacity = next_capacity(capacity);
        }
        self.resize(capacity, stride);
    }

    /// The same entries in another layout, made one after the other by `convert`.
    pub(super) fn converted(
        &self,
        from: usize,
        to: usize,
        mut convert: impl FnMut(&[u64], &mut [u64]),
    ) -> Self {
        let mut words = Lines::zeroed(self.capacity as usize * to);
        for (index, entry) in (0..self.len).zip(words.chunks_exact_mut(to)) {
            convert(self.entry(self.first.wrapping_add(index), from), entry);
        }
        Self { words, head: 0, len: self.len, first: self.first, capacity: self.capacity }
    }

    fn resize(&mut self, capacity: u32, stride: usize) {
        let before_wrap = self.len.min(self.capacity - self.head) as usize * stride;
        let head = self.head as usize * stride;
        let used = self.len as usize * stride;
        let parts = [&self.words[head..head + before_wrap], &self.words[..used - before_wrap]];
        self.words = Lines::joined(parts, capacity as usize * stride);
        self.capacity = (self.words.len() / stride) as u32;
        self.head = 0;
    }
}

/// A ring for reading, with its place in registers.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    words: &'a [u64],
    stride: usize,
    head: u32,
    len: u32,
    first: u32,
    capacity: u32,
}

impl Ring {
    /// The ring for reading.
    #[inline]
    pub(super) fn view(&self, stride: usize) -> View<'_> {
        let Self { head, len, first, capacity, .. } = *self;
        View { words: &self.words, stride, head, len, first, capacity }
    }
}

impl View<'_> {
    /// Sequence number that the next entry at the end gets.
    #[inline]
    pub(super) fn end(&self) -> u32 {
        self.first.wrapping_add(self.len)
    }

    /// The slot of the entry with this sequence number.
    #[inline]
    pub(super) fn slot(&self, sequence: u32) -> usize {
        let slot = u64::from(self.head) + u64::from(sequence.wrapping_sub(self.first));
        let wrapped = slot.wrapping_sub(u64::from(self.capacity));
        // Below the capacity the difference wraps to a huge number: a conditional move.
        slot.min(wrapped) as usize
    }

    /// The slot behind a slot.
    #[inline]
    pub(super) fn next_slot(&self, slot: usize) -> usize {
        if slot + 1 == self.capacity as usize { 0 } else { slot + 1 }
    }

    /// The slots, for entries of `N` words.
    #[inline]
    pub(super) fn entries<const N: usize>(&self) -> &[[u64; N]] {
        debug_assert_eq!(N, self.stride);
        self.words.as_chunks().0
    }

    /// Where the entry with this sequence number begins.
    #[inline]
    pub(super) fn place(&self, sequence: u32) -> usize {
        self.slot(sequence) * self.stride
    }

    /// A word of the entry that begins at a place.
    #[inline]
    pub(super) fn word(&self, place: usize, word: usize) -> u64 {
        self.words[place + word]
    }

    /// The entry with this sequence number.
    #[inline]
    pub(super) fn entry(&self, sequence: u32) -> &[u64] {
        let at = self.place(sequence);
        &self.words[at..at + self.stride]
    }

    /// Brings an entry nearer to the core; a number out of range does nothing harmful.
    #[inline]
    pub(super) fn prefetch(&self, sequence: u32) {
        pelton_kernels::prefetch::prefetch_read(self.words, self.place(sequence));
    }

    /// As [`View::prefetch`], with the next lines.
    #[inline]
    pub(super) fn prefetch_lines<const LINES: usize>(&self, sequence: u32) {
        pelton_kernels::prefetch::prefetch_lines::<LINES, _>(self.words, self.place(sequence));
    }

    /// Its event time.
    #[inline]
    pub(super) fn time(&self, sequence: u32) -> i64 {
        self.words[self.place(sequence)] as i64
    }

    /// The entry behind the one with this sequence number, unless that is the last.
    #[inline]
    pub(super) fn following(&self, sequence: u32) -> Option<&[u64]> {
        let next = sequence.wrapping_add(1);
        (next != self.end()).then(|| self.entry(next))
    }
}

/// 2, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, … 64, 80, …: steps of 4, then four classes a
/// doubling.
fn next_capacity(capacity: u32) -> u32 {
    match capacity {
        0 => 2,
        2 => 4,
        _ if capacity < 32 => capacity + 4,
        _ => capacity + (1 << (capacity.ilog2() - 2)),
    }
}
