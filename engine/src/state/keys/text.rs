//! Text as keys.
//!
//! Text of up to seven bytes (country codes, symbols, currencies) is packed into 64 bits with
//! its length and goes through the integer table, a chunk at a time without a branch; longer
//! text goes through a hash table of ids over an arena of bytes. Both give ids of one sequence,
//! and the arena holds all text by id, so that keys can be given back.
//!
//! A dictionary column is translated code by code: the first row that has a code looks its text
//! up, all others read an array. The translation is kept as long as batches come with the very
//! same dictionary.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, OffsetSizeTrait};
use arrow::array::{DictionaryArray, GenericByteArray, GenericStringArray};
use arrow::datatypes::{ArrowDictionaryKeyType, ArrowNativeType, ByteArrayType, DataType};
use arrow::datatypes::{Int8Type, Int16Type, Int32Type, Int64Type};
use arrow::datatypes::{UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

use super::NO_ID;
use super::column::Nulls;
use super::table::{IdTable, checked_id, tag};
use crate::error::Result;
use crate::operator::Rows;

/// Longest text that is packed into a 64-bit key; the eighth byte holds its length.
const PACKED_BYTES_MAX: usize = 7;

/// What stands for "too long to pack" among packed keys; no packed key is 0.
const NOT_PACKED: u64 = 0;

const CHUNK: usize = 128;

/// Text to dense ids, and back.
#[derive(Debug)]
pub(crate) struct TextKeys {
    short: IdTable,
    /// Each id's text as it is packed; [`NOT_PACKED`] where it is not.
    packed: Vec<u64>,
    long: HashTable<u32>,
    /// All texts, one after the other.
    bytes: Vec<u8>,
    /// Where each id's text ends in `bytes`; it starts where the one before ends.
    ends: Vec<usize>,
    null_id: u32,
    nulls: Nulls,
    translation: Translation,
}

/// Ids of a dictionary's codes.
#[derive(Debug, Default)]
struct Translation {
    /// The dictionary last seen; holding it keeps its address from being used again.
    dictionary: Option<ArrayRef>,
    /// Id by code, [`NO_ID`] where not looked up yet; empty where no translation is kept.
    ids: Vec<u32>,
}

impl TextKeys {
    pub(crate) fn new(nulls: Nulls) -> Self {
        Self {
            short: IdTable::default(),
            packed: Vec::new(),
            long: HashTable::new(),
            bytes: Vec::new(),
            ends: Vec::new(),
            null_id: NO_ID,
            nulls,
            translation: Translation::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        let ids = self.ends.capacity() * size_of::<usize>() + self.packed.capacity() * 8;
        let arena = self.bytes.capacity() + ids;
        let tables = self.long.allocation_size() + self.translation.ids.capacity() * 4;
        (arena + tables) as u64 + self.short.bytes()
    }

    /// The text of `id`; `None` is null.
    pub(crate) fn value(&self, id: u32) -> Option<&str> {
        // What is in the arena came from text arrays, which hold valid UTF-8.
        self.bytes(id).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The bytes of `id`; `None` is null.
    pub(crate) fn bytes(&self, id: u32) -> Option<&[u8]> {
        let known = id != self.null_id && id != NO_ID;
        known.then(|| text_at(&self.bytes, &self.ends, id))
    }

    /// Appends to `out` the id of each row's text; `column` is text in any encoding.
    pub(crate) fn ids(
        &mut self,
        column: &ArrayRef,
        rows: Rows<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        match column.data_type() {
            DataType::LargeUtf8 => self.plain_ids(column.as_string::<i64>(), rows, out),
            DataType::Utf8 => self.plain_ids(column.as_string::<i32>(), rows, out),
            DataType::Dictionary(code_type, _) => match code_type.as_ref() {
                DataType::Int8 => self.dictionary_ids::<Int8Type>(column, rows, out),
                DataType::Int16 => self.dictionary_ids::<Int16Type>(column, rows, out),
                DataType::Int32 => self.dictionary_ids::<Int32Type>(column, rows, out),
                DataType::Int64 => self.dictionary_ids::<Int64Type>(column, rows, out),
                DataType::UInt8 => self.dictionary_ids::<UInt8Type>(column, rows, out),
                DataType::UInt16 => self.dictionary_ids::<UInt16Type>(column, rows, out),
                DataType::UInt32 => self.dictionary_ids::<UInt32Type>(column, rows, out),
                _ => self.dictionary_ids::<UInt64Type>(column, rows, out),
            },
            _ => {
                let plain = arrow::compute::cast(column, &DataType::LargeUtf8)?;
                self.plain_ids(plain.as_string::<i64>(), rows, out)
            }
        }
    }

    /// Appends to `out` the id of each row's text, or of its bytes.
    pub(super) fn plain_ids<T: ByteArrayType>(
        &mut self,
        column: &GenericByteArray<T>,
        rows: Rows<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        if column.null_count() > 0 {
            for i in 0..rows.len() {
                let row = rows.get(i);
                let id = if column.is_null(row) {
                    self.null()?
                } else {
                    self.id(column.value(row).as_ref())?
                };
                out.push(id);
            }
            return Ok(());
        }
        let (offsets, data) = (column.value_offsets(), column.value_data());
        let span = |row: usize| (offsets[row].as_usize(), offsets[row + 1].as_usize());
        let (mut keys, mut tags) = ([NOT_PACKED; CHUNK], [0; CHUNK]);
        for first in (0..rows.len()).step_by(CHUNK) {
            let keys = &mut keys[..CHUNK.min(rows.len() - first)];
            for (i, (key, of)) in keys.iter_mut().zip(&mut tags).enumerate() {
                let (start, end) = span(rows.get(first + i));
                *key = pack(data, start, end);
                *of = tag(*key);
                self.short.prefetch(*of);
            }
            let begin = out.len();
            out.resize(begin + keys.len(), NO_ID);
            self.short.find_all(&tags, keys, &self.packed, &mut out[begin..]);
            for (i, &key) in keys.iter().enumerate() {
                if out[begin + i] == NO_ID {
                    let (start, end) = span(rows.get(first + i));
                    out[begin + i] = self.packed_id(key, &data[start..end])?;
                }
            }
        }
        Ok(())
    }

    fn dictionary_ids<K: ArrowDictionaryKeyType>(
        &mut self,
        column: &ArrayRef,
        rows: Rows<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()>
    where
        <K as ArrowPrimitiveType>::Native: ArrowNativeType,
    {
        let column: &DictionaryArray<K> = column.as_dictionary();
        let dictionary = column.values();
        let texts = Texts::new(dictionary)?;
        let mut ids = self.take_translation(dictionary, rows.len());
        let codes = column.keys().values();
        let nulls = column.keys().nulls().filter(|nulls| nulls.null_count() > 0);
        let first = out.len();
        let known = |row: usize| ids.get(codes[row].as_usize()).copied().unwrap_or(NO_ID);
        match rows {
            Rows::All(len) => out.extend((0..len).map(known)),
            Rows::Some(rows) => out.extend(rows.iter().map(|&row| known(row as usize))),
        }
        if nulls.is_some() || out[first..].contains(&NO_ID) {
            for (i, id) in out[first..].iter_mut().enumerate() {
                let row = rows.get(i);
                if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                    *id = self.null()?;
                } else if *id == NO_ID {
                    let code = codes[row].as_usize();
                    // An earlier row of this batch may have had it.
                    let known = ids.get(code).copied().unwrap_or(NO_ID);
                    *id = match (known, texts.get(code)) {
                        (NO_ID, Some(text)) => self.id(text)?,
                        (NO_ID, None) => self.null()?,
                        (known, _) => known,
                    };
                    if let Some(slot) = ids.get_mut(code) {
                        *slot = *id;
                    }
                }
            }
        }
        self.translation.ids = ids;
        Ok(())
    }

    /// The translation of `dictionary`: the one kept where it is the same, else a new one; an
    /// empty one where a dictionary much larger than the batch comes for the first time, which
    /// would cost more to prepare than its rows cost to look up.
    fn take_translation(&mut self, dictionary: &ArrayRef, rows: usize) -> Vec<u32> {
        let mut ids = std::mem::take(&mut self.translation.ids);
        let last = &mut self.translation.dictionary;
        let same = last.as_ref().is_some_and(|last| Arc::ptr_eq(last, dictionary));
        if same && ids.len() == dictionary.len() {
            return ids;
        }
        ids.clear();
        if same || dictionary.len() <= 64 + 2 * rows {
            ids.resize(dictionary.len(), NO_ID);
        }
        *last = Some(Arc::clone(dictionary));
        ids
    }

    /// The id of one text, new or known.
    fn id(&mut self, text: &[u8]) -> Result<u32> {
        self.packed_id(pack(text, 0, text.len()), text)
    }

    /// The id of `text`, which packs to `key`.
    fn packed_id(&mut self, key: u64, text: &[u8]) -> Result<u32> {
        let next = self.ends.len();
        let id = if key == NOT_PACKED {
            self.long_id(text, next)?
        } else {
            self.short.get_or_insert(tag(key), key, &self.packed, next)?
        };
        if id as usize == next {
            self.packed.push(key);
            self.bytes.extend_from_slice(text);
            self.ends.push(self.bytes.len());
        }
        Ok(id)
    }

    fn long_id(&mut self, text: &[u8], next: usize) -> Result<u32> {
        let (bytes, ends) = (&self.bytes, &self.ends);
        let hashed = hash(text);
        if let Some(&id) = self.long.find(hashed, |&id| text_at(bytes, ends, id) == text) {
            return Ok(id);
        }
        let id = checked_id(next)?;
        self.long.insert_unique(hashed, id, |&id| {
            // The new id's text is not in the arena yet, but only older ids are hashed again.
            hash(text_at(bytes, ends, id))
        });
        Ok(id)
    }

    fn null(&mut self) -> Result<u32> {
        if self.null_id == NO_ID && self.nulls == Nulls::AreKeys {
            self.null_id = checked_id(self.ends.len())?;
            self.packed.push(NOT_PACKED);
            self.ends.push(self.bytes.len());
        }
        Ok(self.null_id)
    }
}

/// The texts of a dictionary.
enum Texts<'a> {
    Small(&'a GenericStringArray<i32>),
    Large(&'a GenericStringArray<i64>),
    Owned(ArrayRef),
}

impl<'a> Texts<'a> {
    fn new(dictionary: &'a ArrayRef) -> Result<Self> {
        Ok(match dictionary.data_type() {
            DataType::Utf8 => Self::Small(dictionary.as_string()),
            DataType::LargeUtf8 => Self::Large(dictionary.as_string()),
            _ => Self::Owned(arrow::compute::cast(dictionary, &DataType::LargeUtf8)?),
        })
    }

    fn get(&self, code: usize) -> Option<&[u8]> {
        fn value<O: OffsetSizeTrait>(texts: &GenericStringArray<O>, code: usize) -> Option<&[u8]> {
            texts.is_valid(code).then(|| texts.value(code).as_bytes())
        }
        match self {
            Self::Small(texts) => value(texts, code),
            Self::Large(texts) => value(texts, code),
            Self::Owned(texts) => value(texts.as_string::<i64>(), code),
        }
    }
}

fn hash(text: &[u8]) -> u64 {
    FixedState::with_seed(0).hash_one(text)
}

fn text_at<'a>(bytes: &'a [u8], ends: &[usize], id: u32) -> &'a [u8] {
    let id = id as usize;
    let start = if id == 0 { 0 } else { ends[id - 1] };
    &bytes[start..ends[id]]
}

/// `data[start..end]` and its length in 64 bits; [`NOT_PACKED`] where it is too long.
#[inline]
fn pack(data: &[u8], start: usize, end: usize) -> u64 {
    let len = end - start;
    if len > PACKED_BYTES_MAX {
        return NOT_PACKED;
    }
    let word = match data.get(start..start + 8) {
        Some(eight) => u64::from_le_bytes(eight.try_into().unwrap_or_default()),
        None => {
            let text = &data[start..end];
            text.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
        }
    };
    word & ((1 << (8 * len)) - 1) | (len as u64 + 1) << 56
}
