//! Keys: `shard_hash` and `shard_scatter`.

use proptest::collection::vec;
use proptest::prelude::*;

use super::inputs::*;
use super::{Answer, suite};
use crate::shard_hash::{
    KeyInteger, NULL_WORD, Offset, SEED, bytes_word, fold, hash_bytes, hash_integers,
};
use crate::shard_scatter::{shard, shard_ids, shard_scatter, shard_select};
use crate::simd::level;

fn seeds(rows: usize) -> Vec<u64> {
    (0..rows as u64).map(|row| fold(SEED, row)).collect()
}

/// Without nulls, then with the mask as validity.
fn hash<T: Element + KeyInteger>((values, valid): &(Vec<T>, Vec<u64>)) -> Answer {
    let mut hashes = seeds(values.len());
    hash_integers(level(), values, None, &mut hashes);
    hash_integers(level(), values, Some(valid), &mut hashes);
    hashes
}

fn naive_hash<T: Element + KeyInteger>((values, valid): &(Vec<T>, Vec<u64>)) -> Answer {
    let rows = values.iter().zip(seeds(values.len())).enumerate();
    rows.map(|(row, (value, seed))| {
        let word = if bit(valid, row) { value.word() } else { NULL_WORD };
        fold(fold(seed, value.word()), word)
    })
    .collect()
}

/// Strings and what stands behind the last of them.
type Texts = (Vec<Vec<u8>>, Vec<u8>);

fn texts(rows: usize) -> BoxedStrategy<Texts> {
    let length = prop_oneof![0..9_usize, 0..30_usize, Just(8), Just(16), Just(100)];
    let text = length.prop_flat_map(|len| vec(any::<u8>(), len));
    (vec(text, rows), vec(any::<u8>(), 0..12)).boxed()
}

fn hash_texts<O: Offset + TryFrom<usize>>((texts, behind): &Texts) -> Answer {
    let mut bytes = b"before".to_vec();
    let offset = |len: usize| O::try_from(len).ok().expect("a short text");
    let mut offsets = vec![offset(bytes.len())];
    for text in texts {
        bytes.extend_from_slice(text);
        offsets.push(offset(bytes.len()));
    }
    bytes.extend_from_slice(behind);
    filled(texts.len(), |out| hash_bytes(level(), &offsets, &bytes, out))
}

fn naive_texts((texts, _): &Texts) -> Answer {
    texts.iter().map(|text| bytes_word(text)).collect()
}

suite! {
    shard_hash {
        i8: masked::<i8> => hash, naive_hash;
        u8: masked::<u8> => hash, naive_hash;
        i16: masked::<i16> => hash, naive_hash;
        u16: masked::<u16> => hash, naive_hash;
        i32: masked::<i32> => hash, naive_hash;
        u32: masked::<u32> => hash, naive_hash;
        i64: masked::<i64> => hash, naive_hash;
        u64: masked::<u64> => hash, naive_hash;
        bytes_i32: texts => hash_texts::<i32>, naive_texts;
        bytes_i64: texts => hash_texts::<i64>, naive_texts;
    }
}

/// Hashes, and a number of shards.
type Hashes = (Vec<u64>, u32);

fn hashes(rows: usize) -> BoxedStrategy<Hashes> {
    let shards = prop_oneof![1..10_u32, 60..70_u32, Just(1000), Just(65_536)];
    (column(rows), shards).boxed()
}

fn ids((hashes, shards): &Hashes) -> Vec<u16> {
    filled(hashes.len(), |out| shard_ids(level(), hashes, *shards, out))
}

/// The rows of the first, the last and a middle shard, and of none; all appended.
fn select((hashes, shards): &Hashes) -> Answer {
    let mut rows = vec![];
    for own in [0, shards / 2, shards - 1, *shards] {
        shard_select(level(), hashes, *shards, own, u32::MAX - 7, &mut rows);
    }
    bits(&rows)
}

fn naive_select((hashes, shards): &Hashes) -> Answer {
    let rows_of = |own: u32| {
        let rows = hashes.iter().enumerate().filter(move |(_, hash)| shard(**hash, *shards) == own);
        rows.map(|(row, _)| (u32::MAX - 7).wrapping_add(row as u32))
    };
    let owners = [0, shards / 2, shards - 1, *shards];
    bits(&owners.into_iter().flat_map(rows_of).collect::<Vec<_>>())
}

fn scatter(input: &Hashes) -> Answer {
    let (mut starts, mut rows) = (vec![1], vec![2]);
    shard_scatter(level(), &ids(input), input.1, &mut starts, &mut rows);
    [bits(&starts), bits(&rows)].concat()
}

fn naive_scatter((hashes, shards): &Hashes) -> Answer {
    let of = |row: &u32| shard(hashes[*row as usize], *shards);
    let mut rows: Vec<u32> = (0..hashes.len() as u32).collect();
    rows.sort_by_key(of);
    let starts = (0..=*shards).map(|own| rows.partition_point(|row| of(row) < own) as u32);
    [bits(&starts.collect::<Vec<_>>()), bits(&rows)].concat()
}

suite! {
    shard_scatter {
        ids: hashes => |input| bits(&ids(input)),
            |(hashes, shards)| {
                bits(&hashes.iter().map(|hash| shard(*hash, *shards) as u16).collect::<Vec<_>>())
            };
        select: hashes => select, naive_select;
        scatter: hashes => scatter, naive_scatter;
    }
}
