//! Putting rows into the order of their times: least significant digit first, by counting.
//!
//! What is sorted spans little time (a release), so few bits of it differ, and time and number of
//! a row fit into one word: two or three passes over words, then the rows are fetched. A radix
//! sort is stable, which is what keeps rows of one time by position. Source: Knuth, TAOCP 3,
//! 5.2.5.

use super::waiting::Entry;

/// Below so many entries a comparison sort is faster.
const FEW: usize = 128;

/// Bits a pass: 4096 counters stay in L1.
const DIGIT_BITS: u32 = 12;

/// Beyond so many passes a comparison sort is faster.
const PASSES_MAX: usize = 4;

/// Words and entries that sorting writes to.
#[derive(Debug, Default)]
pub(super) struct Spare {
    words: Vec<u64>,
    other: Vec<u64>,
    entries: Vec<Entry>,
}

impl Spare {
    pub(super) fn bytes(&self) -> usize {
        let words = self.words.capacity() + self.other.capacity();
        words * 8 + self.entries.capacity() * size_of::<Entry>()
    }
}

/// Sorts entries by time, then place.
pub(super) fn sort_by_time(entries: &mut Vec<Entry>, spare: &mut Spare) {
    let Some(&first) = entries.first() else { return };
    let (mut least, mut most, mut before) = (first.time, first.time, first);
    let (mut is_sorted, mut has_places_in_order) = (true, true);
    for &entry in entries.iter() {
        least = least.min(entry.time);
        most = most.max(entry.time);
        is_sorted &= before.time <= entry.time;
        has_places_in_order &= before.place <= entry.place;
        before = entry;
    }
    if is_sorted && has_places_in_order {
        return;
    }
    let time_bits = u64::BITS - (most.wrapping_sub(least) as u64).leading_zeros();
    let number_bits = u64::BITS - (entries.len() as u64).leading_zeros();
    let passes = time_bits.div_ceil(DIGIT_BITS) as usize;
    let fits = time_bits + number_bits <= u64::BITS && (1..=PASSES_MAX).contains(&passes);
    if !has_places_in_order || !fits || entries.len() < FEW {
        entries.sort_unstable();
        return;
    }
    let Spare { words, other, entries: sorted } = spare;
    words.clear();
    words.extend(entries.iter().enumerate().map(|(number, entry)| {
        (entry.time.wrapping_sub(least) as u64) << number_bits | number as u64
    }));
    let digit_bits = time_bits.div_ceil(passes as u32);
    for pass in 0..passes as u32 {
        sort_by_digit(words, other, number_bits + pass * digit_bits, digit_bits);
        std::mem::swap(words, other);
    }
    let mask = (1 << number_bits) - 1;
    sorted.clear();
    sorted.extend(words.iter().map(|&word| entries[(word & mask) as usize]));
    std::mem::swap(entries, sorted);
}

/// Puts words into the order of so many of their bits, from bit `shift` on.
fn sort_by_digit(words: &[u64], sorted: &mut Vec<u64>, shift: u32, bits: u32) {
    let digit = |word: u64| (word >> shift) as usize & ((1 << bits) - 1);
    let mut starts = [0_u32; 1 << DIGIT_BITS];
    words.iter().for_each(|&word| starts[digit(word)] += 1);
    let mut sum = 0;
    for start in &mut starts[..1 << bits] {
        sum += std::mem::replace(start, sum);
    }
    sorted.resize(words.len(), 0);
    for &word in words {
        let start = &mut starts[digit(word)];
        sorted[*start as usize] = word;
        *start += 1;
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
            shift in 0..63_u32,
            base in any::<i64>(),
            turned in prop::bool::weighted(0.1),
        ) {
            let entry = |(i, &time): (usize, &i64)| {
                let place = if turned { 600 - i as u64 } else { i as u64 };
                Entry { time: base.saturating_add(time >> shift), place }
            };
            let mut entries: Vec<Entry> = times.iter().enumerate().map(entry).collect();
            let mut expected = entries.clone();
            expected.sort();
            sort_by_time(&mut entries, &mut Spare::default());
            prop_assert_eq!(entries, expected);
        }
    }
}
