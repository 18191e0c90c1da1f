//! The inner loops with 256-bit and 512-bit vectors of x86-64.

use std::arch::x86_64::{
    __m256d, __m256i, __m512d, __m512i, _CMP_GT_OQ, _mm_loadl_epi64, _mm_loadu_si128,
    _mm256_blendv_epi8, _mm256_cmp_pd, _mm256_cmpeq_epi8, _mm256_load_si256, _mm256_loadu_pd,
    _mm256_max_epu8, _mm256_movemask_pd, _mm256_set1_epi32, _mm256_set1_pd, _mm256_store_si256,
    _mm512_add_pd, _mm512_add_ps, _mm512_cmp_pd_mask, _mm512_cmpgt_epu8_mask,
    _mm512_cmplt_epu32_mask, _mm512_cmplt_epu64_mask, _mm512_cvtepu8_epi32, _mm512_cvtepu8_epi64,
    _mm512_cvtsi512_si32, _mm512_load_si512, _mm512_loadu_pd, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_mask_blend_epi8, _mm512_mask_i32gather_ps, _mm512_mask_i64gather_pd,
    _mm512_mask_permutexvar_epi8, _mm512_movepi8_mask, _mm512_permutex2var_epi8,
    _mm512_permutexvar_epi8, _mm512_set1_epi32, _mm512_set1_epi64, _mm512_set1_pd,
    _mm512_setzero_pd, _mm512_setzero_ps, _mm512_store_si512, _mm512_storeu_pd, _mm512_storeu_ps,
};

use super::bits::{BitTree, NODES_MAX, VIEWS_MAX};
use super::block::Slots;
use super::codes::{FAN, FeatureCodes, Ladder};
use super::plan::{SELECT_LEAVES_MAX, SelectNode};
use super::{BLOCK_ROWS, Block};

#[inline]
#[target_feature(enable = "avx512f")]
fn load_pd512(numbers: &[f64; 8]) -> __m512d {
    // SAFETY: eight numbers are the 64 bytes that are read.
    unsafe { _mm512_loadu_pd(numbers.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_pd256(numbers: &[f64; 4]) -> __m256d {
    // SAFETY: four numbers are the 32 bytes that are read.
    unsafe { _mm256_loadu_pd(numbers.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load512(block: &Block, half: usize) -> __m512i {
    let bytes: &[u8; 64] = &block.0.as_chunks().0[half];
    // SAFETY: 64 bytes are there, and halves of an aligned block are aligned to 64.
    unsafe { _mm512_load_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store512(block: &mut Block, half: usize, value: __m512i) {
    let bytes: &mut [u8; 64] = &mut block.0.as_chunks_mut().0[half];
    // SAFETY: as for the load.
    unsafe { _mm512_store_si512(bytes.as_mut_ptr().cast(), value) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load256(block: &Block, quarter: usize) -> __m256i {
    let bytes: &[u8; 32] = &block.0.as_chunks().0[quarter];
    // SAFETY: 32 bytes are there, and quarters of an aligned block are aligned to 32.
    unsafe { _mm256_load_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store256(block: &mut Block, quarter: usize, value: __m256i) {
    let bytes: &mut [u8; 32] = &mut block.0.as_chunks_mut().0[quarter];
    // SAFETY: as for the load.
    unsafe { _mm256_store_si256(bytes.as_mut_ptr().cast(), value) }
}

/// How many numbers of a block are below `x`.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,popcnt")]
fn below_avx512(block: &[f64; FAN], x: __m512d) -> u32 {
    let (halves, _) = block.as_chunks::<8>();
    let low = _mm512_cmp_pd_mask::<_CMP_GT_OQ>(x, load_pd512(&halves[0]));
    let high = _mm512_cmp_pd_mask::<_CMP_GT_OQ>(x, load_pd512(&halves[1]));
    (u32::from(low) | u32::from(high) << 8).count_ones()
}

/// How many thresholds are below each value.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt,bmi1,bmi2")]
pub(super) fn count_avx512(ladder: &Ladder, values: &[f64], counts: &mut [u32; BLOCK_ROWS]) {
    for (count, value) in counts.iter_mut().zip(values) {
        let x = _mm512_set1_pd(*value);
        *count = ladder.count_with(*value, |block, _| below_avx512(block, x));
    }
}

/// How many thresholds are below each value.
#[target_feature(enable = "avx2,popcnt,bmi1,bmi2")]
pub(super) fn count_avx2(ladder: &Ladder, values: &[f64], counts: &mut [u32; BLOCK_ROWS]) {
    for (count, value) in counts.iter_mut().zip(values) {
        let x = _mm256_set1_pd(*value);
        *count = ladder.count_with(*value, |block: &[f64; FAN], _| {
            let mut bits = 0;
            for (at, quarter) in block.as_chunks::<4>().0.iter().enumerate() {
                let below = _mm256_cmp_pd::<_CMP_GT_OQ>(x, load_pd256(quarter));
                bits |= (_mm256_movemask_pd(below) as u32) << (4 * at);
            }
            bits.count_ones()
        });
    }
}

/// Every node selects between its children's values.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn select_avx512(nodes: &[SelectNode], codes: &[Block], slots: &mut Slots) {
    const LAST: usize = 2 * SELECT_LEAVES_MAX - 1;
    for (at, node) in nodes.iter().enumerate() {
        let code = _mm512_set1_epi32(node.codes as i32);
        let asked = &codes[node.view as usize];
        // Slots are below 512; the masks tell the compiler.
        let (left, right) = (usize::from(node.left) & LAST, usize::from(node.right) & LAST);
        let to = (SELECT_LEAVES_MAX + at) & LAST;
        for half in 0..2 {
            let goes_right = _mm512_cmpgt_epu8_mask(load512(asked, half), code);
            let (left, right) = (load512(&slots[left], half), load512(&slots[right], half));
            let selected = _mm512_mask_blend_epi8(goes_right, left, right);
            store512(&mut slots[to], half, selected);
        }
    }
}

/// Every node selects between its children's values.
#[target_feature(enable = "avx2")]
pub(super) fn select_avx2(nodes: &[SelectNode], codes: &[Block], slots: &mut Slots) {
    const LAST: usize = 2 * SELECT_LEAVES_MAX - 1;
    for (at, node) in nodes.iter().enumerate() {
        let code = _mm256_set1_epi32(node.codes as i32);
        let asked = &codes[node.view as usize];
        let (left, right) = (usize::from(node.left) & LAST, usize::from(node.right) & LAST);
        let to = (SELECT_LEAVES_MAX + at) & LAST;
        for quarter in 0..4 {
            // The greater of the two is the threshold's code where the row's is not above it.
            let greater = _mm256_max_epu8(load256(asked, quarter), code);
            let goes_left = _mm256_cmpeq_epi8(greater, code);
            let (left, right) = (load256(&slots[left], quarter), load256(&slots[right], quarter));
            store256(&mut slots[to], quarter, _mm256_blendv_epi8(right, left, goes_left));
        }
    }
}

/// Adds `leaves[index]` to each sum; an index past the leaves adds 0 (there is none).
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn add_f64_avx512(leaves: &[f64], index: &Block, sums: &mut [f64; BLOCK_ROWS]) {
    let count = _mm512_set1_epi64(leaves.len() as i64);
    let (eights, _) = index.0.as_chunks::<8>();
    for (eight, sums) in eights.iter().zip(sums.as_chunks_mut::<8>().0) {
        // SAFETY: eight bytes are there.
        let index = _mm512_cvtepu8_epi64(unsafe { _mm_loadl_epi64(eight.as_ptr().cast()) });
        let inside = _mm512_cmplt_epu64_mask(index, count);
        // SAFETY: only elements whose index is below the length are read.
        let values = unsafe {
            _mm512_mask_i64gather_pd::<8>(_mm512_setzero_pd(), inside, index, leaves.as_ptr())
        };
        let sum = _mm512_add_pd(load_pd512(sums), values);
        // SAFETY: eight numbers are the 64 bytes that are written.
        unsafe { _mm512_storeu_pd(sums.as_mut_ptr(), sum) }
    }
}

/// As [`add_f64_avx512`], in `f32`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn add_f32_avx512(leaves: &[f32], index: &Block, sums: &mut [f32; BLOCK_ROWS]) {
    let count = _mm512_set1_epi32(leaves.len() as i32);
    let (sixteens, _) = index.0.as_chunks::<16>();
    for (sixteen, sums) in sixteens.iter().zip(sums.as_chunks_mut::<16>().0) {
        // SAFETY: sixteen bytes are there.
        let index = _mm512_cvtepu8_epi32(unsafe { _mm_loadu_si128(sixteen.as_ptr().cast()) });
        let inside = _mm512_cmplt_epu32_mask(index, count);
        // SAFETY: only elements whose index is below the length are read, sixteen numbers are
        // the 64 bytes that are read and written.
        unsafe {
            let values =
                _mm512_mask_i32gather_ps::<4>(_mm512_setzero_ps(), inside, index, leaves.as_ptr());
            let sum = _mm512_add_ps(_mm512_loadu_ps(sums.as_ptr()), values);
            _mm512_storeu_ps(sums.as_mut_ptr(), sum);
        }
    }
}

/// The leaves of one row in trees of up to 64 nodes, each given to `take` in turn.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,bmi1,bmi2")]
fn jump(
    trees: &[BitTree],
    Jump { doublings, views, codes }: Jump<'_>,
    mut take: impl FnMut(usize, usize),
) {
    let (halves, _) = codes.as_chunks::<NODES_MAX>();
    let (low, high) = (load_bytes(&halves[0]), load_bytes(&halves[1]));
    for (at, tree) in trees.iter().enumerate() {
        let asked = if views <= NODES_MAX {
            _mm512_permutexvar_epi8(load_bytes(&tree.views), low)
        } else {
            _mm512_permutex2var_epi8(low, load_bytes(&tree.views), high)
        };
        let goes_right = _mm512_cmpgt_epu8_mask(asked, load_bytes(&tree.codes));
        let (left, right) = (load_bytes(&tree.left), load_bytes(&tree.right));
        let mut next = _mm512_mask_blend_epi8(goes_right, left, right);
        for _ in 0..doublings {
            // An index is its lower six bits.
            let is_node = _mm512_movepi8_mask(next);
            next = _mm512_mask_permutexvar_epi8(next, is_node, next, next);
        }
        take(at, _mm512_cvtsi512_si32(next) as usize & (2 * NODES_MAX - 1));
    }
}

/// How one row goes through trees of up to 64 nodes.
#[derive(Clone, Copy)]
pub(super) struct Jump<'a> {
    /// Steps, as a power of two, that lead from every root to a leaf.
    pub doublings: u32,
    /// Views that the trees ask.
    pub views: usize,
    /// The row's code in each view.
    pub codes: &'a [u8; VIEWS_MAX],
}

/// The leaves of one row in trees of up to 64 nodes.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,bmi1,bmi2")]
pub(super) fn jump_to_leaves(trees: &[BitTree], row: Jump<'_>, leaves: &mut [u32]) {
    let leaves = &mut leaves[..trees.len()];
    jump(trees, row, |tree, leaf| leaves[tree] = leaf as u32);
}

/// `sum` and the values of the row's leaves, tree by tree; those of a tree begin at its `starts`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,bmi1,bmi2")]
pub(super) fn jump_to_sum<T: Copy + std::ops::AddAssign>(
    trees: &[BitTree],
    row: Jump<'_>,
    starts: &[u32],
    values: &[T],
    mut sum: T,
) -> T {
    let starts = &starts[..trees.len()];
    jump(trees, row, |tree, leaf| sum += values[starts[tree] as usize + leaf]);
    sum
}

/// How many thresholds of each feature are below its value, for one row.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt,bmi1,bmi2")]
pub(super) fn count_row_avx512(codes: &[FeatureCodes], values: &[f64], counts: &mut [u32]) {
    for ((codes, value), count) in codes.iter().zip(values).zip(counts) {
        let x = _mm512_set1_pd(*value);
        *count = codes.ladder.count_with(*value, |block, _| below_avx512(block, x));
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_bytes(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: 64 bytes are there, and no alignment is asked for.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}
