//! Inputs of so many rows: edge values, alone and mixed with any others; masks of every density.

use std::fmt::Debug;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::Answer;
use crate::columns::words;

/// A value of a column.
pub(super) trait Element: Copy + Debug + Arbitrary + 'static {
    /// Values at which something may go wrong.
    const EDGES: &'static [Self];
    /// The value as bits.
    fn answer(self) -> [u64; 2];
}

macro_rules! integers {
    ($($type:ident),*) => {$(
        impl Element for $type {
            const EDGES: &'static [Self] =
                &[0, 1, 2, 63, $type::MAX, $type::MAX - 1, $type::MIN, $type::MIN + 1];
            fn answer(self) -> [u64; 2] {
                [self as u64, (self as i128 >> 64) as u64]
            }
        }
    )*};
}
integers!(i8, i16, i32, i64, i128, u8, u16, u32, u64, u128);

macro_rules! floats {
    ($($type:ident: $($nan:literal)*;)*) => {$(
        impl Element for $type {
            const EDGES: &'static [Self] = &[
                0.0, -0.0, 1.0, -1.0, 0.5, $type::NAN, -$type::NAN, $type::INFINITY,
                $type::NEG_INFINITY, $type::MAX, $type::MIN, $type::MIN_POSITIVE,
                $type::MIN_POSITIVE / 2.0, $type::EPSILON, $($type::from_bits($nan)),*
            ];
            fn answer(self) -> [u64; 2] {
                [u64::from(self.to_bits()), 0]
            }
        }
    )*};
}
floats! {
    f32: 0x7fc0_1234 1;
    f64: 0x7ff8_0000_0000_1234 1;
}

/// A column of so many rows.
pub(super) fn column<T: Element>(rows: usize) -> BoxedStrategy<Vec<T>> {
    let mixed = prop_oneof![select(T::EDGES), any::<T>()];
    prop_oneof![3 => vec(mixed, rows), 1 => select(T::EDGES).prop_map(move |v| vec![v; rows])]
        .boxed()
}

/// Two columns and a mask.
pub(super) type Columns<T> = (Vec<T>, Vec<T>, Vec<u64>);

pub(super) fn columns<T: Element>(rows: usize) -> BoxedStrategy<Columns<T>> {
    (column(rows), column(rows), mask(rows)).boxed()
}

/// A column and a mask.
pub(super) fn masked<T: Element>(rows: usize) -> BoxedStrategy<(Vec<T>, Vec<u64>)> {
    (column(rows), mask(rows)).boxed()
}

/// Bits for so many rows, none behind the last: no row, all, few, half, nearly all.
pub(super) fn mask(rows: usize) -> BoxedStrategy<Vec<u64>> {
    let word = || {
        prop_oneof![
            1 => Just(0),
            1 => Just(u64::MAX),
            2 => any::<u64>(),
            1 => any::<[u64; 4]>().prop_map(|w| w[0] & w[1] & w[2] & w[3]),
            1 => any::<[u64; 4]>().prop_map(|w| w[0] | w[1] | w[2] | w[3]),
        ]
    };
    vec(word(), words(rows))
        .prop_map(move |mut mask| {
            if let Some(last) = mask.last_mut().filter(|_| !rows.is_multiple_of(64)) {
                *last &= (1 << (rows % 64)) - 1;
            }
            mask
        })
        .boxed()
}

pub(super) fn bit(mask: &[u64], row: usize) -> bool {
    mask[row / 64] >> (row % 64) & 1 == 1
}

/// Values as they are, to the bit.
pub(super) fn bits<T: Element>(values: &[T]) -> Answer {
    values.iter().flat_map(|value| value.answer()).collect()
}

/// Results of arithmetic: which NaN comes out of an operation on NaNs is the processor's and the
/// compiler's choice, that it is one is not.
pub(super) fn numbers(values: &[f64]) -> Answer {
    let one = |value: &f64| if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
    values.iter().map(one).collect()
}

/// What `fill` makes of so many slots.
pub(super) fn filled<T: Copy + Default>(rows: usize, fill: impl FnOnce(&mut [T])) -> Vec<T> {
    let mut out = vec![T::default(); rows];
    fill(&mut out);
    out
}
