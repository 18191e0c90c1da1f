//! Times: ISO 8601 and integers of a unit.
//!
//! `2026-01-01`, `2026-01-01T10:00`, `2026-01-01 10:00:05.25`, each with `Z`, `+02`, `+0200`
//! or `+02:00` behind the time. Without an offset the time is UTC. Digits beyond the unit are
//! cut off (as DuckDB and Arrow do), so a time is never moved forward. Days are counted in the
//! proleptic Gregorian calendar by H. Hinnant's `days_from_civil`
//! (<https://howardhinnant.github.io/date_algorithms.html>).

use super::scalar::parse_i64;

/// The unit of an integer time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    /// Seconds.
    Second,
    /// Thousandths.
    Millisecond,
    /// Millionths.
    Microsecond,
    /// Billionths.
    Nanosecond,
}

impl TimeUnit {
    /// How many make a second.
    #[must_use]
    pub fn per_second(self) -> i64 {
        match self {
            Self::Second => 1,
            Self::Millisecond => 1_000,
            Self::Microsecond => 1_000_000,
            Self::Nanosecond => 1_000_000_000,
        }
    }
}

/// Days from 1970-01-01 to a date.
#[must_use]
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// A time as an integer count of `unit` since 1970-01-01 UTC: an integer is taken as such a
/// count, anything else as ISO 8601.
///
/// ```
/// use pelton_kernels::text_parse::{TimeUnit, parse_timestamp};
/// assert_eq!(parse_timestamp(b"17", TimeUnit::Microsecond), Some(17));
/// assert_eq!(parse_timestamp(b"1970-01-01T01:00:00.5+01:00", TimeUnit::Millisecond), Some(500));
/// assert_eq!(parse_timestamp(b"1970-02-30", TimeUnit::Second), None);
/// ```
#[must_use]
pub fn parse_timestamp(text: &[u8], unit: TimeUnit) -> Option<i64> {
    parse_i64(text).or_else(|| parse_iso_timestamp(text, unit))
}

/// An ISO 8601 time; integers alone are none.
#[must_use]
pub fn parse_iso_timestamp(text: &[u8], unit: TimeUnit) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut seconds = civil_date(date)? * 86_400;
    let mut fraction = 0;
    if let [b'T' | b't' | b' ', clock @ ..] = rest {
        let (of_day, part, zone) = clock_time(clock, unit)?;
        seconds += of_day - zone_offset_s(zone)?;
        fraction = part;
    } else if !rest.is_empty() {
        return None;
    }
    seconds.checked_mul(unit.per_second())?.checked_add(fraction)
}

/// Days since 1970-01-01: `2026-01-01`, or the integer itself.
#[must_use]
pub fn parse_date(text: &[u8]) -> Option<i32> {
    match parse_i64(text) {
        Some(days) => i32::try_from(days).ok(),
        None => i32::try_from(civil_date(text)?).ok(),
    }
}

/// `YYYY-MM-DD` as days.
fn civil_date(text: &[u8]) -> Option<i64> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = *text else { return None };
    let year = two(y0, y1)? * 100 + two(y2, y3)?;
    let (month, day) = (two(m0, m1)?, two(d0, d1)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (1..=last).contains(&day).then(|| days_from_civil(year, month, day))
}

/// `HH:MM[:SS[.fraction]]` as seconds of the day and units, and what follows it.
fn clock_time(text: &[u8], unit: TimeUnit) -> Option<(i64, i64, &[u8])> {
    let [h0, h1, b':', m0, m1, rest @ ..] = text else { return None };
    let (hour, minute) = (two(*h0, *h1)?, two(*m0, *m1)?);
    let (second, rest) = match rest {
        [b':', s0, s1, rest @ ..] => (two(*s0, *s1)?, rest),
        _ => (0, rest),
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let of_day = hour * 3_600 + minute * 60 + second;
    let [b'.' | b',', fraction @ ..] = rest else { return Some((of_day, 0, rest)) };
    let len = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if len == 0 {
        return None;
    }
    let (mut units, mut place) = (0, unit.per_second() / 10);
    for byte in &fraction[..len] {
        units += i64::from(byte - b'0') * place;
        place /= 10;
    }
    Some((of_day, units, &fraction[len..]))
}

/// Seconds east of Greenwich.
fn zone_offset_s(text: &[u8]) -> Option<i64> {
    let (sign, rest) = match text {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match *rest {
        [h0, h1] => (two(h0, h1)?, 0),
        [h0, h1, m0, m1] | [h0, h1, b':', m0, m1] => (two(h0, h1)?, two(m0, m1)?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Two digits.
fn two(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| i64::from(tens) * 10 + i64::from(ones))
}
