//! Words in whole cache lines.
//!
//! State that is read at random costs a cache miss a line: a record that straddles two lines
//! costs two, and the second is the one that no prefetch asked for. So logs and tables are
//! allocated line by line, and records are laid out not to straddle.

use std::ops::{Deref, DerefMut};

/// Words in a line.
pub const LINE_WORDS: usize = 8;

#[repr(C, align(64))]
#[derive(Debug, Clone, Copy)]
struct Line([u64; LINE_WORDS]);

/// A slice of `u64` that begins at a cache line and ends with one.
#[derive(Debug, Default)]
pub struct Lines(Box<[Line]>);

impl Lines {
    /// Zeros, at least `words` of them: memory as the system gives it, not written before it is
    /// used.
    pub fn zeroed(words: usize) -> Self {
        let lines = Box::<[Line]>::new_zeroed_slice(words.div_ceil(LINE_WORDS));
        // SAFETY: a `Line` is words, and all bits 0 are one.
        Self(unsafe { lines.assume_init() })
    }
}

impl Lines {
    /// The words of both parts, one behind the other, and zeros up to `words` or more.
    ///
    /// # Panics
    /// When the parts have more words than that.
    pub fn joined(parts: [&[u64]; 2], words: usize) -> Self {
        let lines = words.div_ceil(LINE_WORDS);
        let used = parts[0].len() + parts[1].len();
        assert!(used <= lines * LINE_WORDS, "{used} words do not fit into {words}");
        let mut boxed = Box::<[Line]>::new_uninit_slice(lines);
        let to = boxed.as_mut_ptr().cast::<u64>();
        // SAFETY: `to` begins `lines * 8` words that nothing else borrows, and used words are at
        // most that many: the three writes lie side by side within them and cover them all, so
        // that every line is initialised (a `Line` is `repr(C)` around 8 words, without padding).
        // Zeroing all first, as safe code must, writes a growing log twice.
        unsafe {
            to.copy_from_nonoverlapping(parts[0].as_ptr(), parts[0].len());
            to.add(parts[0].len()).copy_from_nonoverlapping(parts[1].as_ptr(), parts[1].len());
            to.add(used).write_bytes(0, lines * LINE_WORDS - used);
            Self(boxed.assume_init())
        }
    }
}

impl Deref for Lines {
    type Target = [u64];

    #[inline]
    fn deref(&self) -> &[u64] {
        // SAFETY: a `Line` is `repr(C)` around `[u64; 8]` and 64 bytes long, as long as its
        // alignment: n of them are 8 n initialised words without padding, borrowed from `self`.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len() * LINE_WORDS) }
    }
}

impl DerefMut for Lines {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u64] {
        // SAFETY: as above; borrowed mutably from `self`, and any bits are a valid `u64`.
        unsafe {
            std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len() * LINE_WORDS)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_lines_hold_their_parts_and_zeros() {
        let words: Vec<u64> = (1..100).collect();
        for (a, b, total) in [(0, 0, 0), (0, 0, 3), (3, 0, 3), (8, 8, 16), (5, 9, 40), (31, 68, 99)]
        {
            let lines = Lines::joined([&words[..a], &words[a..a + b]], total);
            assert!(lines.len() >= total && lines.len().is_multiple_of(LINE_WORDS));
            assert_eq!(lines[..a + b], words[..a + b]);
            assert!(lines[a + b..].iter().all(|&word| word == 0));
        }
    }

    #[test]
    fn lines_are_aligned_words() {
        for words in [0, 1, 8, 9, 1000] {
            let mut lines = Lines::zeroed(words);
            assert!(lines.len() >= words && lines.len().is_multiple_of(LINE_WORDS));
            assert_eq!(lines.as_ptr() as usize % 64, 0);
            for (i, word) in lines.iter_mut().enumerate() {
                assert_eq!(std::mem::replace(word, i as u64), 0);
            }
            assert!(lines.iter().enumerate().all(|(i, &word)| word == i as u64));
        }
    }
}
