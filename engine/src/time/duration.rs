//! Spans of event time: "10m", "2s", `minutes(10)`.
//!
//! A [`Span`] knows no unit; a time column has one. [`Span::to_units`] converts, exactly or not
//! at all: a window of 1500 ms over a column of whole seconds is an error, not 1 s.

use std::fmt;
use std::ops::Neg;
use std::str::FromStr;

use arrow::datatypes::TimeUnit;

use crate::error::{Error, Result};

/// A signed span of event time, exact to the nanosecond.
///
/// ```
/// use arrow::datatypes::TimeUnit;
/// use pelton::time::{Span, minutes};
///
/// let span: Span = "10m".parse()?;
/// assert_eq!(span, minutes(10));
/// assert_eq!(span.to_units(TimeUnit::Microsecond)?, 600_000_000);
/// assert_eq!(span.to_string(), "10m");
/// # Ok::<(), pelton::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    nanos: i128,
}

/// The units that are read and written, the largest first: name, nanoseconds.
const UNITS: [(&str, i128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Other names that are read.
const ALIASES: [(&str, &str); 2] = [("min", "m"), ("µs", "us")];

/// `n` days of 24 hours.
pub const fn days(n: i64) -> Span {
    Span::from_nanos(n as i128 * UNITS[0].1)
}

/// `n` hours.
pub const fn hours(n: i64) -> Span {
    Span::from_nanos(n as i128 * UNITS[1].1)
}

/// `n` minutes.
pub const fn minutes(n: i64) -> Span {
    Span::from_nanos(n as i128 * UNITS[2].1)
}

/// `n` seconds.
pub const fn seconds(n: i64) -> Span {
    Span::from_nanos(n as i128 * UNITS[3].1)
}

/// `n` milliseconds.
pub const fn millis(n: i64) -> Span {
    Span::from_nanos(n as i128 * UNITS[4].1)
}

/// `n` microseconds.
pub const fn micros(n: i64) -> Span {
    Span::from_nanos(n as i128 * UNITS[5].1)
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self::from_nanos(0);

    /// A span of so many nanoseconds.
    pub const fn from_nanos(nanos: i128) -> Self {
        Self { nanos }
    }

    /// Its nanoseconds.
    pub const fn as_nanos(self) -> i128 {
        self.nanos
    }

    /// Whether it is above zero.
    pub const fn is_positive(self) -> bool {
        self.nanos > 0
    }

    /// Whether it is below zero.
    pub const fn is_negative(self) -> bool {
        self.nanos < 0
    }

    /// The span in units of a time column.
    ///
    /// # Errors
    /// When it is no whole number of units, or more of them than 64 bits hold.
    pub fn to_units(self, unit: TimeUnit) -> Result<i64> {
        let (name, unit_nanos) = unit_name_nanos(unit);
        if self.nanos % unit_nanos != 0 {
            return Err(Error::usage(format!("{self} is no whole number of {name}"))
                .advise(format!("the time column counts {name}: give a multiple of 1 of them")));
        }
        i64::try_from(self.nanos / unit_nanos).map_err(|_| {
            Error::usage(format!("{self} is too long to be counted in {name}"))
                .advise("give a shorter span")
        })
    }
}

/// A unit of time columns as a word, and in nanoseconds.
fn unit_name_nanos(unit: TimeUnit) -> (&'static str, i128) {
    match unit {
        TimeUnit::Second => ("seconds", 1_000_000_000),
        TimeUnit::Millisecond => ("milliseconds", 1_000_000),
        TimeUnit::Microsecond => ("microseconds", 1_000),
        TimeUnit::Nanosecond => ("nanoseconds", 1),
    }
}

impl Neg for Span {
    type Output = Self;

    fn neg(self) -> Self {
        Self::from_nanos(-self.nanos)
    }
}

impl fmt::Display for Span {
    /// In the largest unit of which it is a whole number: "10m", "90s", "1d", "-5h", "0s".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0s");
        }
        let whole = UNITS.iter().find(|(_, nanos)| self.nanos % nanos == 0);
        let (name, nanos) = whole.unwrap_or(&UNITS[6]);
        write!(f, "{}{name}", self.nanos / nanos)
    }
}

impl FromStr for Span {
    type Err = Error;

    /// A whole number and a unit: "2s", "10m" or "10min", "1h", "7d", "500ms", "250us", "40ns";
    /// "0" needs none. A minus before it makes it negative.
    fn from_str(text: &str) -> Result<Self> {
        let trimmed = text.trim();
        let wrong = |what: &str| {
            Error::usage(format!("\"{text}\" is no duration: {what}"))
                .advise("write a whole number and a unit: 250us, 500ms, 2s, 10m, 1h or 7d")
        };
        let digits = trimmed.strip_prefix('-').unwrap_or(trimmed);
        let sign = if digits.len() < trimmed.len() { -1 } else { 1 };
        let digits_len = digits.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, unit) = digits.split_at(digits_len);
        if digits.is_empty() {
            return Err(wrong("it does not start with a number"));
        }
        // Nine units of 2^63 days stay far below what 128 bits hold.
        let number: i64 = digits.parse().map_err(|_| wrong("the number is too large"))?;
        let unit = unit.trim_start();
        if unit.is_empty() {
            return if number == 0 { Ok(Self::ZERO) } else { Err(wrong("the unit is missing")) };
        }
        if unit.starts_with('.') {
            return Err(wrong("fractions are not read; use a smaller unit (90m for 1.5h)"));
        }
        let alias = ALIASES.iter().find(|(name, _)| *name == unit);
        let unit = alias.map_or(unit, |(_, name)| name);
        let known = UNITS.iter().find(|(name, _)| *name == unit);
        let (_, nanos) = known.ok_or_else(|| wrong(&format!("there is no unit \"{unit}\"")))?;
        Ok(Self::from_nanos(sign * i128::from(number) * nanos))
    }
}
