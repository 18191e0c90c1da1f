//! The terminal's view of a report: at most 80 columns, numbers aligned on the right.

use super::format::{bytes, micros, percent, significant, span, thousands, whole, words};
use super::{ALL_KINDS, FraudReport, Quality};
use crate::terminal::{Paint, printable};

const WIDTH: usize = 78;
const BAR: usize = 16;

/// The table, with a line end after each line.
pub fn table(report: &FraudReport, paint: Paint) -> String {
    let mut text = String::new();
    heading(report, paint, &mut text);
    numbers(report, paint, &mut text);
    quality(report, paint, &mut text);
    models(report, paint, &mut text);
    ledger(report, paint, &mut text);
    text
}

/// Text padded on the right to a number of characters.
fn left(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.chars().count())))
}

/// Text padded on the left to a number of characters.
fn right(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(text.chars().count())))
}

/// Text cut to a number of characters, with `…` where something is missing.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(std::iter::once('…')).collect()
}

fn heading(report: &FraudReport, paint: Paint, text: &mut String) {
    let state = if report.interrupted { "interrupted after" } else { "done in" };
    let state = format!("{state} {}", micros(report.wall_s * 1e6));
    let room = WIDTH - 8 - state.chars().count();
    let name = cut(&printable(&report.recording), room);
    let gap = " ".repeat(room - name.chars().count());
    let state = if report.interrupted { paint.yellow(state) } else { paint.green(state) };
    text.push_str(&format!("\n {} {name}{gap} {state}\n", paint.bold("fraud")));
    text.push_str(&format!(" {}\n", paint.dim("─".repeat(WIDTH))));
}

fn numbers(report: &FraudReport, paint: Paint, text: &mut String) {
    let latency = &report.latency_us;
    let micros = |us: f64| if report.rows_scored > 0 { micros(us) } else { "–".into() };
    let peak = report.peak_rss_bytes.map_or_else(|| "–".into(), bytes);
    let covered = match (report.first_time_us, report.last_time_us) {
        (Some(first), Some(last)) => span(last.saturating_sub(first)),
        _ => "–".into(),
    };
    let per_row =
        report.log_bytes_per_row().map_or_else(|| "–".into(), |b| format!("{} B", significant(b)));
    let cells = [
        ("rows in", thousands(report.rows_in), "rows/s", whole(report.rows_per_s)),
        ("scored", thousands(report.rows_scored), "latency p50", micros(latency.p50)),
        ("rejected", thousands(report.rows_rejected), "latency p99", micros(latency.p99)),
        ("late", thousands(report.rows_late), "latency p99.9", micros(latency.p999)),
        ("alerts", thousands(report.alerts), "latency p99.99", micros(latency.p9999)),
        ("event time", covered, "latency max", micros(latency.max)),
        ("shards", report.shards.to_string(), "state", bytes(report.state_bytes)),
        ("kernels", kernels(report), "state, a row and log", per_row),
        ("input", format!("{}, {}", report.format, report.io), "peak memory", peak),
    ];
    for (name_a, a, name_b, b) in cells {
        let a = paint.cyan(right(&cut(&a, 22), 22));
        let b = paint.cyan(right(&b, 15));
        text.push_str(&format!(" {}{a}    {}{b}\n", left(name_a, 14), left(name_b, 23)));
    }
}

/// Backend and SIMD level, once where they are the same word.
fn kernels(report: &FraudReport) -> String {
    if report.backend == report.simd {
        report.simd.clone()
    } else {
        format!("{}, {}", report.backend, report.simd)
    }
}

fn quality(report: &FraudReport, paint: Paint, text: &mut String) {
    if report.quality.is_empty() {
        text.push_str(&format!(
            "\n {}\n",
            paint.dim("no labels in this recording: precision and recall are unknown")
        ));
        return;
    }
    let header = format!(
        " {}{}{}{}{}",
        left("kind of fraud", 24),
        right("labelled", 10),
        right("found", 10),
        right("precision", 12),
        right("recall", 10),
    );
    text.push_str(&format!("\n{}\n", paint.bold(header)));
    for (kind, quality) in report.kinds() {
        text.push_str(&quality_line(&words(kind), quality, paint));
    }
    if let Some(overall) = report.overall() {
        text.push_str(&format!(" {}\n", paint.dim("─".repeat(WIDTH - BAR + 4))));
        text.push_str(&quality_line("all", overall, paint));
    }
}

fn quality_line(name: &str, quality: &Quality, paint: Paint) -> String {
    format!(
        " {}{}{}{}{} {}\n",
        left(&cut(name, 23), 24),
        right(&thousands(quality.labelled), 10),
        right(&thousands(quality.found), 10),
        right(&percent(quality.precision), 12),
        right(&percent(quality.recall), 10),
        paint.green(bar(quality.recall.unwrap_or(0.0), BAR - 5)),
    )
}

/// A bar of eighths of a character.
fn bar(ratio: f64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (ratio.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

/// The models that scored, and what the challenger would have done.
fn models(report: &FraudReport, paint: Paint, text: &mut String) {
    for (i, model) in report.models.iter().enumerate() {
        let line = format!(
            "{} {}, threshold {}: {}",
            model.role,
            model.file,
            significant(model.threshold),
            model.what
        );
        let gap = if i == 0 { "\n" } else { "" };
        text.push_str(&format!("{gap} {}\n", paint.dim(cut(&printable(&line), WIDTH))));
    }
    let Some(challenger) = &report.challenger else { return };
    let agreed = format!(
        "challenger: {} alerts, {} of them the champion's too",
        thousands(challenger.alerts),
        thousands(challenger.both)
    );
    text.push_str(&format!("\n {agreed}\n"));
    let labelled = |frauds: u64| match report.quality.is_empty() {
        true => String::new(),
        false => format!(", {} of them frauds", thousands(frauds)),
    };
    for (name, alone, frauds) in [
        ("champion", challenger.champion_only, challenger.champion_only_frauds),
        ("challenger", challenger.challenger_only, challenger.challenger_only_frauds),
    ] {
        let (alone, labelled) = (thousands(alone), labelled(frauds));
        text.push_str(&format!("   {alone} of the {name} alone{labelled}\n"));
    }
    let both = [("champion", report.overall()), ("challenger", challenger.quality.get(ALL_KINDS))];
    for (name, quality) in both {
        if let Some(quality) = quality {
            text.push_str(&quality_line(name, quality, paint));
        }
    }
}

fn ledger(report: &FraudReport, paint: Paint, text: &mut String) {
    let ledger = &report.ledger;
    let sum = format!(
        "rows in {} = scored {} + rejected {}",
        thousands(ledger.rows_in),
        thousands(ledger.scored),
        thousands(ledger.rejected)
    );
    let line = if ledger.balanced {
        format!("{} {sum}", paint.green("✓"))
    } else {
        format!("{} {}", paint.red("✗"), paint.red(format!("{sum} does not add up")))
    };
    text.push_str(&format!("\n {line}\n"));
    if ledger.late_marked > 0 {
        let late = format!("{} of the scored came late", thousands(ledger.late_marked));
        text.push_str(&format!("   {}\n", paint.dim(late)));
    }
    for line in ledger.reason_lines(5) {
        text.push_str(&format!("   {}\n", paint.dim(cut(&printable(&line), WIDTH - 2))));
    }
    if report.rows_beyond_memory > 0 {
        let rows = thousands(report.rows_beyond_memory);
        let note = format!("{rows} rows came so late that part of their history was forgotten");
        text.push_str(&format!(" {} {note}\n", paint.yellow("!")));
    }
    if !report.missing_signals.is_empty() {
        let lead = "left out, the recording lacks their columns: ";
        for (i, line) in
            wrap(&printable(&report.missing_signals.join(", ")), lead, WIDTH - 2).iter().enumerate()
        {
            let mark = if i == 0 { paint.yellow("!") } else { " ".into() };
            text.push_str(&format!(" {mark} {line}\n"));
        }
    }
}

/// Words of `lead` and `text` in lines of at most `width` characters (a longer word stands
/// alone).
fn wrap(text: &str, lead: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in lead.split_whitespace().chain(text.split_whitespace()) {
        let line = &mut lines[..];
        let last = &mut line[line.len() - 1];
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= width {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
