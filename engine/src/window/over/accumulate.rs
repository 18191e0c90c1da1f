//! The running values of a horizon: an entry in, an entry out.

use super::layout::{AccumulatorKind, HorizonLayout, Layout, NULL_BITS};
use super::numbers::{DoubleDouble, NonFinite, add_square, load_i128, store_i128, two_square};
use super::ring::View;

/// Adds an entry of the log to (or takes it from) a horizon's accumulators. A null has the
/// value 0.
pub(super) fn accumulate<const ADD: bool>(
    horizon: &HorizonLayout,
    block: &mut [u64],
    log: &View<'_>,
    sequence: u32,
    layout: &Layout,
    overflow: &mut Option<u32>,
) {
    let entry = log.entry(sequence);
    let flags = layout.flags(entry);
    if flags & NULL_BITS != 0 {
        for nulls in &horizon.null_counts {
            step::<ADD>(&mut block[nulls.at], flags >> nulls.measure & 1);
        }
    }
    if let Some((bit, at)) = horizon.only_trues {
        step::<ADD>(&mut block[at], flags >> bit & 1);
        return;
    }
    for accumulator in &horizon.accumulators {
        let at = accumulator.at;
        match accumulator.kind {
            AccumulatorKind::Nulls => unreachable!("null counts have a list of their own"),
            AccumulatorKind::Trues => step::<ADD>(&mut block[at], flags >> accumulator.word & 1),
            AccumulatorKind::SumOfSquares => {
                let next = match log.following(sequence) {
                    Some(next) => next[accumulator.word],
                    None => block[accumulator.total],
                };
                let value = next.wrapping_sub(entry[accumulator.word]) as i64;
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

#[inline]
fn step<const ADD: bool>(count: &mut u64, by: u32) {
    *count = if ADD { count.wrapping_add(by.into()) } else { count.wrapping_sub(by.into()) };
}
