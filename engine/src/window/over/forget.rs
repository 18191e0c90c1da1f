//! Forgetting idle keys, where the plan says after how long.
//!
//! Without that a key that came once is known for ever: its id, a block of running values and its
//! newest row, some hundred bytes, which add up where keys come and go (visitors, devices).
//!
//! *When* cannot be seen from outside. A time to live T is at least as long as every horizon
//! reaches, so no window of a row holds rows that are T older; all that a key remembers beyond
//! that is its previous row, and that does not count either once it is T older ([`Lifetime`]).
//! So a forgotten key answers as one that is still known, and keys are looked through when it
//! suits: four times in a time to live, which spreads the cost over all rows of that time.
//!
//! The keys that stay keep their order and get new ids without gaps.

use super::layout::LAST_TIME;
use super::spec::OverPlan;
use super::state::{FIRST_MULTISET, OverState, SEGMENT_KEYS, is_past};
use crate::state::lines::Lines;

/// Keys are looked through so many times in a time to live.
const SWEEPS: i64 = 4;

/// How long a key is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lifetime {
    /// A row so much younger than its key's row before it is that of a new key.
    time_to_live: u64,
    /// A key whose newest row is so much older than the largest time is forgotten: no row can
    /// come that would have seen any of it.
    forgotten_after: u64,
    step: i64,
    /// Number of the last step that the largest time has passed.
    swept: Option<i64>,
}

impl Lifetime {
    pub(super) fn of(plan: &OverPlan) -> Option<Self> {
        let time_to_live = plan.key_ttl?;
        // A row that is later than the slack counts what is younger than this, before the
        // largest time; any other is at most the slack behind it.
        let memory = plan.reach().saturating_add(plan.memory_slack());
        let behind = plan.memory_slack().max(plan.delay);
        Some(Self {
            time_to_live: time_to_live as u64,
            forgotten_after: time_to_live.max(memory) as u64 + behind as u64,
            step: (time_to_live / SWEEPS).max(1),
            swept: None,
        })
    }

    /// Whether a row at `time` still knows its key's row before it, of time `previous`. `largest`:
    /// as [`OverState::advance`].
    #[inline]
    pub(super) fn knows(&self, previous: i64, time: i64, largest: Option<i64>) -> bool {
        let forgotten = |largest| is_past(previous, largest, self.forgotten_after);
        !is_past(previous, time, self.time_to_live) && !largest.is_some_and(forgotten)
    }
}

impl OverState {
    /// The keys that stay, now that the largest time is `self.largest`; `None`: all do, or it
    /// is not yet time to look.
    pub(super) fn survivors(&mut self) -> Option<Vec<u32>> {
        let largest = self.largest;
        let lifetime = self.lifetime.as_mut()?;
        let step = largest.div_euclid(lifetime.step);
        let before = lifetime.swept.replace(step)?;
        if step <= before {
            return None;
        }
        let after = lifetime.forgotten_after;
        let stays = |&key: &u32| {
            let ring = &self.rings[key as usize];
            ring.len() > 0 && !is_past(self.block(key)[LAST_TIME] as i64, largest, after)
        };
        let kept: Vec<u32> = (0..self.keys() as u32).filter(stays).collect();
        (kept.len() < self.keys()).then_some(kept)
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
                multisets.push(std::mem::take(&mut self.multisets[number]));
            }
        }
        self.segments = blocks;
        self.multisets = multisets;
        self.rings =
            kept.iter().map(|&old| std::mem::take(&mut self.rings[old as usize])).collect();
        self.sweep_next = 0;
    }
}
