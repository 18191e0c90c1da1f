//! Rows counted by what their code stands for: filter, lookup and count in one loop.

use crate::batch_filter::{Value, batch_filter};
use crate::columns::words;
use crate::prefetch::prefetch_range;
use crate::simd::Level;

/// Rows whose codes are picked at a time: those of 64 bits take half of a core's first cache.
const BLOCK_ROWS: usize = 2048;

/// Up to so many counts of many rows are kept in [`PLANES`], so that one that rows in turn fall on
/// does not wait for itself.
const COUNTS_IN_PLANES: usize = 256;
const PLANES: usize = 4;
const ROWS_IN_PLANES: usize = 2048;

/// Integers that stand for something.
pub trait Code: Value {
    /// As 64 bits; signed ones extended.
    fn bits(self) -> u64;
}

macro_rules! codes {
    ($($type:ty as $wide:ty),*) => {$(
        impl Code for $type {
            #[inline]
            fn bits(self) -> u64 {
                self as $wide as u64
            }
        }
    )*};
}
codes!(
    u8 as u64, u16 as u64, u32 as u64, u64 as u64, i8 as i64, i16 as i64, i32 as i64, i64 as i64
);

/// What codes stand for: code `low + i` for the count of number `slots[i]`, and all that are below
/// or above these for the last.
#[derive(Debug, Clone, Copy)]
pub struct Slots<'a> {
    /// The code of the first slot; codes count up from there, wrapping.
    pub low: u64,
    /// Numbers of counts; one at least.
    pub slots: &'a [u32],
}

impl Slots<'_> {
    /// The number of a code's count.
    #[inline]
    #[must_use]
    pub fn of(self, code: impl Code) -> u32 {
        let last = self.slots.len() - 1;
        let at = usize::try_from(code.bits().wrapping_sub(self.low)).unwrap_or(last);
        self.slots[at.min(last)]
    }
}

/// Adds to `counts` how many of the rows have each number: those whose bit is set in `mask`, or
/// all where there is none. Returns how many rows were counted.
///
/// # Contract
/// `mask`, where there is one, holds a bit for each code and none behind the last (asserted).
///
/// # Panics
/// When there is no slot, or a row's slot is no count.
///
/// ```
/// use pelton_kernels::simd::Level;
/// use pelton_kernels::window_reduce::{Slots, count_by_code};
/// let (mut counts, slots) = ([0; 3], Slots { low: 10, slots: &[1, 1, 0, 2] });
/// let rows = count_by_code(Level::best(), Some(&[0b11101]), &[10u16, 11, 12, 11, 99], slots, &mut counts);
/// assert_eq!((rows, counts), (4, [1, 2, 1]));
/// ```
pub fn count_by_code<T: Code>(
    level: Level,
    mask: Option<&[u64]>,
    codes: &[T],
    slots: Slots<'_>,
    counts: &mut [u32],
) -> usize {
    assert!(!slots.slots.is_empty() && mask.is_none_or(|mask| mask.len() == words(codes.len())));
    if counts.len() > COUNTS_IN_PLANES || codes.len() < ROWS_IN_PLANES {
        return each_block(level, mask, codes, |codes| {
            codes.iter().for_each(|&code| counts[slots.of(code) as usize] += 1);
        });
    }
    let mut planes = [[0; COUNTS_IN_PLANES]; PLANES];
    let rows = each_block(level, mask, codes, |codes| {
        let (whole, rest) = codes.as_chunks::<PLANES>();
        for codes in whole {
            for (plane, &code) in planes.iter_mut().zip(codes) {
                plane[slots.of(code) as usize] += 1;
            }
        }
        rest.iter().for_each(|&code| planes[0][slots.of(code) as usize] += 1);
    });
    for plane in &planes {
        let (own, behind) = plane.split_at(counts.len());
        assert!(behind.iter().all(|&count| count == 0), "a slot without a count");
        counts.iter_mut().zip(own).for_each(|(count, own)| *count += own);
    }
    rows
}

/// Shows the kept codes to `count`, a block at a time; returns their number.
fn each_block<T: Code>(
    level: Level,
    mask: Option<&[u64]>,
    codes: &[T],
    mut count: impl FnMut(&[T]),
) -> usize {
    let Some(mask) = mask else {
        count(codes);
        return codes.len();
    };
    let (mut kept, mut rows) = (Vec::with_capacity(BLOCK_ROWS), 0);
    let blocks = mask.chunks(BLOCK_ROWS / 64).zip(codes.chunks(BLOCK_ROWS));
    for (at, (mask, block)) in blocks.enumerate() {
        // The next block comes while this one is looked at.
        prefetch_range(codes, (at + 1) * BLOCK_ROWS..(at + 2) * BLOCK_ROWS);
        kept.clear();
        batch_filter(level, mask, block, &mut kept);
        count(&kept);
        rows += kept.len();
    }
    rows
}
