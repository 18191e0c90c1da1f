//! A hint to the processor that a slot will be read soon.
//!
//! Looking up a random key costs a cache miss (about 100 ns from DRAM). A loop that knows its
//! next keys can ask for their slots some steps ahead, so that the misses overlap. A hint
//! changes no result, so this is safe for any index.

/// Asks for `slice[index]` to be brought into the cache. Does nothing where `index` is out of
/// range or the processor has no such hint.
///
/// ```
/// let slots = vec![0u64; 1024];
/// pelton_kernels::prefetch::prefetch_read(&slots, 17);
/// pelton_kernels::prefetch::prefetch_read(&slots, 1 << 40); // out of range: nothing happens
/// ```
#[inline(always)]
pub fn prefetch_read<T>(slice: &[T], index: usize) {
    if let Some(slot) = slice.get(index) {
        hint(std::ptr::from_ref(slot).cast());
    }
}

/// Bytes that come into a cache together.
const LINE: usize = 64;

/// As [`prefetch_read`], of the `LINES` cache lines from that of `slice[index]` on, though the slice
/// ends before them: to find that out would cost more than a line.
#[inline(always)]
pub fn prefetch_lines<const LINES: usize, T>(slice: &[T], index: usize) {
    if let Some(slot) = slice.get(index) {
        let first: *const i8 = std::ptr::from_ref(slot).cast();
        for line in 0..LINES {
            hint(first.wrapping_add(line * LINE));
        }
    }
}

/// Asks for the elements of a range, as far as there are any. For ranges of a few KB that will be
/// read next: the processor itself looks no further ahead than a page, and begins anew at each.
#[inline]
pub fn prefetch_range<T>(slice: &[T], range: std::ops::Range<usize>) {
    let end = range.end.min(slice.len());
    for index in (range.start..end).step_by((LINE / size_of::<T>().max(1)).max(1)) {
        prefetch_read(slice, index);
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn hint(address: *const i8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: SSE is part of every x86-64 processor; a prefetch reads nothing that the program
    // can see, and cannot fault whatever the address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address) }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn hint(_address: *const i8) {}

#[cfg(test)]
mod tests {
    use super::{prefetch_lines, prefetch_range, prefetch_read};

    #[test]
    fn any_index_is_harmless() {
        let slots = [1u32, 2, 3];
        for index in [0, 2, 3, usize::MAX] {
            prefetch_read(&slots, index);
            prefetch_lines::<3, _>(&slots, index);
        }
        prefetch_read::<u64>(&[], 0);
        for range in [0..0, 0..3, 2..usize::MAX, 7..9] {
            prefetch_range(&slots, range);
        }
        prefetch_range(&[(); 3], 0..3);
        assert_eq!(slots, [1, 2, 3]);
    }
}
