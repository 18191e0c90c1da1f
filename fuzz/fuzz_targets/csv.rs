//! CSV: the same answer for two ways of cutting the text into blocks and batches, and the same
//! records as the plain decoder.
#![no_main]
#![allow(dead_code)] // Each target uses its part of `common`.

mod common;
#[path = "../../engine/src/decode/csv/plain.rs"]
mod plain;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use pelton::decode::{CsvDecoder, DecodeOptions};

use common::{agree, cut, drain};

fuzz_target!(|data: &[u8]| {
    let [seed, longest, text @ ..] = data else { return };
    let bytes = Bytes::copy_from_slice(text);
    let longest = usize::from(*longest) + 1;
    // No column is read: every record with the right number of fields is a row.
    let options =
        DecodeOptions { field_bytes_max: longest, columns: Some(vec![]), ..Default::default() };
    let read = |reader, options: &DecodeOptions| {
        CsvDecoder::new(Box::new(reader), options).ok().and_then(drain)
    };
    let whole = read(cut(&bytes, 60), &options);
    let small = DecodeOptions { batch_rows: 1 + usize::from(*seed) % 5, ..options.clone() };
    if let Some(outcome) = agree(whole, read(cut(&bytes, *seed), &small)) {
        if text.len() < 1 << 16 {
            compare(text, longest, &outcome);
        }
    }
    let inferred = DecodeOptions { field_bytes_max: longest, ..Default::default() };
    let small = DecodeOptions { batch_rows: 3, ..inferred.clone() };
    agree(read(cut(&bytes, 60), &inferred), read(cut(&bytes, *seed), &small));
});

fn compare(text: &[u8], longest: usize, outcome: &common::Outcome) {
    let mut items = plain::read(text, b',', longest).into_iter();
    let count = match items.next() {
        Some(plain::Item::Record { fields, .. }) => fields.len(),
        _ => 0,
    };
    let (mut texts, mut rejects) = (vec![], vec![]);
    for item in items {
        match item {
            plain::Item::Record { span: (start, end), fields, .. }
                if fields.len() == count && fields.iter().all(|f| f.raw_len <= longest) =>
            {
                texts.push((start as u64, text[start..end].to_vec()));
            }
            plain::Item::Record { line, span: (start, end), .. }
            | plain::Item::Wrong { line, span: (start, end) } => {
                rejects.push((line, start as u64, text[start..end].to_vec()));
            }
        }
    }
    let found: Vec<_> = outcome.rejects.iter().map(|r| (r.0, r.1, r.3.clone())).collect();
    assert_eq!(outcome.texts, texts);
    assert_eq!(found, rejects);
}
