//! Texts to small integers, for columns with few distinct values (countries, currencies).
//!
//! Most fields are short and come again and again, so the bytes of a field of up to seven are
//! packed with their number into one word and looked up in a small table of the words seen
//! last: one load, one multiplication, one comparison. Only words that miss it are read as
//! their format reads them and looked up by value.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use hashbrown::HashTable;

/// Slots of the table of packed words (8 KiB: half of an L1 cache at most).
const SLOTS: usize = 512;
/// No packed word: lengths end at seven.
const NO_WORD: u64 = u64::MAX;
/// The code of a null.
pub(super) const NULL: u32 = u32::MAX;
/// Beyond so many values a dictionary starts anew with the next batch, so that a column with
/// ever new values (which should be text) costs no more and more.
const VALUES_MAX: usize = 1 << 16;

/// Distinct values and their codes, in the order in which they were first seen.
pub(super) struct Dictionary {
    words: Box<[(u64, u32)]>,
    codes: HashTable<u32>,
    hasher: foldhash::fast::FixedState,
    ends: Vec<u32>,
    bytes: String,
    array: Option<ArrayRef>,
}

impl Dictionary {
    pub fn new() -> Self {
        Self {
            words: vec![(NO_WORD, 0); SLOTS].into(),
            codes: HashTable::new(),
            hasher: foldhash::fast::FixedState::default(),
            ends: vec![],
            bytes: String::new(),
            array: None,
        }
    }

    /// A short field as one word: its bytes below its length. `None` where it is long or too
    /// near to the end of the text for one load.
    #[inline(always)]
    pub fn pack(text: &[u8], start: usize, end: usize) -> Option<u64> {
        let len = end.wrapping_sub(start);
        if len > 7 {
            return None;
        }
        let bytes = text.get(start..)?.first_chunk()?;
        let kept = u64::from_le_bytes(*bytes) & ((1u64 << (8 * len)) - 1);
        Some(kept | (len as u64) << 56)
    }

    /// The code of a packed field, if it was seen lately.
    #[inline(always)]
    pub fn recall(&self, word: u64) -> Option<u32> {
        let (known, code) = self.words[Self::slot(word)];
        (known == word).then_some(code)
    }

    /// Remembers the code of a packed field.
    pub fn remember(&mut self, word: u64, code: u32) {
        self.words[Self::slot(word)] = (word, code);
    }

    #[inline(always)]
    fn slot(word: u64) -> usize {
        // Fibonacci hashing: the top bits of the product mix all bits of the word.
        (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55) as usize
    }

    /// The code of a value; a new one where it was never seen.
    pub fn code(&mut self, value: &str) -> u32 {
        use std::hash::BuildHasher;
        let hash = self.hasher.hash_one(value);
        let (bytes, ends) = (&self.bytes, &self.ends);
        if let Some(code) = self.codes.find(hash, |code| entry(bytes, ends, *code) == value) {
            return *code;
        }
        let code = self.ends.len() as u32;
        self.bytes.push_str(value);
        self.ends.push(self.bytes.len() as u32);
        let (bytes, ends, hasher) = (&self.bytes, &self.ends, &self.hasher);
        self.codes.insert_unique(hash, code, |code| hasher.hash_one(entry(bytes, ends, *code)));
        self.array = None;
        code
    }

    /// All values, by code. Shared between batches as long as none is new.
    pub fn values(&mut self) -> ArrayRef {
        let (bytes, ends) = (&self.bytes, &self.ends);
        let array = self.array.get_or_insert_with(|| {
            let values = (0..ends.len() as u32).map(|code| entry(bytes, ends, code));
            Arc::new(StringArray::from_iter_values(values))
        });
        Arc::clone(array)
    }

    /// Starts anew where it has grown too large; between batches only.
    pub fn bound(&mut self) {
        if self.ends.len() > VALUES_MAX || self.bytes.len() > 64 << 20 {
            *self = Self::new();
        }
    }
}

fn entry<'a>(bytes: &'a str, ends: &[u32], code: u32) -> &'a str {
    let code = code as usize;
    let start = if code == 0 { 0 } else { ends[code - 1] as usize };
    &bytes[start..ends[code] as usize]
}
