//! The comparison as a table of at most 80 columns.

use super::changes::{Change, Comparison, Kind, RunSummary};
use crate::report::format::{Utc, percent, significant, thousands, words};
use crate::terminal::{Paint, printable};

/// "3 came, 1 went, 2 with another score, 0 with other reasons".
pub fn counts(comparison: &Comparison) -> String {
    format!(
        "{} came, {} went, {} with another score, {} with other reasons",
        thousands(comparison.came),
        thousands(comparison.went),
        thousands(comparison.score_changed),
        thousands(comparison.reasons_changed),
    )
}

/// The table, with `show` changes of each kind.
pub fn table(comparison: &Comparison, show: usize, paint: Paint) -> String {
    let mut text = String::from("\n");
    let header = format!(
        " {:<28}{:>10}{:>10}{:>12}{:>10}",
        "run", "alerts", "frauds", "precision", "recall"
    );
    text.push_str(&format!("{}\n", paint.bold(header)));
    for run in [&comparison.before, &comparison.after] {
        text.push_str(&run_line(run));
    }
    text.push_str(&format!("\n {} the same; {}\n", thousands(comparison.same), counts(comparison)));
    if let (Some(most), Some(mean)) = (comparison.score_change_max, comparison.score_change_mean) {
        let (most, mean) = (significant(most), significant(mean));
        text.push_str(&format!(" scores moved by {mean} on average, by {most} at most\n"));
    }
    by_reason(comparison, paint, &mut text);
    if comparison.differs() {
        changes(comparison, show, paint, &mut text);
    }
    for note in &comparison.notes {
        text.push_str(&format!(" {} {}\n", paint.yellow("!"), printable(note)));
    }
    text.push('\n');
    text
}

fn run_line(run: &RunSummary) -> String {
    let frauds = if run.labelled > 0 { thousands(run.frauds) } else { "–".to_owned() };
    format!(
        " {:<28}{:>10}{:>10}{:>12}{:>10}\n",
        cut(&printable(&run.file), 27),
        thousands(run.alerts),
        frauds,
        percent(run.precision),
        percent(run.recall),
    )
}

fn by_reason(comparison: &Comparison, paint: Paint, text: &mut String) {
    if comparison.by_reason.is_empty() {
        return;
    }
    let header = format!(
        " {:<24}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "reason", "before", "after", "came", "(frauds)", "went", "(frauds)"
    );
    text.push_str(&format!("\n{}\n", paint.bold(header)));
    for (reason, count) in &comparison.by_reason {
        text.push_str(&format!(
            " {:<24}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}\n",
            cut(&words(&printable(reason)), 23),
            thousands(count.before),
            thousands(count.after),
            thousands(count.came),
            thousands(count.came_frauds),
            thousands(count.went),
            thousands(count.went_frauds),
        ));
    }
}

fn changes(comparison: &Comparison, show: usize, paint: Paint, text: &mut String) {
    let kinds = [(Kind::Came, "came"), (Kind::Went, "went"), (Kind::Changed, "changed")];
    for (kind, name) in kinds {
        let mut of_kind: Vec<&Change> =
            comparison.changes.iter().filter(|change| change.change == kind).collect();
        if of_kind.is_empty() || show == 0 {
            continue;
        }
        if kind == Kind::Changed {
            let size = |change: &Change| change.score_change().unwrap_or(0.0).abs();
            of_kind.sort_by(|a, b| size(b).total_cmp(&size(a)));
        }
        text.push_str(&format!("\n{}\n", paint.bold(format!(" {name}"))));
        for change in of_kind.iter().take(show) {
            text.push_str(&change_line(change));
        }
        if of_kind.len() > show {
            let more =
                format!("{} more: --out FILE lists them", thousands((of_kind.len() - show) as u64));
            text.push_str(&format!(" {}\n", paint.dim(more)));
        }
    }
}

fn change_line(change: &Change) -> String {
    let time = change.ts.map_or_else(String::new, |us| {
        let utc = Utc::from_micros(us);
        format!("{} {}", utc.date(), utc.hour_and_minute())
    });
    let score = |score: Option<f64>| score.map_or_else(|| "–".to_owned(), significant);
    let scores = match change.change {
        Kind::Came => score(change.score_after),
        Kind::Went => score(change.score_before),
        Kind::Changed => format!("{} → {}", score(change.score_before), score(change.score_after)),
    };
    let joined = |reasons: &Option<Vec<String>>| {
        reasons.as_ref().map_or_else(String::new, |reasons| printable(&reasons.join(", ")))
    };
    let (before, after) = (joined(&change.reasons_before), joined(&change.reasons_after));
    let reasons = match change.change {
        Kind::Came => after,
        Kind::Went => before,
        Kind::Changed if before == after => after,
        Kind::Changed => format!("{before} → {after}"),
    };
    let label = match change.is_fraud {
        Some(true) => "fraud",
        Some(false) => "honest",
        None => "",
    };
    let place = format!("{}:{}", change.partition, change.offset);
    format!(" {place:<12}{time:<18}{scores:<18}{label:<8}{}\n", cut(&reasons, 24))
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(std::iter::once('…')).collect()
}
