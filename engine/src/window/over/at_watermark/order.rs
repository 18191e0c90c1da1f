//! Putting rows into the order of their times: least significant digit first, by counting.
//!
//! What is sorted spans little time (a release), so few bits of it differ: two or three passes.
//! A radix sort is stable, which is what keeps rows of one time by position. Source: Knuth,
//! TAOCP 3, 5.2.5.

use super::waiting::Entry;

/// Below so many entries a comparison sort is faster.
const FEW: usize = 128;

/// Bits a pass: 2048 counters stay in L1.
const DIGIT_BITS: u32 = 11;

/// Beyond so many passes a comparison sort is faster.
const PASSES_MAX: u32 = 4;

/// Sorts entries by time, then place. `entries` must be in the order of their places.
pub(super) fn sort_by_time(entries: &mut Vec<Entry>, spare: &mut Vec<Entry>) {
    if entries.is_sorted() {
        return;
    }
    let (least, most) = entries
        .iter()
        .fold((i64::MAX, i64::MIN), |(a, b), entry| (a.min(entry.time), b.max(entry.time)));
    let bits = u64::BITS - (most.wrapping_sub(least) as u64).leading_zeros();
    let passes = bits.div_ceil(DIGIT_BITS);
    let in_order = entries.is_sorted_by_key(|entry| entry.place);
    if entries.len() < FEW || passes > PASSES_MAX || !in_order {
        entries.sort_unstable();
        return;
    }
    let digit_bits = bits.div_ceil(passes);
    spare.clear();
    spare.resize(entries.len(), Entry::default());
    for pass in 0..passes {
        let digit = |entry: &Entry| {
            let time = entry.time.wrapping_sub(least) as u64;
            (time >> (pass * digit_bits)) as usize & ((1 << digit_bits) - 1)
        };
        let mut starts = [0_u32; 1 << DIGIT_BITS];
        entries.iter().for_each(|entry| starts[digit(entry)] += 1);
        let mut sum = 0;
        for start in &mut starts {
            sum += std::mem::replace(start, sum);
        }
        for entry in entries.iter() {
            let start = &mut starts[digit(entry)];
            spare[*start as usize] = *entry;
            *start += 1;
        }
        std::mem::swap(entries, spare);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn entries_are_sorted(
            times in prop::collection::vec(0..i64::MAX, 0..600),
            shift in 0..60_u32,
            base in any::<i64>(),
        ) {
            let mut entries: Vec<Entry> = times
                .iter()
                .enumerate()
                .map(|(i, &time)| Entry { time: base.wrapping_add(time >> shift), place: i as u64 })
                .collect();
            let mut expected = entries.clone();
            expected.sort();
            sort_by_time(&mut entries, &mut Vec::new());
            prop_assert_eq!(entries, expected);
        }
    }
}
