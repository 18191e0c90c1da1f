//! Values that clap does not know: counts with a unit, durations, speeds.

use std::fmt;
use std::str::FromStr;

/// How fast event time runs in a replay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// As fast as the machine can.
    Max,
    /// So many times the recording's own speed; finite and above 0.
    Factor(f64),
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("max") {
            return Ok(Self::Max);
        }
        let number = text.strip_suffix(['x', 'X', '×']).unwrap_or(text);
        match number.parse::<f64>() {
            Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(Self::Factor(factor)),
            _ => Err("expected max or a positive factor such as 1x, 60x or 0.5x".into()),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::Factor(factor) => write!(f, "{factor}x"),
        }
    }
}

/// A count: digits, `_` between them, and k, M or G (thousands, millions, thousand millions)
/// after them, also with a fraction that leaves a whole number (`1.5M`).
///
/// # Errors
/// When the text is no such number, or does not fit 64 bits.
pub fn parse_count(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no count: expected digits, e.g. 1000, 50_000, 100k or 2M");
    let (digits, unit) = match text.chars().last() {
        Some('k' | 'K') => (&text[..text.len() - 1], 1_000u64),
        Some('m' | 'M') => (&text[..text.len() - 1], 1_000_000),
        Some('g' | 'G') => (&text[..text.len() - 1], 1_000_000_000),
        _ => (text, 1),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let number = |part: &str| -> Result<u64, String> {
        let plain: String = part.chars().filter(|c| *c != '_').collect();
        if plain.is_empty() || !plain.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        plain.parse().map_err(|_| wrong())
    };
    let mut count = number(whole)?.checked_mul(unit).ok_or_else(wrong)?;
    if digits.contains('.') {
        let scale = u32::try_from(fraction.len()).ok().and_then(|n| 10u64.checked_pow(n));
        let part = number(fraction)?.checked_mul(unit).ok_or_else(wrong)?;
        let scale = scale.filter(|scale| part % scale == 0).ok_or_else(wrong)?;
        count = count.checked_add(part / scale).ok_or_else(wrong)?;
    }
    Ok(count)
}

/// A duration of event time in µs: a number and us, ms, s, m, h or d; `0` needs no unit.
///
/// # Errors
/// When the text is no such duration, has a fraction, or does not fit 64 bits.
pub fn parse_delay_us(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is no duration: expected a number and us, ms, s, m, h or d");
    if text == "0" {
        return Ok(0);
    }
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(split);
    let unit_us: i64 = match unit.trim_start() {
        "us" | "µs" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" | "min" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return Err(wrong()),
    };
    number.parse::<i64>().ok().and_then(|n| n.checked_mul(unit_us)).ok_or_else(wrong)
}

/// A share from 0 to 1, in millionths.
///
/// # Errors
/// When the text is no such number.
pub fn parse_millionths(text: &str) -> Result<u32, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok((share * 1e6).round() as u32),
        _ => Err(format!("{text:?} is no share: expected a number from 0 to 1, e.g. 0.005")),
    }
}
