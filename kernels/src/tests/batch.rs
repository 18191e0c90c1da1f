//! Batches: `batch_filter`.

use super::inputs::*;
use super::{Answer, suite};
use crate::batch_filter::{batch_filter, filter_bits, filter_rows, kept};
use crate::simd::level;

fn filter<T: Element + crate::batch_filter::Value>((values, mask): &(Vec<T>, Vec<u64>)) -> Answer {
    let mut out = vec![];
    batch_filter(level(), mask, values, &mut out);
    bits(&out)
}

fn naive<T: Element>((values, mask): &(Vec<T>, Vec<u64>)) -> Answer {
    let rows = (0..values.len()).filter(|row| bit(mask, *row));
    bits(&rows.map(|row| values[row]).collect::<Vec<_>>())
}

fn rows_of((first, mask): &(Vec<u32>, Vec<u64>)) -> Answer {
    let mut out = vec![];
    filter_rows(level(), mask, first.first().copied().unwrap_or(0), &mut out);
    bits(&out)
}

fn naive_rows((first, mask): &(Vec<u32>, Vec<u64>)) -> Answer {
    let first_row = first.first().copied().unwrap_or(0);
    let rows = (0..first.len()).filter(|row| bit(mask, *row));
    bits(&rows.map(|row| first_row.wrapping_add(row as u32)).collect::<Vec<_>>())
}

type Bits = (Vec<u64>, Vec<u64>);

/// Two filters after one another, so that the second starts within a word.
fn bits_of((mask, values): &Bits) -> Answer {
    let (mut out, mut len) = (vec![], 0);
    filter_bits(level(), mask, values, &mut out, &mut len);
    filter_bits(level(), mask, values, &mut out, &mut len);
    out.push(len as u64);
    out
}

fn naive_bits((mask, values): &Bits) -> Answer {
    let rows = (0..mask.len() * 64).filter(|row| bit(mask, *row));
    let one: Vec<bool> = rows.map(|row| bit(values, row)).collect();
    let both = one.repeat(2);
    let pack = |bits: &[bool]| {
        bits.iter().enumerate().fold(0, |word, (i, bit)| word | u64::from(*bit) << i)
    };
    assert_eq!(one.len(), kept(mask));
    both.chunks(64).map(pack).chain([both.len() as u64]).collect()
}

fn two_masks(rows: usize) -> proptest::strategy::BoxedStrategy<Bits> {
    proptest::strategy::Strategy::boxed((mask(rows), mask(rows)))
}

suite! {
    batch_filter {
        i8: masked::<i8> => filter, naive;
        u8: masked::<u8> => filter, naive;
        i16: masked::<i16> => filter, naive;
        u16: masked::<u16> => filter, naive;
        i32: masked::<i32> => filter, naive;
        u32: masked::<u32> => filter, naive;
        f32: masked::<f32> => filter, naive;
        i64: masked::<i64> => filter, naive;
        u64: masked::<u64> => filter, naive;
        f64: masked::<f64> => filter, naive;
        i128: masked::<i128> => filter, naive;
        u128: masked::<u128> => filter, naive;
        rows: masked::<u32> => rows_of, naive_rows;
        bits: two_masks => bits_of, naive_bits;
    }
}
