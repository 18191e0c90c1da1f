//! NAB's files: a series is `timestamp,value` (header, then `2014-04-01 00:00:00,20.0`), the
//! labels are one JSON object from the series' path to its windows, pairs of timestamps.
//!
//! The parsers take text and give numbers; times are seconds since 1970 as if the file's clock
//! were UTC (NAB says no zone). A fraction of a second is read and dropped: the labels have one
//! (`.000000`), and NAB's own scorer compares without it.

use std::collections::BTreeMap;

use super::nab::Window;
use crate::error::{Error, Result};

/// One series: as many times as values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// Seconds since 1970-01-01.
    pub times_s: Vec<i64>,
    /// The values; an empty field or one that is no number is NaN.
    pub values: Vec<f64>,
}

/// Anomaly windows of one series, first and last second.
pub type WindowTimes = Vec<(i64, i64)>;

/// Reads a series.
///
/// # Errors
/// A line without two fields, or a time that is none, with its line number.
pub fn parse_series(text: &str) -> Result<Series> {
    let mut series = Series::default();
    for (index, line) in text.lines().enumerate().skip(1) {
        let line = line.trim_end_matches('\r');
        if line.is_empty() {
            continue;
        }
        let place = || format!("line {}", index + 1);
        let (time, value) = line.split_once(',').ok_or_else(|| {
            Error::new(format!("{line:?} has one field"))
                .at(place())
                .advise("write timestamp,value")
        })?;
        let time_s = parse_time_s(time).ok_or_else(|| {
            Error::new(format!("{time:?} is no time"))
                .at(place())
                .advise("write 2014-04-01 00:00:00")
        })?;
        let value = value.split(',').next().unwrap_or_default().trim();
        series.times_s.push(time_s);
        series.values.push(value.parse().unwrap_or(f64::NAN));
    }
    Ok(series)
}

/// Reads the windows of all series.
///
/// # Errors
/// No JSON of that shape; a time that is none, with its series.
pub fn parse_windows(json: &str) -> Result<BTreeMap<String, WindowTimes>> {
    let texts: BTreeMap<String, Vec<(String, String)>> = serde_json::from_str(json)
        .map_err(|error| Error::new(format!("labels can't be read: {error}")))?;
    let mut all = BTreeMap::new();
    for (name, windows) in texts {
        let times = windows.iter().map(|(first, last)| {
            let time = |text: &str| {
                parse_time_s(text)
                    .ok_or_else(|| Error::new(format!("{text:?} is no time")).at(&name))
            };
            Ok((time(first)?, time(last)?))
        });
        let times = times.collect::<Result<WindowTimes>>()?;
        all.insert(name, times);
    }
    Ok(all)
}

/// The rows of each window: those with a time from its first to its last second. Windows
/// without a row are left out.
#[must_use]
pub fn windows_of(times_s: &[i64], windows: &[(i64, i64)]) -> Vec<Window> {
    let rows = windows.iter().filter_map(|&(from, to)| {
        let inside = |time: &i64| (from..=to).contains(time);
        let first = times_s.iter().position(inside)?;
        Some(Window { first, last: times_s.iter().rposition(inside)? })
    });
    rows.collect()
}

/// Seconds since 1970 of `2014-04-01 00:00:00[.000000]` (a `T` will do for the blank), `None`
/// where the text is none.
#[must_use]
pub fn parse_time_s(text: &str) -> Option<i64> {
    let text = text.trim();
    let bytes = text.as_bytes();
    let shape = bytes.len() >= 19
        && bytes.is_ascii()
        && (bytes[4], bytes[7], bytes[13], bytes[16]) == (b'-', b'-', b':', b':')
        && matches!(bytes[10], b' ' | b'T');
    let fraction = || bytes[19] == b'.' && bytes[20..].iter().all(u8::is_ascii_digit);
    if !shape || !(bytes.len() == 19 || fraction()) {
        return None;
    }
    let part = |from: usize, to: usize| -> Option<i64> {
        let digits = &bytes[from..to];
        let all = digits.iter().all(u8::is_ascii_digit);
        all.then(|| digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
    };
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Days from 1970-01-01 of a date of the Gregorian calendar (Hinnant, *chrono-compatible low-level
/// date algorithms*: years begin in March, so that the leap day is the last).
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}
