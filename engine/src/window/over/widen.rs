//! From sums of 64 bits to sums of 128: once in a run, before a window could overflow.

use super::layout::{FLAGS, FRESH, LAST_TIME, Layout};
use super::numbers::store_i128;
use super::ring::Ring;
use super::spec::OverPlan;
use super::state::{OverState, SEGMENT_KEYS};
use crate::state::lines::Lines;

impl OverState {
    /// Rewrites all logs and blocks with sums of two words.
    #[cold]
    pub(super) fn widen(&mut self, plan: &OverPlan) {
        let wide = Layout::new(plan, true);
        let segment = || Lines::zeroed(SEGMENT_KEYS * wide.block_words);
        let mut segments: Vec<Lines> = self.segments.iter().map(|_| segment()).collect();
        for key in 0..self.rings.len() {
            let old = self.block(key as u32);
            let at = key % SEGMENT_KEYS * wide.block_words;
            let block = &mut segments[key / SEGMENT_KEYS][at..at + wide.block_words];
            copy_block(&self.layout, old, &wide, block);
            let ring = widened(&self.layout, &self.rings[key], old, &wide, block);
            self.rings[key] = ring;
        }
        self.segments = segments;
        self.layout = wide;
    }
}

/// All of a block but its totals.
fn copy_block(narrow: &Layout, old: &[u64], wide: &Layout, new: &mut [u64]) {
    new[LAST_TIME] = old[LAST_TIME];
    new[FLAGS] = old[FLAGS] & !FRESH;
    for (from, to) in narrow.horizons.iter().zip(&wide.horizons) {
        new[to.cursors] = old[from.cursors];
        let from = from.accumulators.iter().chain(&from.null_counts);
        let to = to.accumulators.iter().chain(&to.null_counts);
        for (from, to) in from.zip(to) {
            let words = from.kind.words();
            new[to.at..to.at + words].copy_from_slice(&old[from.at..from.at + words]);
        }
    }
    for code in 0..narrow.codes {
        new[wide.code_states + code] = old[narrow.code_states + code];
    }
}

/// The log with sums that begin at its front, and the totals that belong to them.
fn widened(narrow: &Layout, ring: &Ring, old: &[u64], wide: &Layout, new: &mut [u64]) -> Ring {
    let mut running = vec![0i128; narrow.sums.len()];
    let mut sequence = ring.first();
    let log = ring.view(narrow.entry_words);
    let code_words = (narrow.codes + 1).div_ceil(2);
    let converted = ring.converted(narrow.entry_words, wide.entry_words, |from, to| {
        let following = log.following(sequence);
        to[0] = from[0];
        for ((sum, target), running) in narrow.sums.iter().zip(&wide.sums).zip(&mut running) {
            store_i128(to, target.word, *running);
            let next = following.map_or(old[sum.total], |next| next[sum.word]);
            *running += i128::from(next.wrapping_sub(from[sum.word]) as i64);
        }
        for (source, target) in narrow.floats.iter().zip(&wide.floats) {
            to[target.1] = from[source.1];
        }
        if let (Some(source), Some(target)) = (narrow.place_word, wide.place_word) {
            to[target] = from[source];
        }
        let (source, target) = (narrow.codes_word, wide.codes_word);
        to[target..target + code_words].copy_from_slice(&from[source..source + code_words]);
        sequence = sequence.wrapping_add(1);
    });
    for (sum, running) in wide.sums.iter().zip(running) {
        store_i128(new, sum.total, running);
    }
    converted
}
