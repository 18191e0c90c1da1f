//! Room in arrays that have an entry a key.
//!
//! An array that doubles copies all it holds, and leaves behind a block that the next array to
//! double is too large for: at millions of keys that is as many bytes again, new to the process,
//! which the system has cleared page by page. Where it gives memory as it is written, room that is
//! not used costs nothing but addresses, so an array that has become long gets much at once, and
//! asks for large pages: they are a fifth of the time to ten million keys.

/// Arrays up to so many bytes double.
const SHORT_BYTES: usize = 1 << 20;

/// What an array gets that is longer.
const ROOM_BYTES: usize = if cfg!(unix) { 256 << 20 } else { 0 };

/// How much longer an array becomes that is longer than that too.
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
    let bytes = array.capacity() * size_of::<T>();
    let is_long = bytes >= SHORT_BYTES;
    let room = if bytes < ROOM_BYTES { ROOM_BYTES } else { bytes.saturating_mul(FACTOR) };
    let much = more.max(room / size_of::<T>().max(1) - array.len());
    // Refused where address space is short; then it is to be what it must be.
    if is_long && array.try_reserve_exact(much).is_ok() {
        ask_for_large_pages(array);
    } else {
        array.reserve(more);
    }
}

/// Tells the system that pages of 2 MB pay, where it has them and gives them to who asks.
#[cfg(target_os = "linux")]
fn ask_for_large_pages<T>(array: &mut Vec<T>) {
    const PAGE: usize = 2 << 20;
    let room = array.capacity() * size_of::<T>();
    // From the first of them that lies within.
    let first = array.as_ptr().addr().wrapping_neg() % PAGE;
    if let Some(bytes) = room.checked_sub(first) {
        // SAFETY: the bytes are the array's own, and whatever the system makes of the advice, it
        // does not change what they hold.
        unsafe {
            let start = array.as_mut_ptr().cast::<u8>().add(first);
            libc::madvise(start.cast(), bytes / PAGE * PAGE, libc::MADV_HUGEPAGE);
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn ask_for_large_pages<T>(_: &mut Vec<T>) {}

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
        assert!(moves <= if cfg!(unix) { 1 } else { 5 }, "{moves} moves");
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
