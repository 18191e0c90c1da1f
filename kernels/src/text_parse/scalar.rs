//! One field at a time: what every number means. The column kernels agree with these.
//!
//! Grammar: no space is skipped; a sign is `+` or `-`; an integer is a sign and digits; a
//! decimal has digits, at most one point, and an exponent; a float is what
//! [`str::parse::<f64>`] takes (so `inf` and `NaN` too).

/// Why a decimal was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecimalError {
    /// It is no decimal number.
    NotANumber,
    /// It has more digits after the point than the scale holds, and not all of them are zeros.
    TooPrecise,
    /// It has more digits than the precision holds.
    TooLarge,
}

/// A sign and what follows it.
#[inline]
fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// The value of a run of digits; `None` where it is empty, too large, or holds something else.
#[inline]
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    // Nineteen digits always fit.
    let (short, long) = text.split_at(text.len().min(19));
    for byte in short {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    for byte in long {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

/// A signed integer of 64 bits.
///
/// ```
/// use pelton_kernels::text_parse::parse_i64;
/// assert_eq!(parse_i64(b"-9223372036854775808"), Some(i64::MIN));
/// assert_eq!(parse_i64(b"9223372036854775808"), None);
/// assert_eq!(parse_i64(b"1.0"), None);
/// ```
#[must_use]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, rest) = split_sign(text);
    let value = digits(rest)?;
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

/// An unsigned integer of 64 bits; `-0` is 0.
#[must_use]
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    let (negative, rest) = split_sign(text);
    digits(rest).filter(|value| !negative || *value == 0)
}

/// The nearest float of 64 bits.
///
/// ```
/// use pelton_kernels::text_parse::parse_f64;
/// assert_eq!(parse_f64(b"0.1"), Some(0.1));
/// assert_eq!(parse_f64(b"1e400"), Some(f64::INFINITY));
/// assert_eq!(parse_f64(b"1,5"), None);
/// ```
#[must_use]
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The nearest float of 32 bits (not the nearest of 64 bits rounded once more).
#[must_use]
pub fn parse_f32(text: &[u8]) -> Option<f32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Digits and a point, few enough for one exact division; else the standard library.
#[inline]
pub(super) fn parse_f64_quickly(text: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let (negative, rest) = split_sign(text);
    // Fifteen digits are below 2^53, so that both numbers are exact.
    if rest.is_empty() || rest.len() > 16 {
        return parse_f64(text);
    }
    let (mut value, mut count, mut point) = (0u64, 0, None);
    for byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            value = value * 10 + u64::from(digit);
            count += 1;
        } else if *byte == b'.' && point.is_none() {
            point = Some(count);
        } else {
            return parse_f64(text);
        }
    }
    if count == 0 || count > 15 {
        return parse_f64(text);
    }
    let fraction_digits = point.map_or(0, |point| count - point);
    let magnitude = value as f64 / POWERS[fraction_digits];
    Some(if negative { -magnitude } else { magnitude })
}

/// `true`, `false`, `1` or `0`, in any case.
#[must_use]
pub fn parse_bool(text: &[u8]) -> Option<bool> {
    match text {
        b"1" => Some(true),
        b"0" => Some(false),
        _ if text.eq_ignore_ascii_case(b"true") => Some(true),
        _ if text.eq_ignore_ascii_case(b"false") => Some(false),
        _ => None,
    }
}

/// A decimal number as an integer of `scale` digits after the point (`scale` may be negative:
/// then it counts tens).
///
/// ```
/// use pelton_kernels::text_parse::{DecimalError, parse_decimal};
/// assert_eq!(parse_decimal(b"38.5", 10, 2), Ok(3850));
/// assert_eq!(parse_decimal(b"38.500", 10, 2), Ok(3850));
/// assert_eq!(parse_decimal(b"38.505", 10, 2), Err(DecimalError::TooPrecise));
/// assert_eq!(parse_decimal(b"1e9", 10, 2), Err(DecimalError::TooLarge));
/// ```
///
/// # Errors
/// Says why the text is no such number.
pub fn parse_decimal(text: &[u8], precision: u8, scale: i8) -> Result<i128, DecimalError> {
    let (negative, rest) = split_sign(text);
    let (mantissa, exponent) = split_exponent(rest)?;
    let point = mantissa.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = match point {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &mantissa[..0]),
    };
    let all = || whole.iter().chain(fraction);
    if all().next().is_none() || all().any(|byte| !byte.is_ascii_digit()) {
        return Err(DecimalError::NotANumber);
    }
    // The digit at index i of all digits counts 10^(places - i - 1) units of the scale.
    let places = whole.len() as i64 + exponent + i64::from(scale);
    let mut value: i128 = 0;
    for (i, byte) in all().enumerate().skip_while(|(_, byte)| **byte == b'0') {
        let digit = i128::from(byte - b'0');
        if i as i64 >= places {
            if digit != 0 {
                return Err(DecimalError::TooPrecise);
            }
        } else {
            let power = places - i as i64 - 1;
            if digit != 0 && power >= i64::from(precision) {
                return Err(DecimalError::TooLarge);
            }
            if digit != 0 {
                value += digit * 10i128.pow(power as u32);
            }
        }
    }
    Ok(if negative { -value } else { value })
}

/// Digits and a point, few enough for 64 bits; else [`parse_decimal`].
#[inline]
pub(super) fn parse_decimal_quickly(text: &[u8], plan: &super::DecimalPlan) -> Option<i128> {
    let slowly = || parse_decimal(text, plan.precision, plan.scale).ok();
    let (negative, rest) = split_sign(text);
    if rest.is_empty() || rest.len() > 16 {
        return slowly();
    }
    let (mut value, mut count, mut point) = (0u64, 0, None);
    for byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            value = value * 10 + u64::from(digit);
            count += 1;
        } else if *byte == b'.' && point.is_none() {
            point = Some(count);
        } else {
            return slowly();
        }
    }
    // Where the point would be in a window of 16 bytes.
    let at = point.map_or(16, |point| 15 - (count - point));
    if count == 0 || value > plan.largest[at] {
        return slowly();
    }
    let value = i128::from(value * plan.factor[at]);
    Some(if negative { -value } else { value })
}

/// Splits `1.5e-3` into `1.5` and −3.
fn split_exponent(text: &[u8]) -> Result<(&[u8], i64), DecimalError> {
    let Some(at) = text.iter().position(|byte| matches!(byte, b'e' | b'E')) else {
        return Ok((text, 0));
    };
    let exponent = parse_i64(&text[at + 1..]).ok_or(DecimalError::NotANumber)?;
    // Larger ones give the same answer: too large, too precise, or zero.
    Ok((&text[..at], exponent.clamp(-1 << 40, 1 << 40)))
}
