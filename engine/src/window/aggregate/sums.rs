//! Exact sums of integers or decimals, an entry each.
//!
//! They are kept in 64 bits for as long as all are sure to fit, in 128 after that: most sums are
//! small, and half the bytes are half the time where tables are larger than a cache. *Sure* is a
//! bound, not a look at each sum: of rows that come, the bits of the largest value times their
//! number are added to it; of another table, its bound. So no addition is checked, and the answer
//! is the same in both widths.

use std::borrow::Cow;

use pelton_kernels::simd::level;
use pelton_kernels::window_combine;

use super::cells::{Entries, fold, fold_counting};
use crate::state::room;

/// Sums, an entry each.
#[derive(Debug, Clone)]
pub(crate) enum Sums {
    /// No sum is further from 0 than `bound`, which is at most `i64::MAX`.
    Narrow {
        sums: Vec<i64>,
        bound: u64,
    },
    Wide(Vec<i128>),
}

/// The largest bound that 64 bits hold.
const BOUND_MAX: u64 = i64::MAX as u64;

/// A number that no value is further from 0 than, not more than twice as large as it must be.
#[inline]
fn magnitude(values: impl Iterator<Item = i64>) -> u64 {
    // With all bits turned a value below 0 has those of its distance from −1.
    values.fold(0, |bits, v| bits | (v ^ (v >> 63)) as u64).saturating_add(1)
}

/// As [`magnitude`], of wide values; `None` where that is beyond 64 bits.
#[inline]
fn wide_magnitude(values: impl Iterator<Item = i128>) -> Option<u64> {
    let bits = values.fold(0, |bits, v| bits | (v ^ (v >> 127)) as u128);
    u64::try_from(bits).ok()?.checked_add(1)
}

impl Default for Sums {
    fn default() -> Self {
        Self::Narrow { sums: Vec::new(), bound: 0 }
    }
}

impl Sums {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Narrow { sums, .. } => sums.len(),
            Self::Wide(sums) => sums.len(),
        }
    }

    pub(super) fn resize(&mut self, len: usize) {
        match self {
            _ if len == 0 => self.clear(),
            Self::Narrow { sums, .. } => room::resize(sums, len, 0),
            Self::Wide(sums) => room::resize(sums, len, 0),
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Narrow { sums, bound } => {
                sums.clear();
                *bound = 0;
            }
            Self::Wide(_) => *self = Self::default(),
        }
    }

    pub(super) fn reserve(&mut self, entries: usize) {
        match self {
            Self::Narrow { sums, .. } => sums.reserve(entries),
            Self::Wide(sums) => sums.reserve(entries),
        }
    }

    pub(super) fn reset(&mut self, at: usize) {
        match self {
            Self::Narrow { sums, .. } => sums[at] = 0,
            Self::Wide(sums) => sums[at] = 0,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Narrow { sums, .. } => room::bytes(sums),
            Self::Wide(sums) => room::bytes(sums),
        }
    }

    /// All sums in 128 bits.
    pub(super) fn wide(&self) -> Cow<'_, [i128]> {
        match self {
            Self::Narrow { sums, .. } => sums.iter().map(|&sum| sum.into()).collect(),
            Self::Wide(sums) => Cow::Borrowed(sums),
        }
    }

    /// Sees to it that sums may move this much further from 0.
    fn make_room(&mut self, more: Option<u64>) {
        if let Self::Narrow { sums, bound } = self {
            match more.and_then(|more| bound.checked_add(more)).filter(|&all| all <= BOUND_MAX) {
                Some(all) => *bound = all,
                None => *self = Self::Wide(sums.iter().map(|&sum| sum.into()).collect()),
            }
        }
    }

    /// Adds value i to the sum of entry `entries[i]`: as many values as entries.
    pub(super) fn add(&mut self, entries: &[u32], values: impl Iterator<Item = i64> + Clone) {
        self.make_room(magnitude(values.clone()).checked_mul(entries.len() as u64));
        match self {
            Self::Narrow { sums, .. } => fold(sums, Entries::Listed(entries), values, |a, b| a + b),
            // 2^63 values of 64 bits fit in 128.
            Self::Wide(sums) => {
                fold(sums, Entries::Listed(entries), values, |a, b| a + i128::from(b));
            }
        }
    }

    /// As [`Sums::add`], and counts the entries; does nothing, and says so, where sums may need more
    /// than 64 bits.
    #[must_use]
    pub(super) fn add_counting(
        &mut self,
        entries: &[u32],
        values: &[i64],
        counts: &mut [u64],
    ) -> bool {
        self.make_room(magnitude(values.iter().copied()).checked_mul(entries.len() as u64));
        let Self::Narrow { sums, .. } = self else { return false };
        fold_counting(sums, counts, entries, values.iter().copied(), |a, b| a + b);
        true
    }

    /// As [`Sums::add`], of wide values; `None` where a sum exceeds 128 bits.
    #[must_use]
    pub(super) fn add_wide(
        &mut self,
        entries: &[u32],
        values: impl Iterator<Item = i128> + Clone,
    ) -> Option<()> {
        let most = wide_magnitude(values.clone());
        self.make_room(most.and_then(|most| most.checked_mul(entries.len() as u64)));
        match self {
            Self::Narrow { sums, .. } => {
                fold(sums, Entries::Listed(entries), values, |a, b| a + b as i64);
                Some(())
            }
            Self::Wide(sums) => {
                fold_checked(sums, Entries::Listed(entries), values, i128::checked_add)
            }
        }
    }

    /// Adds a sum of values to the only one.
    pub(super) fn add_to_only(&mut self, added: i128) {
        match self {
            Self::Narrow { sums, bound } => {
                let sum = i128::from(sums[0]) + added;
                match i64::try_from(sum) {
                    Ok(narrow) if narrow != i64::MIN => {
                        (sums[0], *bound) = (narrow, (*bound).max(narrow.unsigned_abs()));
                    }
                    _ => *self = Self::Wide(vec![sum]),
                }
            }
            Self::Wide(sums) => sums[0] += added,
        }
    }

    /// Adds sum i of `from` to that of entry `entries[i]`; `None` where it exceeds 128 bits.
    #[must_use]
    pub(super) fn combine(&mut self, from: &Self, entries: Entries<'_>) -> Option<()> {
        self.make_room(from.bound());
        match (&mut *self, from) {
            (Self::Narrow { sums, .. }, Self::Narrow { sums: from, .. }) => {
                match entries {
                    Entries::Same(_) => window_combine::add_i64(level(), sums, from),
                    entries => fold(sums, entries, from.iter().copied(), |a, b| a + b),
                }
                Some(())
            }
            (Self::Wide(sums), from) => {
                fold_checked(sums, entries, from.wide().iter().copied(), i128::checked_add)
            }
            // A wide table has no bound: room for it is wide.
            (Self::Narrow { .. }, Self::Wide(_)) => None,
        }
    }

    /// Undoes [`Sums::combine`]: `from` is what it was then.
    #[must_use]
    pub(super) fn subtract(&mut self, from: &Self, entries: Entries<'_>) -> Option<()> {
        match (&mut *self, from) {
            (Self::Narrow { sums, bound }, Self::Narrow { sums: from, bound: gone }) => {
                match entries {
                    Entries::Same(_) => window_combine::subtract_i64(level(), sums, from),
                    entries => fold(sums, entries, from.iter().copied(), |a, b| a - b),
                }
                // What is left is the sum of what else was added.
                *bound = bound.saturating_sub(*gone);
                Some(())
            }
            (Self::Wide(sums), from) => {
                fold_checked(sums, entries, from.wide().iter().copied(), i128::checked_sub)
            }
            // Adding it has made the sums wide.
            (Self::Narrow { .. }, Self::Wide(_)) => None,
        }
    }

    fn bound(&self) -> Option<u64> {
        match self {
            Self::Narrow { bound, .. } => Some(*bound),
            Self::Wide(_) => None,
        }
    }

    /// As wide as another at least, to take its sums in.
    fn widen_to(&mut self, from: &Self) {
        match (&mut *self, from) {
            (Self::Narrow { bound, .. }, Self::Narrow { bound: other, .. }) => {
                *bound = (*bound).max(*other);
            }
            (Self::Narrow { .. }, Self::Wide(_)) => self.make_room(None),
            (Self::Wide(_), _) => {}
        }
    }

    /// Appends the sums of entries of `from`.
    pub(super) fn gather(&mut self, from: &Self, entries: &[u32]) {
        self.widen_to(from);
        match (self, from) {
            (Self::Narrow { sums, .. }, Self::Narrow { sums: from, .. }) => {
                sums.extend(entries.iter().map(|&at| from[at as usize]));
            }
            (Self::Wide(sums), Self::Narrow { sums: from, .. }) => {
                sums.extend(entries.iter().map(|&at| i128::from(from[at as usize])));
            }
            (Self::Wide(sums), Self::Wide(from)) => {
                sums.extend(entries.iter().map(|&at| from[at as usize]));
            }
            (Self::Narrow { .. }, Self::Wide(_)) => unreachable!("widened to it"),
        }
    }

    /// Appends all sums of `from`.
    pub(super) fn append(&mut self, from: &Self) {
        self.widen_to(from);
        match (self, from) {
            (Self::Narrow { sums, .. }, Self::Narrow { sums: from, .. }) => {
                sums.extend_from_slice(from);
            }
            (Self::Wide(sums), from) => sums.extend_from_slice(&from.wide()),
            (Self::Narrow { .. }, Self::Wide(_)) => unreachable!("widened to it"),
        }
    }
}

/// As [`fold`], with an operation that can overflow; `None` where it did.
#[inline]
fn fold_checked(
    sums: &mut [i128],
    entries: Entries<'_>,
    values: impl Iterator<Item = i128>,
    op: impl Fn(i128, i128) -> Option<i128>,
) -> Option<()> {
    let mut fits = true;
    fold(sums, entries, values, |a, b| {
        let result = op(a, b);
        fits &= result.is_some();
        result.unwrap_or(a)
    });
    fits.then_some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = i64> {
        prop_oneof![-3..4i64, any::<i64>(), Just(i64::MAX), Just(i64::MIN), Just(i64::MIN + 1)]
    }

    #[derive(Debug, Clone)]
    enum Step {
        Rows(Vec<(u32, i64)>),
        WideRows(Vec<(u32, i128)>),
        Only(Vec<i64>),
        Combine(Vec<(u32, i64)>),
        Undo,
        Reset(u32),
        Copy(Vec<u32>),
    }

    fn step() -> impl Strategy<Value = Step> {
        let rows = || prop::collection::vec((0..4u32, value()), 0..6);
        let wide = prop_oneof![value().prop_map(i128::from), -(1i128 << 80)..(1i128 << 80)];
        prop_oneof![
            rows().prop_map(Step::Rows),
            prop::collection::vec((0..4u32, wide), 0..6).prop_map(Step::WideRows),
            prop::collection::vec(value(), 0..6).prop_map(Step::Only),
            rows().prop_map(Step::Combine),
            Just(Step::Undo),
            (0..4u32).prop_map(Step::Reset),
            prop::collection::vec(0..4u32, 0..9).prop_map(Step::Copy),
        ]
    }

    fn add(sums: &mut Sums, rows: &[(u32, i64)]) {
        let entries: Vec<u32> = rows.iter().map(|row| row.0).collect();
        sums.add(&entries, rows.iter().map(|row| row.1));
    }

    proptest! {
        #[test]
        fn sums_are_those_in_128_bits(steps in prop::collection::vec(step(), 0..12)) {
            let mut sums = Sums::default();
            sums.resize(4);
            let mut expected = [0i128; 4];
            let mut added: Vec<(Sums, [i128; 4])> = Vec::new();
            for step in steps {
                match step {
                    Step::Rows(rows) => {
                        add(&mut sums, &rows);
                        rows.iter().for_each(|row| expected[row.0 as usize] += i128::from(row.1));
                    }
                    Step::WideRows(rows) => {
                        let entries: Vec<u32> = rows.iter().map(|row| row.0).collect();
                        sums.add_wide(&entries, rows.iter().map(|row| row.1)).expect("fits");
                        rows.iter().for_each(|row| expected[row.0 as usize] += row.1);
                    }
                    Step::Only(values) => {
                        let mut only = Sums::default();
                        only.resize(1);
                        let sum: i128 = values.iter().copied().map(i128::from).sum();
                        only.add_to_only(sum);
                        only.add_to_only(sum);
                        sums.combine(&only, Entries::Listed(&[2])).expect("fits");
                        expected[2] += 2 * sum;
                    }
                    Step::Combine(rows) => {
                        let mut other = Sums::default();
                        other.resize(4);
                        add(&mut other, &rows);
                        let mut values = [0; 4];
                        rows.iter().for_each(|row| values[row.0 as usize] += i128::from(row.1));
                        sums.combine(&other, Entries::Same(4)).expect("fits");
                        expected.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
                        added.push((other, values));
                    }
                    Step::Undo => {
                        if let Some((other, values)) = added.pop() {
                            sums.subtract(&other, Entries::Listed(&[0, 1, 2, 3])).expect("fits");
                            expected.iter_mut().zip(values).for_each(|(sum, value)| *sum -= value);
                        }
                    }
                    Step::Reset(at) => {
                        // What was added before cannot be taken away any more.
                        added.clear();
                        sums.reset(at as usize);
                        expected[at as usize] = 0;
                    }
                    Step::Copy(entries) => {
                        let mut copy = Sums::default();
                        copy.gather(&sums, &entries);
                        copy.append(&sums);
                        let of = entries.iter().map(|&at| expected[at as usize]);
                        let all: Vec<i128> = of.chain(expected).collect();
                        prop_assert_eq!(copy.wide().to_vec(), all);
                        prop_assert_eq!(copy.len(), entries.len() + 4);
                    }
                }
                prop_assert_eq!(sums.wide().to_vec(), expected.to_vec());
            }
        }
    }
}
