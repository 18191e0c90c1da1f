//! What a person sees while a run goes on.
//!
//! On a terminal a bar (a spinner where the total is unknown); where standard error goes to a
//! file or another program, one line every ten seconds, so that a log shows life without
//! filling; with `--quiet` nothing. A run that reports too often costs nothing: all but about
//! ten reports a second return after one load.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::report::format::{short, significant, thousands};

/// Where a run reports how far it is. Dropping it clears what it shows.
pub trait Progress: Send + Sync {
    /// `done` of `total` (bytes or rows, whichever the run can tell; `None`: unknown), and the
    /// rows so far. Cheap enough to call once a batch, from any thread.
    fn set(&self, done: u64, total: Option<u64>, rows: u64);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn set(&self, _done: u64, _total: Option<u64>, _rows: u64) {}
}

/// What fits where standard error goes.
pub fn new(what: &'static str, quiet: bool) -> Box<dyn Progress> {
    if quiet {
        Box::new(Silent)
    } else if std::io::stderr().is_terminal() {
        Box::new(Bar::new(what))
    } else {
        Box::new(Lines::new(what))
    }
}

/// Lets one report through every so often.
#[derive(Debug)]
struct Gate {
    begin: Instant,
    every_ms: u64,
    next_ms: AtomicU64,
}

impl Gate {
    fn new(every: Duration, first: Duration) -> Self {
        let ms = |duration: Duration| duration.as_millis() as u64;
        Self { begin: Instant::now(), every_ms: ms(every), next_ms: AtomicU64::new(ms(first)) }
    }

    /// Seconds since the start, if this report is to be shown.
    fn pass(&self) -> Option<f64> {
        let elapsed = self.begin.elapsed();
        let now_ms = elapsed.as_millis() as u64;
        let next_ms = self.next_ms.load(Ordering::Relaxed);
        if now_ms < next_ms {
            return None;
        }
        let after = now_ms + self.every_ms;
        self.next_ms
            .compare_exchange(next_ms, after, Ordering::Relaxed, Ordering::Relaxed)
            .ok()
            .map(|_| elapsed.as_secs_f64())
    }
}

/// Rows a second over about the last second: each report moves the rate towards the newest by
/// the share of a second that it covers.
#[derive(Debug, Default)]
struct Rate {
    at_s: f64,
    rows: u64,
    rows_per_s: f64,
}

impl Rate {
    fn update(&mut self, at_s: f64, rows: u64) -> f64 {
        let seconds = at_s - self.at_s;
        if seconds > 0.0 {
            let newest = rows.saturating_sub(self.rows) as f64 / seconds;
            let weight = if self.at_s == 0.0 { 1.0 } else { seconds.min(1.0) };
            self.rows_per_s += (newest - self.rows_per_s) * weight;
            self.at_s = at_s;
            self.rows = rows;
        }
        self.rows_per_s
    }
}

/// A bar on a terminal.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
    gate: Gate,
    rate: Mutex<Rate>,
}

impl Bar {
    /// A bar that starts as a spinner, until a report knows the total.
    pub fn new(what: &'static str) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.set_prefix(what);
        bar.set_style(style(" {spinner:.cyan} {prefix:<9} {msg}  {elapsed:.dim}"));
        bar.enable_steady_tick(Duration::from_millis(120));
        let gate = Gate::new(Duration::from_millis(100), Duration::ZERO);
        Self { bar, gate, rate: Mutex::default() }
    }
}

impl Progress for Bar {
    fn set(&self, done: u64, total: Option<u64>, rows: u64) {
        let Some(at_s) = self.gate.pass() else { return };
        // A report that finds another one at work has nothing newer to say.
        let Ok(mut rate) = self.rate.try_lock() else { return };
        let rows_per_s = rate.update(at_s, rows);
        if let Some(total) = total {
            if self.bar.length() != Some(total) {
                self.bar.set_style(
                    style(" {spinner:.cyan} {prefix:<9} {bar:24.cyan/dim} {percent:>3} %  {msg}  {eta:.dim}")
                        .progress_chars("━━─"),
                );
                self.bar.set_length(total);
            }
            self.bar.set_position(done.min(total));
        }
        self.bar.set_message(format!("{} rows  {}/s", thousands(rows), short(rows_per_s)));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The templates are constants of this file and tested; a broken one falls back to plain.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Lines for a log.
#[derive(Debug)]
pub struct Lines {
    what: &'static str,
    gate: Gate,
    rate: Mutex<Rate>,
}

impl Lines {
    /// One line every ten seconds, the first after three.
    pub fn new(what: &'static str) -> Self {
        let gate = Gate::new(Duration::from_secs(10), Duration::from_secs(3));
        Self { what, gate, rate: Mutex::default() }
    }
}

impl Progress for Lines {
    fn set(&self, done: u64, total: Option<u64>, rows: u64) {
        let Some(at_s) = self.gate.pass() else { return };
        let Ok(mut rate) = self.rate.try_lock() else { return };
        let rows_per_s = rate.update(at_s, rows);
        let share = match total {
            Some(total) if total > 0 => {
                format!(", {} %", significant((done as f64 / total as f64 * 100.0).floor()))
            }
            _ => String::new(),
        };
        eprintln!("{}: {} rows{share}, {} rows/s", self.what, thousands(rows), short(rows_per_s));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_valid() {
        for template in [
            " {spinner:.cyan} {prefix:<9} {msg}  {elapsed:.dim}",
            " {spinner:.cyan} {prefix:<9} {bar:24.cyan/dim} {percent:>3} %  {msg}  {eta:.dim}",
        ] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn rates_follow_the_newest() {
        let mut rate = Rate::default();
        assert_eq!(rate.update(1.0, 1_000), 1_000.0);
        assert_eq!(rate.update(1.0, 2_000), 1_000.0);
        assert_eq!(rate.update(3.0, 5_000), 2_000.0);
    }

    #[test]
    fn any_report_is_fine() {
        for progress in [
            Box::new(Silent) as Box<dyn Progress>,
            Box::new(Bar::new("test")),
            Box::new(Lines::new("test")),
        ] {
            progress.set(5, None, 5);
            progress.set(5, Some(0), 5);
            progress.set(50, Some(10), 5);
        }
    }
}
