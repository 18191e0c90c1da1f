//! The decoder against the plain one, on random text cut anywhere, and one by one every way in
//! which a row or an input can be wrong.

use arrow::datatypes::{DataType, TimeUnit};
use bytes::Bytes;
use pelton_kernels::simd::Level;
use pelton_kernels::text_parse as parse;
use proptest::prelude::*;

use super::CsvDecoder;
use super::plain::{self, Item, PlainField};
use crate::decode::testing::{Outcome, Reject, column, decode_with, options};
use crate::decode::{ColumnRequest, DecodeOptions, MemoryReader};
use crate::error::Result;

fn run(text: &[u8], options: &DecodeOptions, block: usize, level: Level) -> Result<Outcome> {
    let reader = MemoryReader::split("t.csv", &Bytes::copy_from_slice(text), block);
    Ok(decode_with(CsvDecoder::with_level(Box::new(reader), options, level)?))
}

fn decode(text: &str, options: &DecodeOptions) -> Outcome {
    run(text.as_bytes(), options, usize::MAX, Level::best()).unwrap()
}

fn error(text: &[u8], options: &DecodeOptions) -> String {
    match run(text, options, usize::MAX, Level::best()) {
        Ok(_) => panic!("an error was expected"),
        Err(error) => error.to_string(),
    }
}

/// What the plain decoder makes of columns of given types.
fn expected(text: &[u8], columns: &[(usize, DataType)], count: usize, longest: usize) -> Outcome {
    let mut outcome = Outcome::default();
    let mut items = plain::read(text, b',', longest).into_iter();
    items.next();
    for item in items {
        let (line, (start, end), fields) = match item {
            Item::Wrong { line, span } => (line, span, None),
            Item::Record { line, span, fields } => (line, span, Some(fields)),
        };
        let row = fields.filter(|fields| {
            fields.len() == count && fields.iter().all(|field| field.raw_len <= longest)
        });
        let values = row.and_then(|fields| {
            columns.iter().map(|(i, data_type)| value(&fields[*i], data_type)).collect()
        });
        let raw = text[start..end].to_vec();
        match values {
            Some(values) => {
                outcome.rows.push(values);
                outcome.raws.push((line, start as u64, raw));
            }
            None => outcome.rejects.push(Reject {
                line,
                byte_offset: start as u64,
                raw,
                ..Reject::default()
            }),
        }
    }
    outcome
}

/// A field as a value of a type: `None` is wrong, `Some(None)` is null.
fn value(field: &PlainField, data_type: &DataType) -> Option<Option<String>> {
    let text = &field.text[..];
    let is_text = matches!(data_type, DataType::Utf8 | DataType::Dictionary(..));
    if text.is_empty() && !(field.quoted && is_text) {
        return Some(None);
    }
    let shown = match data_type {
        DataType::Int64 => parse::parse_i64(text)?.to_string(),
        DataType::UInt64 => parse::parse_u64(text)?.to_string(),
        DataType::Int8 => i8::try_from(parse::parse_i64(text)?).ok()?.to_string(),
        DataType::Float64 => format!("{:?}", parse::parse_f64(text)?),
        DataType::Boolean => parse::parse_bool(text)?.to_string(),
        DataType::Decimal128(p, s) => parse::parse_decimal(text, *p, *s).ok()?.to_string(),
        DataType::Timestamp(..) => {
            parse::parse_timestamp(text, parse::TimeUnit::Microsecond)?.to_string()
        }
        _ => std::str::from_utf8(text).ok()?.to_owned(),
    };
    Some(Some(shown))
}

fn types() -> [DataType; 9] {
    [
        DataType::Utf8,
        DataType::Int64,
        DataType::Float64,
        DataType::Decimal128(10, 2),
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        DataType::Boolean,
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::UInt64,
        DataType::Int8,
    ]
}

/// Text of fields that parse, almost parse, or break the record.
fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "-?[0-9]{1,4}(\\.[0-9]{1,3})?",
        2 => "[0-9]{16,20}",
        2 => Just(String::new()),
        2 => "[A-Za-z]{1,9}",
        2 => "\"([a-z,\n\r0-9.]|\"\"){0,20}\"",
        1 => "(true|FALSE|1|0|2026-01-0[0-9]T10:00:0[0-9]Z)",
        1 => "[a\"\r,\u{0}é]{0,5}",
        1 => Just("\"".to_owned()),
        1 => "[0-9]{60,120}",
    ]
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    let record = prop_oneof![
        6 => prop::collection::vec(field(), 4..5),
        1 => prop::collection::vec(field(), 0..7),
    ];
    let line = (record, prop_oneof![3 => Just("\n"), 1 => Just("\r\n")])
        .prop_map(|(fields, end)| fields.join(",") + end);
    (prop::collection::vec(line, 0..40), any::<bool>(), prop::option::of(any::<(u16, u8)>()))
        .prop_map(|(lines, cut, byte)| {
            let mut text = lines.concat().into_bytes();
            if cut {
                text.pop();
            }
            if let Some((at, byte)) = byte {
                let at = usize::from(at) % (text.len() + 1);
                text.insert(at, byte);
            }
            [&b"a,b,c,d\n"[..], &text].concat()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn as_the_plain_decoder(
        text in text(),
        picked in prop::collection::vec((0usize..4, 0usize..9), 1..5),
        block in prop_oneof![Just(usize::MAX), Just(1), 2usize..90],
        batch_rows in prop_oneof![Just(4096usize), Just(1), 2usize..9],
        longest in prop_oneof![Just(1usize << 20), 8usize..80],
    ) {
        let names = ["a", "b", "c", "d"];
        let types = types();
        let columns: Vec<_> =
            picked.iter().map(|(column, kind)| (*column, types[*kind].clone())).collect();
        let requests = columns.iter().map(|(i, t)| column(names[*i], t.clone())).collect();
        let options = DecodeOptions {
            batch_rows, field_bytes_max: longest, ..options(requests)
        };
        let wanted = expected(&text, &columns, 4, longest);
        for level in Level::available() {
            let got = run(&text, &options, block, level).unwrap();
            prop_assert_eq!(&got.rows, &wanted.rows);
            prop_assert_eq!(&got.raws, &wanted.raws);
            prop_assert_eq!(got.places(), wanted.places());
        }
    }

    #[test]
    fn inference_does_not_depend_on_blocks(text in text(), block in 1usize..60) {
        let all = DecodeOptions::default();
        let whole = run(&text, &all, usize::MAX, Level::best()).unwrap();
        let cut = run(&text, &DecodeOptions { batch_rows: 3, ..all }, block, Level::Scalar);
        prop_assert_eq!(whole, cut.unwrap());
    }
}

#[test]
fn rows_of_all_types() {
    let text = "a,b,c,d\n1,2.5,\"x,\"\"y\"\"\",true\r\n-7,,\"\",0\n";
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let got = decode(
        text,
        &options(vec![
            column("c", dictionary),
            column("a", DataType::Int64),
            column("b", DataType::Decimal128(9, 2)),
            column("d", DataType::Boolean),
        ]),
    );
    assert_eq!(got.table(), ["x,\"y\"|1|250|true", "|-7|null|false"]);
    assert!(got.rejects.is_empty());
}

#[test]
fn every_reason_to_reject() {
    let nine = "9".repeat(50);
    for (row, name, reason) in [
        ("1,2".to_owned(), None, "2 fields where 3 are expected"),
        ("1,2,3,4".to_owned(), None, "4 fields where 3 are expected"),
        ("x,2,3".to_owned(), Some("i"), "\"x\" is not an int64"),
        ("1\u{0},2,3".to_owned(), Some("i"), "\"1\\0\" is not an int64"),
        ("1,2.345,3".to_owned(), Some("m"), "more than 2 digits after the point"),
        ("1,123456.00,3".to_owned(), Some("m"), "too many digits for decimal(6, 2)"),
        ("1,2,2026-02-30".to_owned(), Some("t"), "is not a time (ISO 8601 or integer micro"),
        (format!("{nine},2,3"), Some("i"), "a field of more than 40 bytes"),
        ("1,\"2,3".to_owned(), Some("m"), "a quote is not closed"),
        ("1,\"2\"x,3".to_owned(), Some("m"), "text follows a closing quote"),
    ] {
        let text = format!("i,m,t\n1,2,3\n\n{row}\n4,5,6\n");
        let columns = vec![
            column("i", DataType::Int64),
            column("m", DataType::Decimal128(6, 2)),
            column("t", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        ];
        let options = DecodeOptions { field_bytes_max: 40, ..options(columns) };
        for block in [usize::MAX, 1, 7] {
            for level in Level::available() {
                let got = run(text.as_bytes(), &options, block, level).unwrap();
                assert_eq!(got.table(), ["1|200|3", "4|500|6"], "{row}");
                let [reject] = &got.rejects[..] else { panic!("{row}: {:?}", got.rejects) };
                assert!(reject.reason.contains(reason), "{row}: {}", reject.reason);
                assert_eq!(reject.column.as_deref(), name, "{row}");
                assert_eq!((reject.line, reject.byte_offset), (4, 13), "{row}");
                assert_eq!(reject.raw, row.as_bytes());
                assert_eq!(reject.file, "t.csv");
            }
        }
    }
}

#[test]
fn utf8_matters_in_columns_that_are_read() {
    let text = b"a,b\nx\xff,1\ny,2\xff\n";
    let read = |name| {
        let options = options(vec![column(name, DataType::Utf8)]);
        run(text, &options, usize::MAX, Level::best()).unwrap()
    };
    let got = read("a");
    assert_eq!(got.table(), ["y"]);
    assert_eq!(got.rejects[0].reason, "not valid UTF-8");
    assert_eq!(got.rejects[0].raw, b"x\xff,1");
    assert_eq!(read("b").table(), ["1"]);
}

#[test]
fn null_text() {
    let columns = || vec![column("a", DataType::Int64), column("b", DataType::Utf8)];
    let with = |null: &str| DecodeOptions { null: Some(null.into()), ..options(columns()) };
    let text = "a,b\nNA,NA\n-9,\"NA\"\n7,-9\n\"-9\",x\n";
    assert_eq!(decode(text, &with("NA")).table(), ["null|null", "-9|NA", "7|-9", "-9|x"]);
    let got = decode(text, &with("-9"));
    assert_eq!(got.table(), ["null|NA", "7|null", "-9|x"]);
    assert_eq!(got.rejects.len(), 1);
}

#[test]
fn headers() {
    let int = |name| column(name, DataType::Int64);
    assert_eq!(decode("\u{feff}\"a\",b\n1,2\n", &options(vec![int("a")])).table(), ["1"]);
    let none = DecodeOptions { header: false, ..options(vec![int("c1")]) };
    assert_eq!(decode("1,2\n3,4", &none).table(), ["2", "4"]);
    let tabs = DecodeOptions { delimiter: b'\t', ..options(vec![int("b")]) };
    assert_eq!(decode("a\tb\n1,5\t2\n", &tabs).table(), ["2"]);
    // Nothing, or nothing but a header: no rows, and the schema that was asked for.
    for text in ["", "\n\r\n", "a,b", "a,b\r\n", "\u{feff}"] {
        let got = decode(text, &options(vec![int("a")]));
        assert_eq!((got.rows.len(), got.rejects.len()), (0, 0), "{text:?}");
        assert_eq!(got.types, ["a: Int64"]);
    }
    let missing = error(b"card,amount\n1,2\n", &options(vec![int("amont")]));
    assert!(missing.contains("no column \"amont\"") && missing.contains("card, amount"));
    assert!(missing.contains("did you mean \"amount\""), "{missing}");
    let optional = ColumnRequest { required: false, ..int("x") };
    assert_eq!(decode("a\n1\n", &options(vec![int("a"), optional])).types, ["a: Int64"]);
    assert!(error(b"a,a\n1,2\n", &options(vec![int("a")])).contains("two columns are named \"a\""));
    assert!(error(b"a,a\n1,2\n", &DecodeOptions::default()).contains("two columns"));
    assert_eq!(decode("a,a,b\n1,2,3\n", &options(vec![int("b")])).table(), ["3"]);
    assert!(error(b"PAR1\0\0\n", &options(vec![int("a")])).contains("no CSV"));
    assert!(error(b"\"a,b\n1,2\n", &options(vec![int("a")])).contains("quote is not closed"));
    let unknown = options(vec![column("a", DataType::Binary)]);
    assert!(error(b"a\n1\n", &unknown).contains("cannot be read as Binary"));
    let quote = DecodeOptions { delimiter: b'"', ..DecodeOptions::default() };
    assert!(error(b"a\n", &quote).contains("cannot separate"));
}

#[test]
fn inferred_types() {
    let mut text = String::from("i,f,b,t,s,e,n\n");
    for row in 0..1000 {
        text.push_str(&format!("{row},{row}.5,TRUE,2026-01-01T00:00:00Z,x{row},,NaN\n"));
    }
    text.push_str("x,1,true,2026-01-01,y,,\n1,1e3,false,2026-01-01,,z,\n");
    let got = decode(&text, &DecodeOptions::default());
    let time = "Timestamp(µs, \"UTC\")";
    let types = [
        "i: Int64",
        "f: Float64",
        "b: Boolean",
        &format!("t: {time}"),
        "s: Utf8",
        "e: Utf8",
        "n: Utf8",
    ];
    assert_eq!(got.types, types);
    assert_eq!(got.rows.len(), 1001);
    let reason = &got.rejects[0].reason;
    assert_eq!(reason, "\"x\" is not an int64, the type inferred from the first rows");
}

#[test]
fn long_and_unclosed_fields_are_bounded() {
    let requests = || options(vec![column("a", DataType::Utf8)]);
    // A quote that is never closed, lines behind it, and blocks of every kind.
    let lines = "x,1\n".repeat(40_000);
    let text = format!("a,b\n\"u,1\n{lines}");
    for (longest, block) in [(1 << 20, 4096), (100, 4096), (1 << 10, usize::MAX), (1 << 20, 65_536)]
    {
        let options = DecodeOptions { field_bytes_max: longest, ..requests() };
        let got = run(text.as_bytes(), &options, block, Level::best()).unwrap();
        assert_eq!((got.rows.len(), got.rejects.len()), (40_000, 1));
        assert_eq!(got.rejects[0].raw, b"\"u,1");
        assert_eq!(got.raws[39_999].0, 40_002);
    }
    // A line longer than the bound of records (64 KiB here).
    for block in [1000, 70_000, usize::MAX] {
        let text = format!("a,b\n1,2\n{}\n3,4\n", "z".repeat(200_000));
        let options = DecodeOptions { field_bytes_max: 100, ..requests() };
        let got = run(text.as_bytes(), &options, block, Level::best()).unwrap();
        assert_eq!(got.table(), ["1", "3"]);
        assert_eq!(got.rejects[0].raw.len(), 64 << 10);
        assert_eq!(got.raws[1].0, 4);
    }
    // A long field within the bound of records is shown whole.
    let long = "y".repeat(10_000);
    let options = DecodeOptions { field_bytes_max: 9_999, ..requests() };
    for block in [100, usize::MAX] {
        let text = format!("a,b\n{long},1\n\"{long}\",1\nx,2\n");
        let got = run(text.as_bytes(), &options, block, Level::best()).unwrap();
        assert_eq!(got.table(), ["x"]);
        assert_eq!(got.rejects.len(), 2);
        assert_eq!(got.rejects[0].raw.len(), 10_002);
        assert!(got.rejects[0].reason.contains("more than 9999 bytes"));
    }
}

#[test]
fn dictionaries_keep_their_codes() {
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let mut text = String::from("a\n");
    for row in 0..3000 {
        text.push_str(&format!("value{},\n", row % 700).replace(',', ""));
        text.push_str("DE\n\"DE\"\nlonger than seven\n");
    }
    let options = DecodeOptions { batch_rows: 100, ..options(vec![column("a", dictionary)]) };
    let got = decode(&text, &options);
    for (row, value) in got.table().iter().enumerate() {
        let wanted = match row % 4 {
            0 => format!("value{}", row / 4 % 700),
            3 => "longer than seven".to_owned(),
            _ => "DE".to_owned(),
        };
        assert_eq!(*value, wanted);
    }
}
