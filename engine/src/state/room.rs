//! Room in arrays that have an entry a key.
//!
//! An array that doubles copies all it holds, and leaves behind a block that the next array to
//! double is too large for: at millions of keys that is as many bytes again, new to the process,
//! which the system has cleared page by page. Where it gives memory as it is written, room that is
//! not used costs nothing, so long arrays get eight times theirs at once.

/// Arrays up to so many bytes double.
const SHORT_BYTES: usize = 1 << 20;

/// How much longer a long array becomes.
const FACTOR: usize = if cfg!(unix) { 8 } else { 2 };

/// Makes room for `more` entries.
#[inline]
pub(crate) fn make_room<T>(array: &mut Vec<T>, more: usize) {
    if array.capacity() - array.len() < more {
        grow(array, more);
    }
}

#[cold]
fn grow<T>(array: &mut Vec<T>, more: usize) {
    let is_long = array.capacity() * size_of::<T>() >= SHORT_BYTES;
    let much = more.max(array.capacity().saturating_mul(FACTOR) - array.len());
    // Refused where address space is short; then it is to be what it must be.
    if !is_long || array.try_reserve_exact(much).is_err() {
        array.reserve(more);
    }
}

/// Adds entries that are `value`, or cuts some off.
#[inline]
pub(crate) fn resize<T: Clone>(array: &mut Vec<T>, len: usize, value: T) {
    make_room(array, len.saturating_sub(array.len()));
    array.resize(len, value);
}

/// Bytes that an array takes: of a long one those that have been written.
pub(crate) fn bytes<T>(array: &Vec<T>) -> usize {
    let room = array.capacity() * size_of::<T>();
    if room > SHORT_BYTES { array.len() * size_of::<T>() } else { room }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_arrays_are_seldom_moved() {
        let mut array = Vec::new();
        let mut moves = 0;
        for i in 0..4_000_000_u64 {
            let before = array.capacity();
            make_room(&mut array, 1);
            moves += usize::from(before * 8 >= SHORT_BYTES && array.capacity() != before);
            array.push(i);
        }
        assert!(array.iter().copied().eq(0..4_000_000));
        assert!(moves <= if cfg!(unix) { 2 } else { 5 }, "{moves} moves");
        assert_eq!(bytes(&array), 32_000_000);
    }

    #[test]
    fn resized_arrays_hold_what_they_did() {
        let mut array = vec![1_u64; 3];
        for len in [3, 0, 1 << 17, (1 << 17) + 1, 5] {
            let kept = array.len().min(len);
            let before = array[..kept].to_vec();
            resize(&mut array, len, 7);
            assert_eq!((array.len(), &array[..kept]), (len, &before[..]));
            assert!(array[kept..].iter().all(|&value| value == 7));
        }
    }
}
