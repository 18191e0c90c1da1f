//! What the mask must be, and what stands in the output before.

use super::*;

#[test]
fn values_are_appended_and_room_is_kept_within() {
    for level in Level::available() {
        let mut out = vec![9_u8];
        batch_filter(level, &[0b101], &[1, 2, 3], &mut out);
        batch_filter(level, &[], &[], &mut out);
        assert_eq!(out, [9, 1, 3]);
        let mut rows = vec![9];
        filter_rows(level, &[1 << 63, 1], u32::MAX - 63, &mut rows);
        assert_eq!(rows, [9, u32::MAX, 0]);
    }
}

#[test]
fn masks_that_do_not_fit_are_refused() {
    for level in Level::available() {
        for mask in [&[0b1000_u64][..], &[], &[0, 0]] {
            let filter = || batch_filter(level, mask, &[1_i64, 2, 3], &mut vec![]);
            assert!(std::panic::catch_unwind(filter).is_err(), "{level} {mask:?}");
        }
    }
}

#[test]
fn bits_cross_words() {
    for level in Level::available() {
        let (mut out, mut len) = (vec![], 0);
        for _ in 0..5 {
            filter_bits(level, &[!0, 0b1011], &[0xf0f0_f0f0_f0f0_f0f0, 0b0110], &mut out, &mut len);
        }
        assert_eq!((len, out.len()), (335, 6));
        for i in 0..len {
            let want = match i % 67 {
                64 => false,
                65 => true,
                66 => false,
                i => i / 4 % 2 == 1,
            };
            assert_eq!(out[i / 64] >> (i % 64) & 1 == 1, want, "{level} {i}");
        }
    }
}
