//! Values in the order of their numbers, of which most follow one another without a gap.
//!
//! Panes come at the end and go at the front, a few at a time, and are looked for by number, some
//! times for each window: a queue, where a number mostly says the place by itself.

use std::collections::VecDeque;
use std::ops::Range;

/// Values by number.
#[derive(Debug)]
pub(super) struct Numbered<T>(VecDeque<(i128, T)>);

impl<T> Numbered<T> {
    /// None yet.
    pub(super) fn new() -> Self {
        Self(VecDeque::new())
    }

    /// How many have a number below this one.
    fn before(&self, number: i128) -> usize {
        let Some((first, _)) = self.0.front() else { return 0 };
        let guess = number.saturating_sub(*first).clamp(0, self.0.len() as i128) as usize;
        // Right where no number is left out.
        let is_before = |at: usize| self.0.get(at).is_none_or(|(of, _)| *of < number);
        if (guess == 0 || is_before(guess - 1)) && self.0.get(guess).is_none_or(|p| p.0 >= number) {
            return guess;
        }
        self.0.partition_point(|(of, _)| *of < number)
    }

    /// The places of those of these numbers.
    pub(super) fn places(&self, numbers: Range<i128>) -> Range<usize> {
        let first = self.before(numbers.start);
        first..self.before(numbers.end).max(first)
    }

    /// Those of these numbers, in their order.
    pub(super) fn range(&self, numbers: Range<i128>) -> impl Iterator<Item = (i128, &T)> {
        self.0.range(self.places(numbers)).map(|(number, value)| (*number, value))
    }

    /// The one at a place.
    pub(super) fn at_mut(&mut self, place: usize) -> &mut T {
        &mut self.0[place].1
    }

    /// The one of a number; where there is none, what `make` gives becomes it.
    pub(super) fn get_or_insert_with(&mut self, number: i128, make: impl FnOnce() -> T) -> &mut T {
        let place = self.before(number);
        if self.0.get(place).is_none_or(|(of, _)| *of != number) {
            self.0.insert(place, (number, make()));
        }
        &mut self.0[place].1
    }

    /// The last number.
    pub(super) fn last(&self) -> Option<i128> {
        self.0.back().map(|(number, _)| *number)
    }

    /// The first number from this one on.
    pub(super) fn next_from(&self, number: i128) -> Option<i128> {
        self.0.get(self.before(number)).map(|(number, _)| *number)
    }

    /// Takes out the first, where its number is below `end`.
    pub(super) fn pop_before(&mut self, end: i128) -> Option<(i128, T)> {
        self.0.pop_front_if(|(number, _)| *number < end)
    }

    /// All, in their order.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, value)| value)
    }

    /// As [`Numbered::values`].
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::Numbered;

    proptest! {
        /// What a map from numbers to values answers.
        #[test]
        fn it_is_a_map(
            steps in prop::collection::vec((-20..40i128, 0..4u8), 0..60),
            far in prop::bool::ANY,
        ) {
            let (mut map, mut numbered) = (BTreeMap::new(), Numbered::new());
            for (at, &(number, step)) in steps.iter().enumerate() {
                let number = if far && at % 7 == 0 { number << 100 } else { number };
                match step {
                    0 => {
                        let first = map.first_key_value().map(|(n, v)| (*n, *v));
                        let first = first.filter(|(n, _)| *n < number);
                        if let Some((n, _)) = first {
                            map.remove(&n);
                        }
                        prop_assert_eq!(numbered.pop_before(number), first);
                    }
                    _ => {
                        let known = *map.entry(number).or_insert(at);
                        prop_assert_eq!(*numbered.get_or_insert_with(number, || at), known);
                    }
                }
                let end = number + i128::from(step) * 5;
                let wanted: Vec<_> = map.range(number..end).map(|(n, v)| (*n, *v)).collect();
                let given: Vec<_> = numbered.range(number..end).map(|(n, v)| (n, *v)).collect();
                prop_assert_eq!(given, wanted);
                prop_assert_eq!(numbered.next_from(end), map.range(end..).next().map(|p| *p.0));
                prop_assert_eq!(numbered.last(), map.last_key_value().map(|p| *p.0));
                prop_assert!(numbered.values().eq(map.values()));
            }
        }
    }
}
