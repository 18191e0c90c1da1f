//! The running values of a horizon: an entry in, an entry out.

use super::layout::{Accumulator, AccumulatorKind, Layout};
use super::numbers::{DoubleDouble, NonFinite, add_square, load_i128, store_i128, two_square};

/// Adds an entry to (or takes it from) a horizon's accumulators. A null has the value 0.
#[inline]
pub(super) fn accumulate<const ADD: bool>(
    accumulators: &[Accumulator],
    block: &mut [u64],
    entry: &[u64],
    layout: &Layout,
    overflow: &mut Option<u32>,
) {
    for accumulator in accumulators {
        let at = accumulator.at;
        let step = |word: &mut u64, by: u64| {
            *word = if ADD { word.wrapping_add(by) } else { word.wrapping_sub(by) };
        };
        match accumulator.kind {
            AccumulatorKind::Nulls => {
                step(&mut block[at], u64::from(layout.flags(entry) >> accumulator.measure & 1));
            }
            AccumulatorKind::Trues => {
                let bit = accumulator.word as u32;
                step(&mut block[at], u64::from(layout.flags(entry) >> bit & 1));
            }
            AccumulatorKind::Sum => {
                let value = i128::from(entry[accumulator.word] as i64);
                let sum = load_i128(block, at);
                // 2^64 rows of 64-bit values fit into 128 bits: no overflow is possible.
                store_i128(block, at, if ADD { sum + value } else { sum - value });
            }
            AccumulatorKind::SumOfSquares => {
                let value = entry[accumulator.word] as i64;
                match add_square::<ADD>(load_i128(block, at), value) {
                    Some(sum) => store_i128(block, at, sum),
                    None => *overflow = Some(accumulator.measure),
                }
            }
            AccumulatorKind::FloatSum => {
                let value = f64::from_bits(entry[accumulator.word]);
                if value.is_finite() {
                    let value = if ADD { value } else { -value };
                    DoubleDouble::load(block, at).add(value).store(block, at);
                } else {
                    NonFinite::load(block, at + 2).count(value, ADD).store(block, at + 2);
                }
            }
            AccumulatorKind::FloatSumOfSquares => {
                let value = f64::from_bits(entry[accumulator.word]);
                if value.is_finite() {
                    let (square, rest) = two_square(value);
                    let sign = if ADD { 1.0 } else { -1.0 };
                    DoubleDouble::load(block, at)
                        .add(sign * square)
                        .add(sign * rest)
                        .store(block, at);
                }
            }
        }
    }
}
