//! The hash is fixed: what it gave once, it gives forever.

use super::*;

/// Computed once from the definition, by another program with long integers. A change here breaks every snapshot.
#[test]
fn the_hash_is_fixed() {
    let integers = [0_i64, 1, -1, i64::MAX, i64::MIN].map(|value| fold(SEED, value.word()));
    assert_eq!(integers, FIXED_INTEGERS);
    let texts = ["", "DE", "01234567", "0123456789", "a text of more than sixteen bytes"];
    assert_eq!(texts.map(|text| bytes_word(text.as_bytes())), FIXED_TEXTS);
    assert_eq!([0, -1, i128::MAX].map(wide_word), FIXED_WIDE);
}

const FIXED_INTEGERS: [u64; 5] = [
    0x4da4_cc27_2025_8fe3,
    0xf313_6576_6b12_8379,
    0x4834_ee44_c9b5_afcb,
    0x6962_a3bc_5339_2605,
    0x6c5a_93bf_5bb9_05d5,
];
const FIXED_TEXTS: [u64; 5] = [
    0x08a9_98e7_0c00_d86d,
    0xbd70_b09e_bd1b_2092,
    0xbd28_3a45_88e5_86e5,
    0xbea1_7ff6_8bf3_37d2,
    0x7c23_13f7_4ab3_8029,
];
const FIXED_WIDE: [u64; 3] = [0x4da4_cc27_2025_8fe3, 0xb7cb_11bb_364a_5034, 0x969d_5c43_acc6_d9fa];

#[test]
fn a_word_does_not_depend_on_what_stands_around_it() {
    let text = b"0123456789abcdefghijklmnopqrstuvwxyz";
    for start in 0..text.len() {
        for end in start..=text.len() {
            let offsets = [start as i32, end as i32];
            let mut word = [0];
            hash_bytes(Level::Scalar, &offsets, text, &mut word);
            assert_eq!(word[0], bytes_word(&text[start..end]), "{start}..{end}");
        }
    }
}

#[test]
fn wrong_offsets_are_refused_at_every_level() {
    let mut offsets = [4_i32; 17];
    for wrong in [-1, 3, 9, i32::MIN, i32::MAX] {
        for at in [1, 8, 12] {
            offsets[at] = wrong;
            for level in Level::available() {
                let hashes = || hash_bytes(level, &offsets, &[7; 8], &mut [0; 16]);
                assert!(std::panic::catch_unwind(hashes).is_err(), "{level} {at} {wrong}");
            }
            offsets[at] = 4;
        }
    }
}
