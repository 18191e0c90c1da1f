//! Forgetting keys that have been idle.
//!
//! Without that a key that came once is known for ever: its id, a block of running values and its
//! newest row, some hundred bytes, which add up where keys come and go (visitors, devices).
//!
//! *When* cannot be seen from outside. What a key holds beyond the reach of its horizons is its
//! previous row alone. So where no column is about that row, a key that is idle for longer than
//! the reach answers as one that never came. Where one is, keys are known for ever, unless the
//! plan has a time to live T, at least as long as the reach: then a previous row that is T older
//! does not count ([`Lifetime`]), and keys are forgotten by T.
//!
//! So keys are looked through when it suits: once half as many rows have come as there are keys,
//! which costs each row as much as a look at two; and only where three quarters of them can go (a
//! quarter, if a time to live was asked for) is anything moved. The keys that stay keep their
//! order and get new ids without gaps.

use super::layout::LAST_TIME;
use super::multiset::Multiset;
use super::spec::OverPlan;
use super::state::{FIRST_MULTISET, OverState, SEGMENT_KEYS, is_past};
use crate::state::lines::Lines;

/// Up to so many rows keys are not looked through.
const ROWS_MIN: usize = if cfg!(test) { 8 } else { 1024 };

/// How long a key is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lifetime {
    /// A row so much younger than its key's row before it is that of a new key. `None`: no column
    /// can tell.
    time_to_live: Option<u64>,
    /// A key whose newest row is so much older than the largest time is forgotten: no row can
    /// come that would have seen any of it.
    forgotten_after: u64,
    /// Rows since keys were looked through.
    rows: usize,
}

impl Lifetime {
    /// `None`: keys are known for ever.
    pub(super) fn of(plan: &OverPlan) -> Option<Self> {
        if plan.key_ttl.is_none() && plan.outputs.iter().any(|(_, output)| output.is_history()) {
            return None;
        }
        // A row that is later than the slack counts what is younger than this, before the
        // largest time; any other is at most the slack behind it.
        let memory = plan.reach().saturating_add(plan.memory_slack());
        let idle = plan.key_ttl.unwrap_or(0).max(memory) as u64;
        let behind = plan.memory_slack().max(plan.delay) as u64;
        Some(Self {
            time_to_live: plan.key_ttl.map(|key_ttl| key_ttl as u64),
            forgotten_after: idle.saturating_add(behind),
            rows: 0,
        })
    }

    /// Whether a row at `time` still knows its key's row before it, of time `previous`. `largest`:
    /// as [`OverState::advance`].
    #[inline]
    pub(super) fn knows(&self, previous: i64, time: i64, largest: Option<i64>) -> bool {
        let Some(time_to_live) = self.time_to_live else { return true };
        let forgotten = |largest| is_past(previous, largest, self.forgotten_after);
        !is_past(previous, time, time_to_live) && !largest.is_some_and(forgotten)
    }
}

impl OverState {
    /// The keys that stay, after so many more rows; `None`: all do, or it is not yet time to look.
    pub(super) fn survivors(&mut self, rows: usize) -> Option<Vec<u32>> {
        let (largest, keys) = (self.largest, self.keys());
        let lifetime = self.lifetime.as_mut()?;
        lifetime.rows += rows;
        if 2 * lifetime.rows < keys.max(ROWS_MIN) {
            return None;
        }
        lifetime.rows = 0;
        let after = lifetime.forgotten_after;
        // Unasked, keys that will soon come again are dearer to forget than to know.
        let most = if lifetime.time_to_live.is_some() { keys - keys / 4 } else { keys / 4 };
        let stays = |&key: &u32| {
            let ring = &self.rings[key as usize];
            ring.len() > 0 && !is_past(self.block(key)[LAST_TIME] as i64, largest, after)
        };
        let kept: Vec<u32> = (0..keys as u32).filter(stays).collect();
        (kept.len() < keys && kept.len() <= most).then_some(kept)
    }

    /// Forgets all keys but those of the ids `kept` (ascending); the one at `i` gets the id `i`.
    pub(super) fn retain_keys(&mut self, kept: &[u32]) {
        let words = self.layout.block_words;
        let segments = kept.len().div_ceil(SEGMENT_KEYS);
        let mut blocks: Vec<Lines> =
            (0..segments).map(|_| Lines::zeroed(SEGMENT_KEYS * words)).collect();
        let mut multisets = Vec::new();
        for (new, &old) in kept.iter().enumerate() {
            let at = new % SEGMENT_KEYS * words;
            let block = &mut blocks[new / SEGMENT_KEYS][at..at + words];
            block.copy_from_slice(self.block(old));
            let codes = self.layout.code_states..self.layout.code_states + self.layout.codes;
            for state in block[codes].iter_mut().filter(|state| **state >> 32 >= FIRST_MULTISET) {
                let number = ((*state >> 32) - FIRST_MULTISET) as usize;
                *state = (multisets.len() as u64 + FIRST_MULTISET) << 32;
                let taken = std::mem::replace(&mut self.multisets[number], Multiset::new(0));
                multisets.push(taken);
            }
        }
        self.segments = blocks;
        self.multisets = multisets;
        self.rings =
            kept.iter().map(|&old| std::mem::take(&mut self.rings[old as usize])).collect();
        self.sweep_next = 0;
    }
}
