//! Incidents that alerted, with their reasons.

use std::collections::BTreeMap;
use std::path::Path;

use pelton::{Error, Result};
use serde::{Deserialize, Serialize};

use super::watch::{KeyName, Seen};
use crate::report::json::write_file;

/// An alert: an incident of a key. Times are in the unit of the input's time column. Field names
/// are a public format: add, don't rename.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Number of the incident, as in the column `incident`.
    pub incident: u64,
    /// The key columns.
    pub key: serde_json::Value,
    /// When the alert was raised.
    pub alerted: i64,
    /// Its first row's time.
    pub start: i64,
    /// Its last row's time.
    pub end: i64,
    /// Rows that it holds.
    pub rows: u64,
    /// Time of its strangest row, of which the rest is told.
    pub peak: i64,
    /// Score of that row; none where a missing signal is the incident.
    pub score: Option<f64>,
    /// Of a score at least as large, by the detector's model.
    pub probability: Option<f64>,
    /// The watched values, the one that contributed most first.
    pub reasons: Vec<Reason>,
    /// Whether one of its rows is labelled; without labels absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labelled: Option<bool>,
    /// Id of its key.
    #[serde(skip)]
    pub(super) key_id: usize,
}

/// A watched value of an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// The column.
    pub column: String,
    /// Its value; none where it was missing.
    pub value: Option<f64>,
    /// What it contributed to the score, larger is more; none where the detector can't tell.
    pub contribution: Option<f64>,
}

/// An incident so far.
#[derive(Debug, Clone)]
struct Incident {
    key: usize,
    alerted: Option<i64>,
    start: i64,
    end: i64,
    rows: u64,
    peak: i64,
    score: Option<f64>,
    probability: Option<f64>,
    values: Vec<f64>,
    contributions: Vec<f64>,
    labelled: Option<bool>,
}

/// All incidents.
#[derive(Debug, Default)]
pub(super) struct Incidents {
    /// By number.
    known: BTreeMap<u64, Incident>,
}

impl Incidents {
    pub(super) fn see(&mut self, row: &Seen<'_>) {
        let Some(number) = row.incident else { return };
        let incident = self.known.entry(number).or_insert_with(|| Incident {
            key: row.key,
            alerted: None,
            start: row.time,
            end: row.time,
            rows: 0,
            peak: row.time,
            score: None,
            probability: None,
            values: Vec::new(),
            contributions: Vec::new(),
            labelled: None,
        });
        incident.end = row.time;
        incident.rows += 1;
        if row.alert {
            incident.alerted = Some(row.time);
        }
        if let Some(label) = row.label {
            incident.labelled = Some(label || incident.labelled == Some(true));
        }
        if incident.rows == 1 || row.score > incident.score {
            (incident.peak, incident.score) = (row.time, row.score);
            incident.probability = row.probability;
            incident.values = row.values.to_vec();
            incident.contributions = row.contributions.to_vec();
        }
    }

    /// How many there are, and those that alerted.
    pub(super) fn finish(self, keys: &[KeyName], columns: &[&str]) -> (u64, Vec<Alert>) {
        let count = self.known.len() as u64;
        let alerts = self.known.into_iter().filter_map(|(number, incident)| {
            let alerted = incident.alerted?;
            Some(Alert {
                incident: number,
                key: keys.get(incident.key).map_or_else(Default::default, |key| key.json.clone()),
                alerted,
                start: incident.start,
                end: incident.end,
                rows: incident.rows,
                peak: incident.peak,
                score: incident.score,
                probability: incident.probability,
                reasons: reasons(&incident, columns),
                labelled: incident.labelled,
                key_id: incident.key,
            })
        });
        (count, alerts.collect())
    }
}

/// The watched values, the one that contributed most first.
fn reasons(incident: &Incident, columns: &[&str]) -> Vec<Reason> {
    let reason = |(at, column): (usize, &&str)| Reason {
        column: (*column).to_owned(),
        value: incident.values.get(at).copied().filter(|value| value.is_finite()),
        contribution: incident.contributions.get(at).copied(),
    };
    let mut reasons: Vec<Reason> = columns.iter().enumerate().map(reason).collect();
    let size = |reason: &Reason| reason.contribution.unwrap_or(0.0);
    reasons.sort_by(|a, b| size(b).total_cmp(&size(a)));
    reasons
}

/// Writes alerts as NDJSON, in the order in which their incidents began.
pub(super) fn write(path: &Path, alerts: &[Alert]) -> Result<()> {
    let mut text = String::new();
    for alert in alerts {
        let line = serde_json::to_string(alert)
            .map_err(|error| Error::run(format!("cannot write an alert as JSON: {error}")))?;
        text.push_str(&line);
        text.push('\n');
    }
    if path == Path::new("-") { crate::terminal::print(&text) } else { write_file(path, &text) }
}
