//! Numbers as people read them.

use super::*;

#[test]
fn separators() {
    for (n, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
        assert_eq!(thousands(n), text);
    }
    assert_eq!(whole(f64::NAN), "–");
    assert_eq!(whole(1234.4), "1,234");
}

#[test]
fn units() {
    assert_eq!(short(3_214_567.0), "3.21 M");
    assert_eq!(short(999_700.0), "1 M");
    assert_eq!(short(950_000.0), "950 k");
    assert_eq!(short(0.0), "0");
    assert_eq!(micros(412.3), "412 µs");
    assert_eq!(micros(1_240.0), "1.24 ms");
    assert_eq!(micros(0.25), "250 ns");
    assert_eq!(micros(2e6), "2 s");
    assert_eq!(micros(180e6), "3 min");
    assert_eq!(micros(f64::NAN), "–");
    assert_eq!(bytes(0), "0 B");
    assert_eq!(bytes(100_900_000), "96.2 MiB");
    assert_eq!(percent(Some(0.917)), "91.7 %");
    assert_eq!(percent(None), "–");
    assert_eq!(span(61 * 86_400_000_000), "61 days");
    assert_eq!(span(12_600_000_000), "3.5 hours");
}

#[test]
fn dates() {
    let at = |us| Utc::from_micros(us).date();
    assert_eq!(at(0), "1970-01-01");
    assert_eq!(at(-1), "1969-12-31");
    assert_eq!(at(951_782_400_000_000), "2000-02-29");
    assert_eq!(at(4_107_542_400_000_000), "2100-03-01");
    assert_eq!(at(1_775_001_600_000_000), "2026-04-01");
    let noon = Utc::from_micros(1_775_001_600_000_000 + 43_500_000_000);
    assert_eq!((noon.day_and_month(), noon.hour_and_minute()), ("1 Apr".into(), "12:05".into()));
}

#[test]
fn every_day_follows_the_one_before() {
    let mut before = Utc::from_micros(-800_000 * 86_400_000_000);
    for day in -799_999..800_000i64 {
        let next = Utc::from_micros(day * 86_400_000_000);
        let same_month = (next.year, next.month) == (before.year, before.month);
        assert!(if same_month { next.day == before.day + 1 } else { next.day == 1 }, "{day}");
        before = next;
    }
}
