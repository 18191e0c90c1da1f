//! Text: `csv_scan` and `text_parse`. What they mean is tested beside them.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Answer, suite};
use crate::csv_scan::{CsvIndex, csv_scan};
use crate::simd::level;
use crate::text_parse::{
    DecimalPlan, ExplicitSpans, parse_decimal, parse_decimal_column, parse_f64, parse_f64_column,
    parse_i64, parse_i64_column,
};

/// So many bytes of those that matter, and where the stretch starts.
fn stretch(bytes: usize) -> BoxedStrategy<(Vec<u8>, usize)> {
    let byte = prop_oneof![
        4 => Just(b'a'), 2 => Just(b','), 1 => Just(b'\n'), 1 => Just(b'"'),
        1 => Just(b'\r'), 1 => any::<u8>(),
    ];
    let plain = prop_oneof![4 => Just(b'1'), 1 => Just(b','), 1 => Just(b'\n')];
    let text = prop_oneof![vec(byte, bytes), vec(plain, bytes)];
    (text, 0..=bytes).boxed()
}

fn scan((text, from): &(Vec<u8>, usize)) -> Answer {
    let mut index = CsvIndex::new();
    csv_scan(level(), text, *from, text.len(), b',', &mut index);
    let positions = index.separators().iter().chain([&u32::MAX]).chain(index.record_ends());
    let flags = [index.has_quotes(), index.is_regular()].map(u64::from);
    positions.map(|position| u64::from(*position)).chain(flags).collect()
}

suite! {
    csv_scan {
        stretch: stretch => scan;
    }
}

fn fields(rows: usize) -> BoxedStrategy<Vec<String>> {
    let field = prop_oneof![
        "[-+]?[0-9]{0,20}",
        "[-+]?[0-9]{0,9}\\.?[0-9]{0,9}",
        "-?[0-9]{1,3}\\.[0-9]{1,12}",
        "[-+.0-9eE]{0,18}",
        any::<i64>().prop_map(|value| value.to_string()),
        any::<f64>().prop_map(|value| value.to_string()),
        "\\PC{0,6}",
    ];
    vec(field, rows).boxed()
}

/// Values of all fields, exceptions read one by one as every caller does: which fields are
/// exceptions may differ.
fn parsed<T: Copy + Default>(
    fields: &[String],
    kernel: impl Fn(&[u8], &ExplicitSpans<'_>, &mut [T], &mut Vec<u32>),
    one: impl Fn(&[u8]) -> Option<T>,
    words: impl Fn(T) -> [u64; 2],
) -> Answer {
    let text = fields.join(",").into_bytes();
    let (mut starts, mut ends, mut at) = (vec![], vec![], 0);
    for field in fields {
        starts.push(at);
        ends.push(at + field.len() as u32);
        at += field.len() as u32 + 1;
    }
    let (mut out, mut exceptions) = (vec![T::default(); fields.len()], vec![]);
    kernel(&text, &ExplicitSpans { starts: &starts, ends: &ends }, &mut out, &mut exceptions);
    let mut values: Vec<Option<T>> = out.into_iter().map(Some).collect();
    for i in exceptions {
        values[i as usize] = one(fields[i as usize].as_bytes());
    }
    let words = |value: Option<T>| value.map_or([u64::MAX, 0x0bad], &words);
    values.into_iter().flat_map(words).collect()
}

fn integers(fields: &[String]) -> Answer {
    let kernel = |text: &[u8], spans: &ExplicitSpans<'_>, out: &mut [i64], exceptions: &mut _| {
        parse_i64_column(level(), text, spans, out, exceptions);
    };
    parsed(fields, kernel, parse_i64, |value| [value as u64, 0])
}

fn floats(fields: &[String]) -> Answer {
    let kernel = |text: &[u8], spans: &ExplicitSpans<'_>, out: &mut [f64], exceptions: &mut _| {
        parse_f64_column(level(), text, spans, out, exceptions);
    };
    parsed(fields, kernel, parse_f64, |value| [value.to_bits(), 0])
}

fn decimals(precision: u8, scale: i8) -> impl Fn(&Vec<String>) -> Answer {
    move |fields| {
        let plan = DecimalPlan::new(precision, scale);
        let kernel =
            |text: &[u8], spans: &ExplicitSpans<'_>, out: &mut [i128], exceptions: &mut _| {
                parse_decimal_column(level(), text, spans, &plan, out, exceptions);
            };
        let one = |field: &[u8]| parse_decimal(field, precision, scale).ok();
        parsed(fields, kernel, one, |value| [value as u64, (value >> 64) as u64])
    }
}

suite! {
    text_parse {
        i64: fields => |fields| integers(fields);
        f64: fields => |fields| floats(fields);
        decimal_10_2: fields => decimals(10, 2);
        decimal_38_20: fields => decimals(38, 20);
    }
}
