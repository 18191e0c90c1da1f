//! Forgetting idle keys, where the plan says after how long.
//!
//! Without that a key that was seen once is known for ever: a few dozen bytes (its value, its id,
//! where it was first seen), which add up where keys come and go (visitors, requests, devices).
//! With it a key is forgotten that no open window holds and whose newest row is older than the
//! time to live; a row that comes later is that of a new key, first seen there.
//!
//! *When* must not depend on how rows were cut into batches, since the order of the rows given out
//! can tell: keys are looked through whenever the watermark passes a multiple of a quarter of the
//! time to live, and there the pipeline cuts batches. A row's age counts from the end of the pane
//! that it fell into, or from its own time where windows have no panes. So a key is forgotten
//! between 1 and 1.25 times to live after its newest row, and what it costs to look through all
//! keys is shared by all rows of that time.
//!
//! The keys that stay keep their order, and get new ids without gaps: state by id moves up.

use super::spec::WindowSpec;
use crate::error::Result;
use crate::state::keys::NO_ID;

/// Keys are looked through so many times in a time to live.
const SWEEPS: i64 = 4;

/// How old each key is.
#[derive(Debug)]
pub(super) struct Expiry {
    time_to_live: i64,
    step: i64,
    /// Number of the last step that the watermark has passed.
    swept: i64,
    /// For each key a time that is behind its newest row that no window holds any more.
    behind: Vec<i64>,
}

/// The keys that stay.
#[derive(Debug)]
pub(super) struct Survivors {
    /// Their ids, ascending: the one at `i` gets the id `i`.
    pub(super) kept: Vec<u32>,
    /// The new id of each key, [`NO_ID`] where it is forgotten.
    pub(super) new_ids: Vec<u32>,
}

/// How often keys are looked through, in units of the time column; `None`: never.
///
/// # Errors
/// When the time to live is not above zero or no whole number of units.
pub(crate) fn sweep_step(spec: &WindowSpec) -> Result<Option<i64>> {
    let Some(span) = spec.key_ttl else { return Ok(None) };
    Ok(Some((spec.units("key time to live", span)? / SWEEPS).max(1)))
}

impl Expiry {
    pub(super) fn new(spec: &WindowSpec) -> Result<Option<Self>> {
        let (Some(span), Some(step)) = (spec.key_ttl, sweep_step(spec)?) else { return Ok(None) };
        let time_to_live = spec.units("key time to live", span)?;
        Ok(Some(Self { time_to_live, step, swept: i64::MIN, behind: Vec::new() }))
    }

    /// The keys' rows before `end` are in no window any more.
    pub(super) fn note(&mut self, ids: impl IntoIterator<Item = u32>, end: i64) {
        for id in ids {
            let at = id as usize;
            if at >= self.behind.len() {
                self.behind.resize(at + 1, i64::MIN);
            }
            self.behind[at] = self.behind[at].max(end);
        }
    }

    /// Whether keys are to be looked through, now that the watermark is here.
    pub(super) fn is_due(&mut self, watermark: i64) -> bool {
        if watermark == i64::MIN || watermark == i64::MAX {
            return false;
        }
        let step = (watermark + 1).div_euclid(self.step);
        let is_due = step > self.swept && self.swept != i64::MIN;
        self.swept = self.swept.max(step);
        is_due
    }

    /// The keys that stay, of those that are known; `None` where all do. `is_held` says which a
    /// window or a waiting row still holds.
    pub(super) fn survivors(
        &mut self,
        watermark: i64,
        keys: usize,
        is_held: impl Fn(u32) -> bool,
    ) -> Option<Survivors> {
        self.behind.resize(keys, i64::MIN);
        // The border that the watermark has passed, not where it stands: with several partitions
        // it may stand anywhere behind it.
        let now = (watermark + 1).div_euclid(self.step).saturating_mul(self.step);
        let oldest = now.saturating_sub(self.time_to_live);
        let stays = |id: u32| self.behind[id as usize] > oldest || is_held(id);
        let kept: Vec<u32> = (0..keys as u32).filter(|&id| stays(id)).collect();
        if kept.len() == keys {
            return None;
        }
        self.behind = kept.iter().map(|&old| self.behind[old as usize]).collect();
        Some(Survivors::of(kept, keys))
    }

    pub(super) fn bytes(&self) -> u64 {
        (self.behind.capacity() * size_of::<i64>()) as u64
    }
}

impl Survivors {
    /// Those of the ids `kept`, ascending, among so many keys.
    pub(super) fn of(kept: Vec<u32>, keys: usize) -> Self {
        let mut new_ids = vec![NO_ID; keys];
        kept.iter().enumerate().for_each(|(new, &old)| new_ids[old as usize] = new as u32);
        Self { kept, new_ids }
    }

    /// The new id of a key that stays.
    pub(super) fn id(&self, old: u32) -> u32 {
        self.new_ids[old as usize]
    }

    /// Moves what there is by key id up.
    pub(super) fn move_up<T>(&self, of_keys: &mut Vec<T>) {
        let mut stays = self.new_ids.iter().map(|&id| id != NO_ID);
        of_keys.retain(|_| stays.next().unwrap_or(false));
        of_keys.shrink_to(2 * of_keys.len());
    }
}
