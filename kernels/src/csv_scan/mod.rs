//! Finds where the fields and records of a stretch of CSV end.
//!
//! The text is taken 64 bytes at a time. A comparison gives a bit a byte for each of the three
//! bytes that matter: delimiter, line feed, quote. The quotes then say which bytes lie *inside*
//! of a quoted field: the running xor of the quote bits (Langdale and Lemire, "Parsing
//! gigabytes of JSON per second", VLDB Journal 2019; one carry-less multiplication by all ones):
//!
//! ```text
//! text      a , " x , " " y " , b
//! quotes    . . 1 . . 1 1 . 1 . .
//! inside    . . 1 1 1 . 1 1 . . .      opening quotes are inside, closing ones are not
//! commas    . 1 . . 1 . . . . 1 .
//! separate  . 1 . . . . . . . 1 .      commas & !inside
//! ```
//!
//! An escaped quote (`""`) closes and opens at once, and nothing can separate in between. The
//! positions of the separators are then written out one after another, and for each line feed
//! among them its index in that list: so a record is regular iff two such indices differ by
//! the number of columns, and field `c` of it is found by two loads.
//!
//! # Regular quotes
//! The running xor is right only where quotes stand as RFC 4180 wants them: an opening one at
//! the start of a field, a closing one before a delimiter or line end. The scan checks just that
//! (each opening quote follows a separator or a closing quote; each closing quote is followed by
//! a separator, an opening quote, or CR LF), and says whether all of them did. Where one did not
//! (`5" disk`, an unclosed quote), the caller decides record by record with a plain state
//! machine.
//!
//! # Layout
//! [`CsvIndex::separators`] starts with one entry that stands for the byte before the stretch,
//! so that field `c` of the record whose first separator index is `base` is
//! `separators[base + c] + 1 .. separators[base + c + 1]`.

mod scalar;
#[cfg(target_arch = "x86_64")]
mod simd;
#[cfg(test)]
mod tests;

use crate::simd::Level;

/// Bytes looked at together: as many as a mask has bits.
const CHUNK: usize = 64;

/// Where the fields and records of a stretch of text end. Kept and used again: its buffers
/// grow once.
#[derive(Debug, Default)]
pub struct CsvIndex {
    separators: Vec<u32>,
    separator_count: usize,
    record_ends: Vec<u32>,
    record_count: usize,
    quotes: bool,
    regular: bool,
}

impl CsvIndex {
    /// An index of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Positions in the text of the byte before the stretch (wrapped where it starts at 0) and
    /// of each delimiter and line feed that ends a field.
    #[must_use]
    #[inline]
    pub fn separators(&self) -> &[u32] {
        &self.separators[..self.separator_count]
    }

    /// For each complete record, the index in [`Self::separators`] of its line feed.
    #[must_use]
    #[inline]
    pub fn record_ends(&self) -> &[u32] {
        &self.record_ends[..self.record_count]
    }

    /// Whether the stretch held a quote.
    #[must_use]
    #[inline]
    pub fn has_quotes(&self) -> bool {
        self.quotes
    }

    /// Whether every quote stood where RFC 4180 allows one. If not, the index means nothing.
    #[must_use]
    #[inline]
    pub fn is_regular(&self) -> bool {
        self.regular
    }

    /// Empties the index for a stretch that starts at `from`, to be filled by [`Self::push`].
    pub fn start_at(&mut self, from: usize) {
        self.begin(from, CHUNK);
    }

    /// Adds a separator by hand (for records that a state machine has read).
    pub fn push(&mut self, position: usize) {
        if self.separator_count + 1 > self.separators.len() {
            self.separators.resize(self.separators.len().max(CHUNK) * 2, 0);
        }
        self.separators[self.separator_count] = position as u32;
        self.separator_count += 1;
    }

    /// Number of entries of [`Self::separators`].
    #[must_use]
    #[inline]
    pub fn separator_count(&self) -> usize {
        self.separator_count
    }

    /// Drops the separators from index `count` on.
    pub fn truncate(&mut self, count: usize) {
        self.separator_count = self.separator_count.min(count);
    }

    fn begin(&mut self, from: usize, len: usize) {
        // Each byte may end a field; a chunk's positions are stored 64 at a time.
        let most = len + CHUNK + 1;
        if self.separators.len() < most {
            self.separators.resize(most, 0);
        }
        if self.record_ends.len() < most {
            self.record_ends.resize(most, 0);
        }
        self.separators[0] = (from as u32).wrapping_sub(1);
        self.separator_count = 1;
        self.record_count = 0;
        self.quotes = false;
        self.regular = true;
    }
}

/// Indexes `text[from..to]`, which starts at the start of a record. What follows the last line
/// feed outside of quotes belongs to no complete record.
///
/// # Contract
/// `from <= to <= text.len() < u32::MAX` (asserted); `delimiter` is none of quote, CR, LF
/// (debug-asserted). All levels give the same index.
///
/// ```
/// use pelton_kernels::{csv_scan::{CsvIndex, csv_scan}, simd::Level};
/// let text = b"1,\"a,b\"\n2,c\n3";
/// let mut index = CsvIndex::new();
/// csv_scan(Level::best(), text, 0, text.len(), b',', &mut index);
/// assert_eq!(index.separators(), [u32::MAX, 1, 7, 9, 11]);
/// assert_eq!(index.record_ends(), [2, 4]); // two separators each
/// assert!(index.is_regular());
/// ```
pub fn csv_scan(
    level: Level,
    text: &[u8],
    from: usize,
    to: usize,
    delimiter: u8,
    index: &mut CsvIndex,
) {
    assert!(from <= to && to <= text.len() && text.len() < u32::MAX as usize);
    debug_assert!(!matches!(delimiter, b'"' | b'\r' | b'\n'));
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if level.is_available() => {
            // SAFETY: the processor has the level's instructions, as was just asked.
            unsafe { simd::scan_avx512(text, from, to, delimiter, index) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 if level.is_available() => {
            // SAFETY: as above.
            unsafe { simd::scan_avx2(text, from, to, delimiter, index) }
        }
        _ => scan_with(scalar::Portable, text, from, to, delimiter, index),
    }
}

/// Bit `i` is set where byte `i` of a chunk is such a byte.
struct Masks {
    delimiters: u64,
    line_feeds: u64,
    quotes: u64,
}

/// What the algorithm needs of a level.
trait ChunkOps: Copy {
    /// Where the delimiters, line feeds and quotes are.
    fn masks(self, chunk: &[u8; CHUNK], delimiter: u8) -> Masks;
    /// Where the carriage returns are.
    fn carriage_returns(self, chunk: &[u8; CHUNK]) -> u64;
    /// Bit `i` of the result is the xor of bits `0..=i`.
    fn prefix_xor(self, bits: u64) -> u64;
    /// Writes `base + i` for each set bit `i`, in order, to the front of `out`; what follows in
    /// `out` is undefined.
    fn positions(self, bits: u64, base: u32, out: &mut [u32; CHUNK]);
}

/// What of the quotes is carried from a chunk to the next.
struct Quotes {
    /// All ones where the next byte lies inside of quotes.
    inside: u64,
    /// Bit 0: the byte before the next may stand before an opening quote.
    before_open: u64,
    /// Bit 0: the byte before the next is a closing quote.
    after_close: u64,
    /// Bit 0: the byte before the next is a CR after a closing quote.
    after_close_cr: u64,
    seen: u64,
    wrong: u64,
}

impl Quotes {
    fn new() -> Self {
        Self { inside: 0, before_open: 1, after_close: 0, after_close_cr: 0, seen: 0, wrong: 0 }
    }

    /// Whether a chunk without quotes needs no more thought.
    #[inline(always)]
    fn is_idle(&self) -> bool {
        self.inside | self.after_close | self.after_close_cr == 0
    }

    /// Takes in a chunk; gives the bits that lie inside of quotes.
    #[inline(always)]
    fn step<O: ChunkOps>(&mut self, ops: O, chunk: &[u8; CHUNK], masks: &Masks, valid: u64) -> u64 {
        let inside = ops.prefix_xor(masks.quotes) ^ self.inside;
        let opening = masks.quotes & inside;
        let closing = masks.quotes & !inside;
        let separators = (masks.delimiters | masks.line_feeds) & !inside;
        let may_open = (separators | closing) << 1 | self.before_open;
        let after = closing << 1 | self.after_close;
        let after_cr_here = if after == 0 { 0 } else { after & ops.carriage_returns(chunk) };
        let after_cr = after_cr_here << 1 | self.after_close_cr;
        let wrong = (opening & !may_open)
            | (after & !(separators | opening | after_cr_here))
            | (after_cr & !(masks.line_feeds & !inside));
        self.wrong |= wrong & valid;
        self.seen |= masks.quotes;
        self.inside = ((inside as i64) >> 63) as u64;
        self.before_open = (separators | closing) >> 63;
        self.after_close = closing >> 63;
        self.after_close_cr = after_cr_here >> 63;
        inside
    }
}

/// The algorithm, once for all levels.
#[inline(always)]
fn scan_with<O: ChunkOps>(
    ops: O,
    text: &[u8],
    from: usize,
    to: usize,
    delimiter: u8,
    index: &mut CsvIndex,
) {
    index.begin(from, to - from);
    let mut quotes = Quotes::new();
    let (chunks, tail) = text[from..to].as_chunks::<CHUNK>();
    let mut base = from as u32;
    let (mut separators, mut records) = (1, 0);
    for chunk in chunks {
        let found = step(ops, chunk, !0, delimiter, &mut quotes);
        write(ops, found, base, index, &mut separators, &mut records);
        base = base.wrapping_add(CHUNK as u32);
    }
    if !tail.is_empty() {
        let mut padded = [0; CHUNK];
        padded[..tail.len()].copy_from_slice(tail);
        let valid = (1u64 << tail.len()) - 1;
        let found = step(ops, &padded, valid, delimiter, &mut quotes);
        write(ops, found, base, index, &mut separators, &mut records);
    }
    index.separator_count = separators;
    index.record_count = records;
    index.quotes = quotes.seen != 0;
    index.regular = quotes.wrong == 0;
}

/// The bits of a chunk that end fields, and those that end records.
#[inline(always)]
fn step<O: ChunkOps>(
    ops: O,
    chunk: &[u8; CHUNK],
    valid: u64,
    delimiter: u8,
    quotes: &mut Quotes,
) -> (u64, u64) {
    let mut masks = ops.masks(chunk, delimiter);
    masks.delimiters &= valid;
    masks.line_feeds &= valid;
    masks.quotes &= valid;
    let separators = masks.delimiters | masks.line_feeds;
    if masks.quotes == 0 && quotes.is_idle() {
        quotes.before_open = separators >> 63;
        return (separators, masks.line_feeds);
    }
    let outside = !quotes.step(ops, chunk, &masks, valid);
    (separators & outside, masks.line_feeds & outside)
}

/// Appends a chunk's positions and the indices of its line feeds.
#[inline(always)]
fn write<O: ChunkOps>(
    ops: O,
    (separators, line_feeds): (u64, u64),
    base: u32,
    index: &mut CsvIndex,
    separator_count: &mut usize,
    record_count: &mut usize,
) {
    let at = *separator_count;
    if let Some(out) = index.separators[at..].first_chunk_mut() {
        ops.positions(separators, base, out);
    }
    let last = at as u32 - 1;
    let mut rest = line_feeds;
    // Two are written always: most chunks hold none, one or two, and a loop that stops after a
    // number of steps that cannot be foreseen costs more than the second store.
    let out = &mut index.record_ends[*record_count..];
    for slot in &mut out[..2] {
        *slot = last + (separators & (rest ^ rest.wrapping_sub(1))).count_ones();
        rest &= rest.wrapping_sub(1);
    }
    let mut more = 2;
    while rest != 0 {
        out[more] = last + (separators & (rest ^ (rest - 1))).count_ones();
        rest &= rest - 1;
        more += 1;
    }
    *separator_count = at + separators.count_ones() as usize;
    *record_count += line_feeds.count_ones() as usize;
}
