//! Flags and alerts against labels: by row, and by window.
//!
//! A window is a run of labelled rows of a key without an unlabelled one between them. It is
//! found where one of its rows is flagged (or belongs to an incident that alerted): for somebody
//! who is called, the tenth alert of a window adds nothing. Rows without a label (null) count for
//! nothing, and end no window.

use std::collections::HashMap;

use pelton_scoring::evaluate::skab::Counts;

use super::watch::Seen;

/// A run of labelled rows.
#[derive(Debug, Clone)]
pub(super) struct Window {
    pub(super) key: usize,
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) flagged: bool,
    /// Incidents that have a row in it.
    incidents: Vec<u64>,
    pub(super) alerted: bool,
}

/// How flags and labels agree.
#[derive(Debug, Default)]
pub(super) struct Labels {
    pub(super) rows: Counts,
    pub(super) windows: Vec<Window>,
    /// The open window of each key.
    open: HashMap<usize, usize>,
}

impl Labels {
    pub(super) fn see(&mut self, row: &Seen<'_>) {
        let Some(label) = row.label else { return };
        *match (row.flag, label) {
            (true, true) => &mut self.rows.true_positives,
            (true, false) => &mut self.rows.false_positives,
            (false, true) => &mut self.rows.false_negatives,
            (false, false) => &mut self.rows.true_negatives,
        } += 1;
        if !label {
            self.open.remove(&row.key);
            return;
        }
        let windows = &mut self.windows;
        let at = *self.open.entry(row.key).or_insert_with(|| {
            windows.push(Window {
                key: row.key,
                first: row.time,
                last: row.time,
                flagged: false,
                incidents: Vec::new(),
                alerted: false,
            });
            windows.len() - 1
        });
        let window = &mut self.windows[at];
        window.last = row.time;
        window.flagged |= row.flag;
        if let Some(incident) = row.incident
            && window.incidents.last() != Some(&incident)
        {
            window.incidents.push(incident);
        }
    }

    /// With what is known only now: which incidents alerted.
    pub(super) fn finish(mut self, told: impl Fn(u64) -> bool) -> Self {
        for window in &mut self.windows {
            window.alerted = window.incidents.iter().any(|incident| told(*incident));
        }
        self
    }
}
