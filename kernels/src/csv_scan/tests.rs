//! Every level against the definition, byte by byte.

use proptest::prelude::*;

use super::{CsvIndex, csv_scan};
use crate::simd::Level;

/// The definition: separators outside of quotes, and whether each quote stands where it may.
fn naive(text: &[u8], from: usize, to: usize, delimiter: u8) -> (Vec<u32>, Vec<u32>, bool, bool) {
    let mut separators = vec![(from as u32).wrapping_sub(1)];
    let mut record_ends = vec![];
    let (mut inside, mut quotes, mut regular) = (false, false, true);
    let byte = |i: usize| text[..to].get(i).copied();
    let separates = |b: u8| b == delimiter || b == b'\n';
    // The kind of the byte before: a separator or the start; a closing quote; another.
    let (mut may_open, mut after_close) = (true, false);
    for (i, &b) in text.iter().enumerate().take(to).skip(from) {
        let mut closes = false;
        if b == b'"' {
            quotes = true;
            inside = !inside;
            if inside {
                regular &= may_open;
            } else {
                closes = true;
            }
        }
        if after_close && b != b'"' && !separates(b) {
            let line_end = b == b'\r' && byte(i + 1).is_none_or(|next| next == b'\n');
            regular &= line_end;
        }
        let separator = !inside && separates(b);
        if separator {
            separators.push(i as u32);
            if b == b'\n' {
                record_ends.push(separators.len() as u32 - 1);
            }
        }
        may_open = separator || closes;
        after_close = closes;
    }
    (separators, record_ends, quotes, regular)
}

fn check(text: &[u8], from: usize, to: usize, delimiter: u8) {
    let (separators, record_ends, quotes, regular) = naive(text, from, to, delimiter);
    let mut index = CsvIndex::new();
    for level in Level::available() {
        csv_scan(level, text, from, to, delimiter, &mut index);
        assert_eq!(index.has_quotes(), quotes, "{level}");
        assert_eq!(index.is_regular(), regular, "{level} {:?}", String::from_utf8_lossy(text));
        assert_eq!(index.separators(), separators, "{level}");
        assert_eq!(index.record_ends(), record_ends, "{level}");
    }
}

fn bytes_that_matter() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => Just(b'a'), 2 => Just(b','), 1 => Just(b'\n'), 1 => Just(b'"'),
        1 => Just(b'\r'), 1 => any::<u8>(),
    ];
    prop::collection::vec(byte, 0..400)
}

fn well_formed() -> impl Strategy<Value = Vec<u8>> {
    let field = prop_oneof!["[a-z0-9.]{0,12}", "\"([a-z,\n\r]|\"\"){0,80}\""];
    let record = prop::collection::vec(field, 1..6).prop_map(|fields| fields.join(","));
    (prop::collection::vec(record, 0..20), any::<bool>()).prop_map(|(records, crlf)| {
        let end = if crlf { "\r\n" } else { "\n" };
        let mut text = records.join(end).into_bytes();
        text.extend_from_slice(end.as_bytes());
        text
    })
}

#[test]
fn edges() {
    for len in [0, 1, 63, 64, 65, 127, 128, 129, 256] {
        for byte in [b'x', b',', b'\n', b'"', 0, 255] {
            let text = vec![byte; len];
            check(&text, 0, len, b',');
            check(&text, len / 2, len, b',');
            check(&text, 0, len, 0);
        }
    }
}

#[test]
fn quotes_across_chunks() {
    for pad in 55..70 {
        for tail in ["\"a\"\"b\",c\n", "\"a\"\r\nx\n", "\"a\"\rx\n", "\"a\"x\n", "x\"a\"\n", "\"a"]
        {
            let text = format!("{},{tail}", "y".repeat(pad));
            check(text.as_bytes(), 0, text.len(), b',');
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes(text in bytes_that_matter(), a: prop::sample::Index, b: prop::sample::Index) {
        let (a, b) = (a.index(text.len() + 1), b.index(text.len() + 1));
        check(&text, a.min(b), a.max(b), b',');
    }

    #[test]
    fn well_formed_text_is_regular(text in well_formed()) {
        check(&text, 0, text.len(), b',');
        let mut index = CsvIndex::new();
        csv_scan(Level::best(), &text, 0, text.len(), b',', &mut index);
        prop_assert!(index.is_regular());
    }
}
