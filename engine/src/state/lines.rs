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
    /// Zeros, at least `words` of them.
    pub fn zeroed(words: usize) -> Self {
        Self(vec![Line([0; LINE_WORDS]); words.div_ceil(LINE_WORDS)].into_boxed_slice())
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
