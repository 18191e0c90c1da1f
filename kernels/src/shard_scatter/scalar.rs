//! A row at a time: what a selection and a scatter are.

/// The shard of a hash.
///
/// ```
/// use pelton_kernels::shard_scatter::shard;
/// assert_eq!([0, u64::MAX / 3, u64::MAX].map(|hash| shard(hash, 3)), [0, 0, 2]);
/// ```
#[inline(always)]
#[must_use]
pub fn shard(hash: u64, shards: u32) -> u32 {
    (((hash >> 32) * u64::from(shards)) >> 32) as u32
}

/// Writes the numbers of the rows of `own` to the front of `out`; returns how many there are.
#[inline(always)]
pub(super) fn select(
    hashes: &[u64],
    shards: u32,
    own: u32,
    first_row: u32,
    out: &mut [u32],
) -> usize {
    let mut selected = 0;
    for (i, &hash) in hashes.iter().enumerate() {
        // Always written, kept where it is ours: no branch to mispredict.
        out[selected] = first_row.wrapping_add(i as u32);
        selected += usize::from(shard(hash, shards) == own);
    }
    selected
}

/// Where the rows of each shard will start; one slot more than there are shards, the last of no
/// meaning.
pub(super) fn count(ids: &[u16], shards: u32, starts: &mut Vec<u32>) {
    let shards = shards as usize;
    starts.clear();
    starts.resize(shards + 1, 0);
    // Two tables in turn: neighbours of one shard need not wait for one another.
    if shards <= 64 {
        let (mut even, mut odd) = ([0_u32; 64], [0_u32; 64]);
        let (pairs, rest) = ids.as_chunks::<2>();
        for [a, b] in pairs {
            even[usize::from(*a)] += 1;
            odd[usize::from(*b)] += 1;
        }
        rest.iter().for_each(|id| even[usize::from(*id)] += 1);
        assert!((shards..64).all(|shard| even[shard] + odd[shard] == 0), "an id of no shard");
        let counts = even.iter().zip(&odd).map(|(even, odd)| even + odd);
        starts[..shards].iter_mut().zip(counts).for_each(|(slot, count)| *slot = count);
    } else {
        let counts = &mut starts[..shards];
        ids.iter().for_each(|id| counts[usize::from(*id)] += 1);
    }
    let mut before = 0;
    for slot in starts {
        before += std::mem::replace(slot, before);
    }
}

/// Puts the rows from `first` on at the places of their shards, moving these.
#[inline(always)]
pub(super) fn scatter(ids: &[u16], first: usize, at: &mut [u32], rows: &mut [u32]) {
    for (row, id) in ids.iter().enumerate().skip(first) {
        let at = &mut at[usize::from(*id)];
        rows[*at as usize] = row as u32;
        *at += 1;
    }
}
