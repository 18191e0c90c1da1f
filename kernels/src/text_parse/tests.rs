//! Column kernels of every level against the one-field functions, and those against the
//! standard library.

use proptest::prelude::*;

use super::*;

/// Fields joined by commas behind a pad, so that starts of the text are met as well.
struct Column {
    text: Vec<u8>,
    starts: Vec<u32>,
    ends: Vec<u32>,
}

fn column(pad: usize, fields: &[String]) -> Column {
    let mut column = Column { text: vec![b'7'; pad], starts: vec![], ends: vec![] };
    for field in fields {
        column.starts.push(column.text.len() as u32);
        column.text.extend_from_slice(field.as_bytes());
        column.ends.push(column.text.len() as u32);
        column.text.push(b',');
    }
    column
}

/// A kernel's answer with the exceptions filled in by `scalar` must be `scalar`'s for each.
fn check<T: Default + Copy + PartialEq + std::fmt::Debug>(
    fields: &[String],
    pad: usize,
    kernel: impl Fn(Level, &[u8], &ExplicitSpans<'_>, &mut [T], &mut Vec<u32>),
    one: impl Fn(&[u8]) -> Option<T>,
) {
    let column = column(pad, fields);
    let spans = ExplicitSpans { starts: &column.starts, ends: &column.ends };
    for level in Level::available() {
        let (mut out, mut exceptions) = (vec![T::default(); fields.len()], vec![]);
        kernel(level, &column.text, &spans, &mut out, &mut exceptions);
        assert!(exceptions.is_sorted_by(|a, b| a < b));
        for (i, field) in fields.iter().enumerate() {
            let expected = one(field.as_bytes());
            if exceptions.contains(&(i as u32)) {
                assert_eq!(out[i], T::default());
            } else {
                assert_eq!(Some(out[i]), expected, "{level} {field:?}");
            }
        }
    }
}

fn check_all(fields: &[String], pad: usize) {
    check(
        fields,
        pad,
        |level, text, spans: &ExplicitSpans<'_>, out: &mut [i64], exceptions| {
            parse_i64_column(level, text, spans, out, exceptions);
        },
        parse_i64,
    );
    check(
        fields,
        pad,
        |level, text, spans: &ExplicitSpans<'_>, out: &mut [u64], exceptions| {
            let mut floats = vec![0.0; out.len()];
            parse_f64_column(level, text, spans, &mut floats, exceptions);
            for (slot, float) in out.iter_mut().zip(floats) {
                *slot = float.to_bits();
            }
        },
        |field| parse_f64(field).map(f64::to_bits),
    );
    for (precision, scale) in [(10, 2), (38, 2), (18, 0), (3, 3), (38, 20), (5, -2)] {
        let plan = DecimalPlan::new(precision, scale);
        check(
            fields,
            pad,
            |level, text, spans: &ExplicitSpans<'_>, out: &mut [i128], exceptions| {
                parse_decimal_column(level, text, spans, &plan, out, exceptions);
            },
            |field| parse_decimal(field, precision, scale).ok(),
        );
    }
}

const EDGES: &[&str] = &[
    "",
    "-",
    "+",
    ".",
    "-.",
    "0",
    "-0",
    "+0",
    "00",
    "1.",
    ".1",
    "-.5",
    "1..2",
    "1.2.3",
    "--1",
    "1-",
    "1e5",
    "1E-5",
    "inf",
    "NaN",
    "-inf",
    "9007199254740993",
    "9007199254740992",
    "9999999999999999",
    "99999999999999999",
    "-999999999999999",
    "-9999999999999999",
    "0.30000000000000004",
    "1234567890.12345",
    "12345678901234.5",
    "0.000000000000001",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "1_000",
    " 1",
    "1 ",
    "12a",
    "a12",
    "1/2",
    "1:2",
    "\u{0}1",
    "é",
    "38.50",
    "-122.41942",
    "52.51704",
    "1767225612345678",
    "0.00",
    "1.500",
    "1.505",
    "99999999.99",
    "100000000.00",
    "\"12\"",
    "340282366920938463463374607431768211456",
];

#[test]
fn edge_fields() {
    let fields: Vec<_> = EDGES.iter().map(ToString::to_string).collect();
    for pad in [0, 1, 15, 16, 17] {
        check_all(&fields, pad);
        for field in &fields {
            check_all(std::slice::from_ref(field), pad);
        }
    }
}

#[test]
fn plain_fields_are_no_exceptions() {
    let fields = ["-17", "1767225612345678", "0"].map(String::from);
    let column = column(16, &fields);
    let spans = ExplicitSpans { starts: &column.starts, ends: &column.ends };
    for level in Level::available() {
        let (mut out, mut exceptions) = ([0; 3], vec![]);
        parse_i64_column(level, &column.text, &spans, &mut out, &mut exceptions);
        assert_eq!((out, exceptions), ([-17, 1_767_225_612_345_678, 0], vec![]));
    }
}

#[test]
fn spans_outside_of_the_text_are_exceptions() {
    let spans = ExplicitSpans { starts: &[0, 90, 30, u32::MAX], ends: &[64, 95, 28, u32::MAX] };
    for level in Level::available() {
        let (mut out, mut exceptions) = ([0; 4], vec![]);
        parse_i64_column(level, &[b'1'; 40], &spans, &mut out, &mut exceptions);
        assert_eq!(exceptions, [0, 1, 2, 3]);
    }
}

#[test]
fn decimals() {
    assert_eq!(parse_decimal(b"-38.50", 10, 2), Ok(-3850));
    assert_eq!(parse_decimal(b"1.5e3", 10, 2), Ok(150_000));
    assert_eq!(parse_decimal(b"1500e-3", 10, 2), Ok(150));
    assert_eq!(parse_decimal(b"0e99999999999", 10, 2), Ok(0));
    assert_eq!(parse_decimal(b"1e99999999999", 10, 2), Err(DecimalError::TooLarge));
    assert_eq!(parse_decimal(b"1e-99999999999", 10, 2), Err(DecimalError::TooPrecise));
    assert_eq!(parse_decimal(b"99999999.99", 10, 2), Ok(9_999_999_999));
    assert_eq!(parse_decimal(b"100000000", 10, 2), Err(DecimalError::TooLarge));
    assert_eq!(parse_decimal(&[b'9'; 38], 38, 0), Ok(10i128.pow(38) - 1));
    assert_eq!(parse_decimal(b"12300", 3, -2), Ok(123));
    assert_eq!(parse_decimal(b"12345", 3, -2), Err(DecimalError::TooPrecise));
    for bad in ["", ".", "1.2.3", "e5", "1e", "1e1.5", "0x10", "1,5", "1\u{0}"] {
        assert_eq!(parse_decimal(bad.as_bytes(), 10, 2), Err(DecimalError::NotANumber), "{bad}");
    }
}

#[test]
fn booleans() {
    for (text, value) in [
        ("true", Some(true)),
        ("TRUE", Some(true)),
        ("False", Some(false)),
        ("1", Some(true)),
        ("0", Some(false)),
        ("", None),
        ("yes", None),
        ("truee", None),
        ("01", None),
    ] {
        assert_eq!(parse_bool(text.as_bytes()), value, "{text}");
    }
}

#[test]
fn times() {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    for (text, unit, value) in [
        ("1970-01-01", Second, Some(0)),
        ("1969-12-31T23:59:59.75Z", Microsecond, Some(-250_000)),
        ("1969-12-31T23:59:59.9999999Z", Microsecond, Some(-1)),
        ("2026-01-01T00:00:12.345678Z", Microsecond, Some(1_767_225_612_345_678)),
        ("2026-01-01 00:00:12.345678", Microsecond, Some(1_767_225_612_345_678)),
        ("2026-01-01t02:00+02:00", Second, Some(1_767_225_600)),
        ("2025-12-31T19:00-0500", Second, Some(1_767_225_600)),
        ("2025-12-31T19:00-05", Second, Some(1_767_225_600)),
        ("2000-02-29", Second, Some(951_782_400)),
        ("1900-02-29", Second, None),
        ("2026-02-29", Second, None),
        ("2026-13-01", Second, None),
        ("2026-00-01", Second, None),
        ("2026-01-00", Second, None),
        ("2026-01-01T24:00", Second, None),
        ("2026-01-01T00:60", Second, None),
        ("2026-01-01T00:00:60", Second, None),
        ("2026-01-01T", Second, None),
        ("2026-01-01T00:00:00.", Second, None),
        ("2026-01-01T00:00:00+", Second, None),
        ("2026-01-01T00:00:00+24:00", Second, None),
        ("2026-01-01T00:00:00ZZ", Second, None),
        ("2026-1-1", Second, None),
        ("0000-01-01", Second, Some(-62_167_219_200)),
        ("9999-12-31T23:59:59Z", Millisecond, Some(253_402_300_799_000)),
        ("9999-12-31", Nanosecond, None),
        ("-5", Nanosecond, Some(-5)),
        ("", Second, None),
        ("now", Second, None),
    ] {
        assert_eq!(parse_timestamp(text.as_bytes(), unit), value, "{text}");
    }
    assert_eq!(parse_date(b"1970-01-31"), Some(30));
    assert_eq!(parse_date(b"-7"), Some(-7));
    assert_eq!(parse_date(b"3000000000"), None);
    assert_eq!(parse_date(b"1970-01-01T00:00"), None);
}

#[test]
fn every_day_of_four_centuries_counts_one() {
    let mut day = days_from_civil(1899, 12, 31);
    for year in 1900..2300 {
        for month in 1..=12 {
            for date in 1..=31 {
                let text = format!("{year:04}-{month:02}-{date:02}");
                if let Some(days) = parse_date(text.as_bytes()) {
                    assert_eq!(i64::from(days), day + 1, "{text}");
                    day += 1;
                }
            }
        }
    }
    assert_eq!(day, days_from_civil(2299, 12, 31));
}

fn number_like() -> impl Strategy<Value = String> {
    prop_oneof![
        "[-+]?[0-9]{0,20}",
        "[-+]?[0-9]{0,9}\\.?[0-9]{0,9}",
        "-?[0-9]{1,3}\\.[0-9]{1,12}",
        "[-+.0-9eE]{0,18}",
        any::<i64>().prop_map(|v| v.to_string()),
        any::<f64>().prop_map(|v| v.to_string()),
        any::<f32>().prop_map(|v| v.to_string()),
        "\\PC{0,6}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn columns_agree(fields in prop::collection::vec(number_like(), 0..40), pad in 0usize..20) {
        check_all(&fields, pad);
    }

    #[test]
    fn one_field_agrees_with_the_standard_library(field in number_like()) {
        let text = field.as_bytes();
        prop_assert_eq!(parse_i64(text), field.parse().ok());
        if field != "-0" && !(field.starts_with('-') && field[1..].chars().all(|c| c == '0')) {
            prop_assert_eq!(parse_u64(text), field.parse().ok());
        }
        prop_assert_eq!(
            super::scalar::parse_f64_quickly(text).map(f64::to_bits),
            field.parse().ok().map(f64::to_bits)
        );
    }

    #[test]
    fn decimals_of_a_plain_number(cents in -99_999_999_999i64..99_999_999_999) {
        let text = format!("{}{}.{:02}", if cents < 0 { "-" } else { "" },
            cents.abs() / 100, cents.abs() % 100);
        prop_assert_eq!(parse_decimal(text.as_bytes(), 18, 2), Ok(i128::from(cents)));
    }
}
