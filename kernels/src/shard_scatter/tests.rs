//! The division of hashes among shards, and what is refused.

use super::*;

#[test]
fn shards_are_even_parts_of_all_hashes() {
    for shards in [1, 2, 3, 7, 1000, SHARDS_MAX] {
        assert_eq!(shard(0, shards), 0);
        assert_eq!(shard(u64::MAX, shards), shards - 1);
        let step = u64::MAX / u64::from(shards);
        for own in 0..shards.min(50) {
            assert_eq!(shard(u64::from(own) * step + step / 2, shards), own, "of {shards}");
        }
    }
}

#[test]
fn ids_of_no_shard_are_refused() {
    for (id, shards) in [(2, 2), (63, 9), (64, 64), (65_535, 65_535)] {
        for level in Level::available() {
            let scatter = || shard_scatter(level, &[0, id], shards, &mut vec![], &mut vec![]);
            assert!(std::panic::catch_unwind(scatter).is_err(), "{level} {id}");
        }
    }
}

#[test]
fn a_selection_is_appended() {
    for level in Level::available() {
        let mut rows = vec![5];
        shard_select(level, &[0; 20], 1, 0, u32::MAX, &mut rows);
        assert_eq!((rows.len(), &rows[..4]), (21, &[5, u32::MAX, 0, 1][..]));
        shard_select(level, &[0; 20], 1, 7, 0, &mut rows);
        assert_eq!(rows.len(), 21);
    }
}
