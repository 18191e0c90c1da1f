//! The scores of SKAB, the Skoltech Anomaly Benchmark (Katser and Kozitsin, 2020): each row is
//! flagged or not and labelled or not, and the rows of all files are counted together.
//!
//! F1 = 2·TP / (2·TP + FN + FP); false alarm rate FAR = 100·FP / (FP + TN); missed alarm rate
//! MAR = 100·FN / (FN + TP). "Always anomalous" reaches an F1 of about 0.7 there: an F1 says
//! nothing without the two rates beside it.

use crate::error::{Error, Result};

/// Rows by flag and label; files are added up before the scores are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Flagged and labelled.
    pub true_positives: u64,
    /// Flagged, not labelled.
    pub false_positives: u64,
    /// Labelled, not flagged.
    pub false_negatives: u64,
    /// Neither.
    pub true_negatives: u64,
}

impl Counts {
    /// Counts the rows of one file.
    ///
    /// # Errors
    /// Different numbers of flags and labels.
    pub fn add(&mut self, flags: &[bool], labels: &[bool]) -> Result<()> {
        if flags.len() != labels.len() {
            let (flags, labels) = (flags.len(), labels.len());
            return Err(Error::new(format!("{flags} flags for {labels} labels")));
        }
        for (&flag, &label) in flags.iter().zip(labels) {
            *match (flag, label) {
                (true, true) => &mut self.true_positives,
                (true, false) => &mut self.false_positives,
                (false, true) => &mut self.false_negatives,
                (false, false) => &mut self.true_negatives,
            } += 1;
        }
        Ok(())
    }

    /// F1, from 0 to 1; 0 where nothing was flagged or labelled.
    #[must_use]
    pub fn f1(&self) -> f64 {
        let hits = 2 * self.true_positives;
        share(hits, hits + self.false_negatives + self.false_positives)
    }

    /// False alarms in percent of the rows without a label.
    #[must_use]
    pub fn false_alarm_percent(&self) -> f64 {
        100.0 * share(self.false_positives, self.false_positives + self.true_negatives)
    }

    /// Missed alarms in percent of the labelled rows.
    #[must_use]
    pub fn missed_alarm_percent(&self) -> f64 {
        100.0 * share(self.false_negatives, self.false_negatives + self.true_positives)
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
