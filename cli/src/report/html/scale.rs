//! From values to pixels, and the round numbers at which ticks stand.

use crate::report::format::{Utc, short};

/// A tick: where, and what it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// The value.
    pub at: f64,
    /// Its label.
    pub label: String,
}

/// Maps values to pixels, linearly or by logarithm.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    from: f64,
    to: f64,
    start_px: f64,
    end_px: f64,
    log: bool,
    /// The ticks, from low to high.
    pub ticks: Vec<Tick>,
}

impl Scale {
    /// 0 to the first round number at or above `max`, with about `count` steps.
    pub fn from_zero(
        max: f64,
        count: usize,
        px: (f64, f64),
        label: impl Fn(f64) -> String,
    ) -> Self {
        let max = if max.is_finite() && max > 0.0 { max } else { 1.0 };
        let step = round_step(max / count as f64);
        let steps = (max / step - 1e-9).ceil().max(1.0);
        let tick = |i: usize| Tick { at: i as f64 * step, label: label(i as f64 * step) };
        Self {
            from: 0.0,
            to: steps * step,
            start_px: px.0,
            end_px: px.1,
            log: false,
            ticks: (0..=steps as usize).map(tick).collect(),
        }
    }

    /// Exactly `from` to `to`, with ticks at the round numbers between.
    pub fn exact(
        from: f64,
        to: f64,
        count: usize,
        px: (f64, f64),
        label: impl Fn(f64) -> String,
    ) -> Self {
        let to = if to > from { to } else { from + 1.0 };
        let step = round_step((to - from) / count as f64);
        let first = (from / step - 1e-9).ceil();
        let last = (to / step + 1e-9).floor();
        let tick = |i: usize| {
            let at = (first + i as f64) * step;
            Tick { at, label: label(at) }
        };
        let ticks = (0..=((last - first).max(0.0) as usize)).map(tick).collect();
        Self { from, to, start_px: px.0, end_px: px.1, log: false, ticks }
    }

    /// Powers of ten; 2 and 5 between them where there are few decades.
    pub fn log(from: f64, to: f64, px: (f64, f64), label: impl Fn(f64) -> String) -> Self {
        let from = if from.is_finite() && from > 0.0 { from } else { 1.0 };
        let to = if to.is_finite() && to > from { to } else { from * 10.0 };
        let decades = libm::log10(to / from);
        let between: &[f64] = match decades {
            d if d <= 2.5 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let low = libm::log10(from).floor() as i32;
        let high = libm::log10(to).ceil() as i32;
        let ticks = (low..=high)
            .flat_map(|power| between.iter().map(move |m| m * libm::pow(10.0, f64::from(power))))
            .filter(|at| *at >= from * (1.0 - 1e-9) && *at <= to * (1.0 + 1e-9))
            .map(|at| Tick { at, label: label(at) })
            .collect();
        Self { from, to, start_px: px.0, end_px: px.1, log: true, ticks }
    }

    /// Event time in µs, at midnights, hours or seconds, about `count` of them.
    pub fn time(from_us: i64, to_us: i64, count: usize, px: (f64, f64)) -> Self {
        const S: i64 = 1_000_000;
        const H: i64 = 3_600 * S;
        const D: i64 = 24 * H;
        const STEPS: [i64; 21] = [
            S,
            2 * S,
            5 * S,
            10 * S,
            30 * S,
            60 * S,
            120 * S,
            300 * S,
            600 * S,
            1_800 * S,
            H,
            3 * H,
            6 * H,
            12 * H,
            D,
            2 * D,
            7 * D,
            14 * D,
            28 * D,
            91 * D,
            365 * D,
        ];
        let to_us = to_us.max(from_us.saturating_add(1));
        let span = to_us.saturating_sub(from_us);
        let wanted = span / count.max(1) as i64;
        let step = STEPS.into_iter().find(|step| *step >= wanted).unwrap_or(wanted);
        let first = from_us.div_euclid(step) + i64::from(from_us.rem_euclid(step) != 0);
        let last = to_us.div_euclid(step);
        let tick = |i: i64| {
            let utc = Utc::from_micros(i * step);
            let label = match step {
                step if step >= D * 300 => utc.date(),
                step if step >= D => utc.day_and_month(),
                step if step >= 60 * S && utc.hour + utc.minute == 0 => utc.day_and_month(),
                step if step >= 60 * S => utc.hour_and_minute(),
                _ => format!("{}:{:02}", utc.hour_and_minute(), utc.second),
            };
            Tick { at: (i * step) as f64, label }
        };
        let ticks = (first..=last).map(tick).collect();
        let (from, to) = (from_us as f64, to_us as f64);
        Self { from, to, start_px: px.0, end_px: px.1, log: false, ticks }
    }

    /// Where a value stands; values outside stand at the nearer end.
    pub fn px(&self, value: f64) -> f64 {
        let share = if self.log {
            let ratio = value.max(f64::MIN_POSITIVE) / self.from;
            libm::log10(ratio) / libm::log10(self.to / self.from)
        } else {
            (value - self.from) / (self.to - self.from)
        };
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        self.start_px + share * (self.end_px - self.start_px)
    }

    /// First and last pixel.
    pub fn ends_px(&self) -> (f64, f64) {
        (self.start_px, self.end_px)
    }
}

/// The smallest of 1, 2, 2.5, 5 times a power of ten that is at least `step`.
fn round_step(step: f64) -> f64 {
    if !(step.is_finite() && step > 0.0) {
        return 1.0;
    }
    let power = libm::pow(10.0, libm::log10(step).floor());
    let factors = [1.0, 2.0, 2.5, 5.0, 10.0];
    let fits = factors.into_iter().find(|factor| factor * power >= step * (1.0 - 1e-9));
    fits.unwrap_or(10.0) * power
}

/// Whole numbers of a count axis: `2.5 M`.
pub fn count_label(x: f64) -> String {
    short(x)
}

/// Shares of an axis from 0 to 1: `40 %`.
pub fn percent_label(x: f64) -> String {
    format!("{} %", (x * 100.0).round() + 0.0)
}

#[cfg(test)]
mod tests;
