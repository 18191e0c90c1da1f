//! Cutting batches before each late row that may still correct a window.
//!
//! What a late row corrects depends on which windows had been given out when it came, and windows
//! are given out between batches. So with an allowed lateness a batch is cut before each such
//! row, with the watermark of all rows before it: then it does not matter how rows were cut into
//! batches before.
//!
//! Windows that are given out early say what they hold at a moment: at a row, or where the
//! watermark passes a border. So there a batch is cut behind each row that moves its partition's
//! promise over a border. So it is where idle keys are forgotten.

use super::run::slice;
use crate::batch::Batch;

/// Follows the partitions of a stream whose time stage waits for the lateness too.
#[derive(Debug)]
pub(super) struct LateSplitter {
    /// How far behind a row may be without being late, in units of the time column.
    delay: i64,
    /// The same with the allowed lateness.
    reach: i64,
    /// Multiples of the first plus the second: where batches are cut as time passes.
    borders: Vec<(i64, i64)>,
    /// The largest time of each partition.
    largest: Vec<Option<i64>>,
}

impl LateSplitter {
    pub(super) fn new(
        delay: i64,
        lateness: i64,
        borders: Vec<(i64, i64)>,
        partitions: usize,
    ) -> Self {
        let reach = delay.saturating_add(lateness);
        Self { delay, reach, borders, largest: vec![None; partitions] }
    }

    /// Whether a partition passes a border when its largest time moves so.
    fn passes(&self, from: i64, to: i64) -> bool {
        let promise = |largest: i64| largest.saturating_sub(self.delay);
        let number = |time: i64, (step, offset): (i64, i64)| {
            promise(time).saturating_sub(offset).div_euclid(step)
        };
        self.borders.iter().any(|&border| number(from, border) != number(to, border))
    }

    /// The batch in parts, each with at most one late row, its first. The batch's rows are
    /// contiguous in their source.
    pub(super) fn split(&mut self, batch: Batch) -> Vec<Batch> {
        let Some(times) = &batch.times else { return vec![batch] };
        let mut largest = self.largest[batch.partition as usize];
        let mut cuts: Vec<(usize, i64)> = Vec::new();
        for (row, &time) in times.time.iter().enumerate() {
            if let Some(known) = largest
                && self.reach > self.delay
                && time < known.saturating_sub(self.delay)
                && row > 0
                && cuts.last().is_none_or(|(cut, _)| *cut < row)
            {
                cuts.push((row, known));
            }
            let now = largest.map_or(time, |known| known.max(time));
            let passes = match largest {
                Some(known) => known < now && self.passes(known, now),
                None => !self.borders.is_empty(),
            };
            if passes && row + 1 < times.time.len() {
                cuts.push((row + 1, now));
            }
            largest = Some(now);
        }
        self.largest[batch.partition as usize] = largest;
        if cuts.is_empty() {
            return vec![batch];
        }
        let watermark = times.watermark;
        let mut parts = Vec::with_capacity(cuts.len() + 1);
        let mut at = 0;
        for (row, known) in cuts {
            let mut part = slice(&batch, at, row - at);
            if let Some(times) = &mut part.times {
                // What this partition promises; or what others hold the stream back to.
                let promise = known.saturating_sub(self.reach).saturating_sub(1);
                times.watermark = promise.min(watermark);
            }
            parts.push(part);
            at = row;
        }
        parts.push(slice(&batch, at, batch.len() - at));
        parts
    }
}
