//! Which models scored, and what a challenger would have decided beside the champion.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{PrecisionRecall, Quality};

/// A model of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelReport {
    /// "champion", "champion from 2026-03-01 on", "challenger".
    pub role: String,
    /// Base name of its file; "the weights that come with pelton".
    pub file: String,
    /// Format, size, layouts, features.
    pub what: String,
    /// The score from which it finds a payment suspicious.
    pub threshold: f64,
}

/// What a GPU did in a run: so that a pass that did not run shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GpuUse {
    /// Name of the adapter.
    pub adapter: String,
    /// By pass.
    pub passes: BTreeMap<String, PassUse>,
    /// Passes among them whose answers are near the CPU's, to within a bound, and not its bits.
    pub within_a_bound: Vec<String>,
    /// Bytes copied to the device.
    pub uploaded_bytes: u64,
    /// Bytes read back.
    pub read_bytes: u64,
    /// Batches that the CPU did in its place: it had failed, or was behind.
    pub fallbacks: u64,
    /// What failed, each once.
    pub fallback_reasons: Vec<String>,
}

impl GpuUse {
    /// Dispatches of all passes.
    pub fn dispatches(&self) -> u64 {
        self.passes.values().map(|pass| pass.dispatches).sum()
    }
}

/// What one pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PassUse {
    /// How often it ran.
    pub dispatches: u64,
    /// Bytes of the buffers that it was given.
    pub bound_bytes: u64,
}

/// What a challenger would have done. Rules raise alerts for both: only scores differ.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChallengerReport {
    /// Alerts that it would have raised.
    pub alerts: u64,
    /// Alerts that both raise.
    pub both: u64,
    /// Alerts of the champion alone.
    pub champion_only: u64,
    /// Alerts of the challenger alone.
    pub challenger_only: u64,
    /// Of those of the champion alone, labelled frauds.
    pub champion_only_frauds: u64,
    /// Of those of the challenger alone, labelled frauds.
    pub challenger_only_frauds: u64,
    /// As the report's own, for the challenger's decisions.
    pub quality: BTreeMap<String, Quality>,
    /// As the report's own, for the challenger's score.
    pub precision_recall: Vec<PrecisionRecall>,
}

impl ChallengerReport {
    /// Counts a row.
    #[inline]
    pub fn count(&mut self, champion: bool, challenger: bool, is_fraud: bool) {
        match (champion, challenger) {
            (true, true) => self.both += 1,
            (true, false) => {
                self.champion_only += 1;
                self.champion_only_frauds += u64::from(is_fraud);
            }
            (false, true) => {
                self.challenger_only += 1;
                self.challenger_only_frauds += u64::from(is_fraud);
            }
            (false, false) => {}
        }
    }
}
