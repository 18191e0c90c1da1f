//! Shards compared by vectors, row numbers compressed by the mask.

use std::arch::x86_64::{
    __m256i, __m512i, _mm256_add_epi32, _mm256_castsi256_ps, _mm256_cmpeq_epi32,
    _mm256_loadu_si256, _mm256_movemask_ps, _mm256_mul_epu32, _mm256_permutevar8x32_epi32,
    _mm256_set1_epi32, _mm256_set1_epi64x, _mm256_setr_epi32, _mm256_shuffle_epi32,
    _mm256_srli_epi64, _mm256_storeu_si256, _mm256_unpacklo_epi64, _mm512_add_epi32,
    _mm512_cmpeq_epi32_mask, _mm512_cvtepu16_epi32, _mm512_loadu_si512, _mm512_mask_storeu_epi32,
    _mm512_maskz_compress_epi32, _mm512_mul_epu32, _mm512_permutex2var_epi32, _mm512_set1_epi32,
    _mm512_set1_epi64, _mm512_setr_epi32, _mm512_srli_epi64, _mm512_storeu_si512,
};

use super::scalar;
use crate::batch_filter::positions_avx2;

/// The numbers 0 to 15.
#[inline]
#[target_feature(enable = "avx512f")]
fn counting() -> __m512i {
    _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
}

/// The selection, sixteen rows at a time. `out` has sixteen slots more than there are hashes.
#[target_feature(
    enable = "avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi2"
)]
pub(super) fn select_avx512(
    hashes: &[u64],
    shards: u32,
    own: u32,
    first_row: u32,
    out: &mut [u32],
) -> usize {
    assert!(out.len() >= hashes.len() + super::SLACK);
    let (groups, rest) = hashes.as_chunks::<16>();
    let (shards_all, own_all) =
        (_mm512_set1_epi64(i64::from(shards)), _mm512_set1_epi32(own as i32));
    // The odd halves of two vectors of eight: where a product of 64 bits holds its shard.
    let odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    let mut rows = _mm512_add_epi32(counting(), _mm512_set1_epi32(first_row as i32));
    let sixteen = _mm512_set1_epi32(16);
    let mut selected = 0;
    for group in groups {
        let address = group.as_ptr();
        // SAFETY: sixteen hashes are read, which the group has.
        let (a, b) = unsafe {
            (_mm512_loadu_si512(address.cast()), _mm512_loadu_si512(address.add(8).cast()))
        };
        let a = _mm512_mul_epu32(_mm512_srli_epi64::<32>(a), shards_all);
        let b = _mm512_mul_epu32(_mm512_srli_epi64::<32>(b), shards_all);
        let ids = _mm512_permutex2var_epi32(a, odd, b);
        let ours = _mm512_cmpeq_epi32_mask(ids, own_all);
        let packed = _mm512_maskz_compress_epi32(ours, rows);
        // SAFETY: at most as many rows are selected as hashes are behind us, and `out` has
        // sixteen slots more (asserted).
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().add(selected).cast(), packed) }
        selected += ours.count_ones() as usize;
        rows = _mm512_add_epi32(rows, sixteen);
    }
    let first_row = first_row.wrapping_add((hashes.len() - rest.len()) as u32);
    selected + scalar::select(rest, shards, own, first_row, &mut out[selected..])
}

/// The selection, eight rows at a time. `out` has sixteen slots more than there are hashes.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
pub(super) fn select_avx2(
    hashes: &[u64],
    shards: u32,
    own: u32,
    first_row: u32,
    out: &mut [u32],
) -> usize {
    assert!(out.len() >= hashes.len() + super::SLACK);
    let (groups, rest) = hashes.as_chunks::<8>();
    let (shards_all, own_all) =
        (_mm256_set1_epi64x(i64::from(shards)), _mm256_set1_epi32(own as i32));
    // Products are paired within halves of a vector, so rows come as 0 1 4 5 | 2 3 6 7 …
    let order = _mm256_setr_epi32(0, 1, 4, 5, 2, 3, 6, 7);
    let mut rows = _mm256_add_epi32(
        _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
        _mm256_set1_epi32(first_row as i32),
    );
    let eight = _mm256_set1_epi32(8);
    let mut selected = 0;
    for group in groups {
        let address = group.as_ptr();
        // SAFETY: eight hashes are read, which the group has.
        let (a, b) = unsafe {
            (_mm256_loadu_si256(address.cast()), _mm256_loadu_si256(address.add(4).cast()))
        };
        let a = _mm256_mul_epu32(_mm256_srli_epi64::<32>(a), shards_all);
        let b = _mm256_mul_epu32(_mm256_srli_epi64::<32>(b), shards_all);
        // (a0h a1h b0h b1h | a2h a3h b2h b3h), put in order by the permutation.
        let (a, b) =
            (_mm256_shuffle_epi32::<0b11_01_11_01>(a), _mm256_shuffle_epi32::<0b11_01_11_01>(b));
        let ids = _mm256_unpacklo_epi64(a, b);
        let ids = _mm256_permutevar8x32_epi32(ids, order);
        let ours = mask(_mm256_cmpeq_epi32(ids, own_all));
        let packed = _mm256_permutevar8x32_epi32(rows, positions_avx2(ours));
        // SAFETY: at most as many rows are selected as hashes are behind us, and `out` has
        // sixteen slots more (asserted).
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().add(selected).cast(), packed) }
        selected += ours.count_ones() as usize;
        rows = _mm256_add_epi32(rows, eight);
    }
    let first_row = first_row.wrapping_add((hashes.len() - rest.len()) as u32);
    selected + scalar::select(rest, shards, own, first_row, &mut out[selected..])
}

/// A bit for each lane that is all ones.
#[inline]
#[target_feature(enable = "avx2")]
fn mask(lanes: __m256i) -> u8 {
    _mm256_movemask_ps(_mm256_castsi256_ps(lanes)) as u8
}

/// The scatter by mask, sixteen rows at a time. `at` has one slot more than there are shards.
///
/// Stores are masked: what stands behind the rows of a shard belongs to the next.
#[target_feature(
    enable = "avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi2"
)]
pub(super) fn scatter_avx512(ids: &[u16], at: &mut [u32], rows: &mut [u32]) {
    let shards = at.len() - 1;
    let (groups, _) = ids.as_chunks::<16>();
    let mut numbers = counting();
    for group in groups {
        // SAFETY: sixteen ids of 16 bits are read, which the group has.
        let group = _mm512_cvtepu16_epi32(unsafe { _mm256_loadu_si256(group.as_ptr().cast()) });
        for (shard, at) in at[..shards].iter_mut().enumerate() {
            let ours = _mm512_cmpeq_epi32_mask(group, _mm512_set1_epi32(shard as i32));
            let count = ours.count_ones();
            let slots = &mut rows[*at as usize..][..count as usize];
            let packed = _mm512_maskz_compress_epi32(ours, numbers);
            let kept = ((1_u32 << count) - 1) as u16;
            // SAFETY: only `count` slots are written, which are there.
            unsafe { _mm512_mask_storeu_epi32(slots.as_mut_ptr().cast(), kept, packed) }
            *at += count;
        }
        numbers = _mm512_add_epi32(numbers, _mm512_set1_epi32(16));
    }
    scalar::scatter(ids, groups.len() * 16, at, rows);
}
