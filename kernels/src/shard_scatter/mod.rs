//! Hashes to shards, and the rows of one shard or of each.
//!
//! ```text
//! hash      7f…  02…  c1…  90…  11…          shards = 2
//! shard      0    0    1    1    0            (hash >> 32) · shards >> 32
//! selected                  own = 1           rows 2, 3
//! scattered  starts 0, 3, 5                   rows 0, 1, 4 | 2, 3
//! ```
//!
//! The shard is the top of the hash, scaled: no division, and no shard gets more than one
//! hash in 2³² more than another. Order is kept: rows of a shard are increasing, so that a key
//! sees its rows in the order of the source.
//!
//! A selection compares sixteen shards (eight with AVX2) at once and *compresses* the row
//! numbers whose bit is set: 4 times as fast as one by one. A scatter does the same for each
//! shard in turn with AVX-512 while shards are few ([`BY_MASK_SHARDS_MAX`]); beyond, a plain
//! counting sort is faster, for its cost does not grow with the shards. With AVX2, whose masked
//! stores are slow, it is faster for four shards already (2.1 ns a row against 2.7).

pub mod scalar;
#[cfg(target_arch = "x86_64")]
mod simd;
#[cfg(test)]
mod tests;

pub use scalar::shard;

use crate::simd::Level;

/// Most shards that there can be: their numbers fit 16 bits.
pub const SHARDS_MAX: u32 = 1 << 16;

/// Up to so many shards are scattered by mask. Measured on a Xeon of the Sapphire Rapids family
/// (`kernels/bench`): 1.5 ns a row against 2.1 with four shards, equal with eight.
pub const BY_MASK_SHARDS_MAX: u32 = 6;

/// Slots behind the last selected row that a vector may write to.
const SLACK: usize = 16;

/// The shard of each hash.
///
/// # Contract
/// `out` is as long as `hashes`, and there are 1 to [`SHARDS_MAX`] shards (asserted).
pub fn shard_ids(level: Level, hashes: &[u64], shards: u32, out: &mut [u16]) {
    assert_eq!(hashes.len(), out.len());
    assert!((1..=SHARDS_MAX).contains(&shards));
    ids(level, hashes, shards, out);
}

crate::simd::multiversion! {
    fn ids(level; hashes: &[u64], shards: u32, out: &mut [u16]) {
        for (slot, hash) in out.iter_mut().zip(hashes) {
            *slot = shard(*hash, shards) as u16;
        }
    }
}

/// Appends to `out` the numbers of the rows whose hash belongs to shard `own`, increasing. Row
/// `i` has the number `first_row + i` (wrapping).
///
/// # Contract
/// There are 1 to [`SHARDS_MAX`] shards (asserted). `own` that is none of them has no row.
///
/// ```
/// use pelton_kernels::{shard_scatter::shard_select, simd::Level};
/// let mut rows = vec![];
/// shard_select(Level::best(), &[0, u64::MAX, 1 << 63], 2, 1, 100, &mut rows);
/// assert_eq!(rows, [101, 102]);
/// ```
pub fn shard_select(
    level: Level,
    hashes: &[u64],
    shards: u32,
    own: u32,
    first_row: u32,
    out: &mut Vec<u32>,
) {
    assert!((1..=SHARDS_MAX).contains(&shards));
    // How many there are is not known before: room for all, which is virtual where not used.
    let begin = out.len();
    out.resize(begin + hashes.len() + SLACK, 0);
    let slots = &mut out[begin..];
    let selected = match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if level.is_available() => {
            // SAFETY: the processor has the level's instructions, as was just asked.
            unsafe { simd::select_avx512(hashes, shards, own, first_row, slots) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 if level.is_available() => {
            // SAFETY: as above.
            unsafe { simd::select_avx2(hashes, shards, own, first_row, slots) }
        }
        _ => scalar::select(hashes, shards, own, first_row, slots),
    };
    out.truncate(begin + selected);
}

/// All rows by shard: those of shard `s` are `rows[starts[s]..starts[s + 1]]`, increasing.
/// Both vectors are cleared first.
///
/// # Contract
/// Each of `ids` is below `shards`, of which there are 1 to [`SHARDS_MAX`], and there are fewer
/// than 2³² rows (asserted).
///
/// ```
/// use pelton_kernels::{shard_scatter::shard_scatter, simd::Level};
/// let (mut starts, mut rows) = (vec![], vec![]);
/// shard_scatter(Level::best(), &[0, 0, 1, 1, 0], 2, &mut starts, &mut rows);
/// assert_eq!((starts, rows), (vec![0, 3, 5], vec![0, 1, 4, 2, 3]));
/// ```
pub fn shard_scatter(
    level: Level,
    ids: &[u16],
    shards: u32,
    starts: &mut Vec<u32>,
    rows: &mut Vec<u32>,
) {
    assert!((1..=SHARDS_MAX).contains(&shards) && u32::try_from(ids.len()).is_ok());
    scalar::count(ids, shards, starts);
    rows.clear();
    rows.resize(ids.len(), 0);
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if level.is_available() && shards <= BY_MASK_SHARDS_MAX => {
            // SAFETY: the processor has the level's instructions, as was just asked.
            unsafe { simd::scatter_avx512(ids, starts, rows) }
        }
        _ => scalar::scatter(ids, 0, starts, rows),
    }
    // The starts have moved to the ends, each of which is where the next shard starts.
    starts.rotate_right(1);
    starts[0] = 0;
}
