//! The decoder against serde_json, on random lines cut anywhere, and one by one what a line can
//! hold.

use arrow::datatypes::{DataType, TimeUnit};
use bytes::Bytes;
use pelton_kernels::simd::Level;
use proptest::prelude::*;
use serde_json::Value;

use super::NdJsonDecoder;
use crate::decode::testing::{Outcome, column, decode_with, options};
use crate::decode::{ColumnRequest, DecodeOptions, MemoryReader};
use crate::error::Result;

fn run(text: &[u8], options: &DecodeOptions, block: usize, level: Level) -> Result<Outcome> {
    let reader = MemoryReader::split("t.ndjson", &Bytes::copy_from_slice(text), block);
    Ok(decode_with(NdJsonDecoder::with_level(Box::new(reader), options, level)?))
}

fn decode(text: &str, options: &DecodeOptions) -> Outcome {
    run(text.as_bytes(), options, usize::MAX, Level::best()).unwrap()
}

/// What serde_json makes of a line: `None` where it is no object.
fn object(line: &str) -> Option<serde_json::Map<String, Value>> {
    serde_json::from_str(line).ok()
}

/// Whether serde_json refuses a line for what we look at only in values that are read.
fn refused_for_content(line: &str) -> bool {
    serde_json::from_str::<serde_json::Map<String, Value>>(line).is_err_and(|error| {
        let message = error.to_string();
        message.contains("surrogate") || message.contains("range") || message.contains("hex")
    })
}

fn as_text(value: Option<&Value>) -> Option<Option<String>> {
    match value {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(text)) => Some(Some(text.clone())),
        Some(Value::Bool(value)) => Some(Some(value.to_string())),
        // Numbers are compared as floats below; nested values as they are written.
        Some(_) => None,
    }
}

/// Whether a decoded float is serde_json's, which may be off by a unit in the last place.
fn same_float(got: Option<&str>, wanted: Option<f64>) -> bool {
    let (Some(got), Some(wanted)) = (got, wanted) else { return got.is_none() && wanted.is_none() };
    let got: f64 = got.parse().unwrap();
    got == wanted
        || got.is_nan() && wanted.is_nan()
        || (got - wanted).abs() <= 2.0 * f64::EPSILON * wanted.abs()
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i32>().prop_map(|v| v.to_string()),
        (-1e9f64..1e9).prop_map(|v| v.to_string()),
        "[1-9]{1,3}(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
        "\\PC{0,12}".prop_map(|text| Value::from(text).to_string()),
        "\"([a-z é]|\\\\[\"\\\\/bfnrt]|\\\\u00e[0-9a-f]|\\\\ud83d\\\\ude0[0-9]){0,9}\"",
        Just("{\"a\": [1, {\"b\": {}}, []], \"c\": \"}\"}".to_owned()),
        Just("[ ]".to_owned()),
        "[-+0-9.eE\"\\\\\\[\\]{}a,: ]{1,6}",
    ]
}

fn line() -> impl Strategy<Value = String> {
    let name = prop_oneof![Just("a"), Just("b"), Just("c"), Just("\\u0061"), Just("other")];
    let member = (name, prop_oneof![Just(":"), Just(" : ")], value())
        .prop_map(|(name, colon, value)| format!("\"{name}\"{colon}{value}"));
    let object = (prop::collection::vec(member, 0..6), prop_oneof![Just(","), Just(" ,\t")])
        .prop_map(|(members, comma)| format!("{{{}}}", members.join(comma)))
        .boxed();
    prop_oneof![
        12 => object.clone(),
        1 => object.prop_map(|line| line[..line.len() - 1].to_owned()),
        1 => Just(String::new()),
        1 => Just(" \t".to_owned()),
        1 => Just("[1]".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn as_serde_json(
        lines in prop::collection::vec(line(), 0..30),
        block in prop_oneof![Just(usize::MAX), Just(1), 2usize..90],
        batch_rows in prop_oneof![Just(4096usize), 1usize..9],
        crlf: bool,
    ) {
        let lines: Vec<_> = lines.into_iter().filter(|line| !refused_for_content(line)).collect();
        let end = if crlf { "\r\n" } else { "\n" };
        // A first line with all columns, so that none is missing.
        let first = format!("{{\"a\":\"first\",\"b\":1.5,\"c\":null}}{end}");
        let text = first + &lines.join(end);
        let requests = vec![
            column("a", DataType::Utf8),
            column("b", DataType::Float64),
            ColumnRequest { required: false, ..column("none", DataType::Int64) },
        ];
        let options = DecodeOptions { batch_rows, ..options(requests) };
        let mut outcomes = vec![];
        for level in Level::available() {
            outcomes.push(run(text.as_bytes(), &options, block, level).unwrap());
        }
        prop_assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]));
        let got = &outcomes[0];
        let mut rows = got.rows.iter().skip(1);
        let mut rejects = got.rejects.iter();
        for line in lines.iter().filter(|line| !line.trim().is_empty()) {
            let parsed = object(line);
            // A `b` that is no number is a reject of its own.
            let float = parsed.as_ref().and_then(|object| match object.get("b") {
                None | Some(Value::Null) => Some(None),
                Some(Value::Number(number)) => Some(Some(number.as_f64()?)),
                Some(Value::String(text)) if text.is_empty() => Some(None),
                Some(Value::String(text)) => Some(Some(text.parse().ok()?)),
                Some(_) => None,
            });
            match (parsed, float) {
                (Some(object), Some(float)) => {
                    let row = rows.next();
                    prop_assert!(row.is_some(), "{line}");
                    let row = row.unwrap();
                    prop_assert!(same_float(row[1].as_deref(), float), "{line}: {:?}", row[1]);
                    if let Some(text) = as_text(object.get("a")) {
                        prop_assert_eq!(&row[0], &text, "{}", line);
                    }
                }
                _ => {
                    let reject = rejects.next();
                    prop_assert!(reject.is_some(), "{line}");
                    prop_assert_eq!(&reject.unwrap().raw, &line.trim_end_matches('\r').as_bytes());
                }
            }
        }
        prop_assert_eq!((rows.next(), rejects.next()), (None, None));
    }

    #[test]
    fn inference_does_not_depend_on_blocks(
        lines in prop::collection::vec(line(), 0..30), block in 1usize..60,
    ) {
        let text = format!("{{\"a\":1}}\n{}", lines.join("\n"));
        let all = DecodeOptions::default();
        let whole = run(text.as_bytes(), &all, usize::MAX, Level::best()).unwrap();
        let cut = DecodeOptions { batch_rows: 3, ..all };
        prop_assert_eq!(whole, run(text.as_bytes(), &cut, block, Level::Scalar).unwrap());
    }
}

#[test]
fn values_of_all_types() {
    let text = concat!(
        "{\"i\":1,\"m\":38.50,\"t\":\"2026-01-01T00:00:12Z\",\"c\":\"DE\",\"s\":\"a\\u00e9\\n\"}\n",
        "{\"s\":{\"x\":[1]},\"i\":\"7\",\"c\":\"\\u0044E\",\"m\":0.1e1,\"t\":17}\n",
        "{\"i\":1,\"i\":2,\"m\":null,\"s\":12.50,\"c\":\"\"}\r\n",
        "{}",
    );
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let requests = vec![
        column("i", DataType::Int64),
        column("m", DataType::Decimal128(30, 2)),
        column("t", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        column("c", dictionary),
        column("s", DataType::Utf8),
    ];
    let got = decode(text, &options(requests));
    assert_eq!(
        got.table(),
        [
            "1|3850|1767225612000000|DE|aé\n",
            "7|100|17|DE|{\"x\":[1]}",
            "2|null|null||12.50",
            "null|null|null|null|null",
        ]
    );
    assert_eq!(got.rejects, []);
}

#[test]
fn every_reason_to_reject() {
    let long = format!("{{\"i\":1,\"s\":\"{}\"}}", "x".repeat(41));
    for (line, name, reason) in [
        ("{\"i\":1", None, "expected ',' or '}' at byte 7 of the line"),
        ("[1]", None, "not a JSON object: expected a JSON object at byte 1"),
        ("{\"i\":1} x", None, "text follows the object"),
        ("{\"i\":01}", None, "expected ',' or '}'"),
        ("{\"i\":1.}", None, "expected a digit behind the point"),
        ("{\"i\":tru}", None, "expected a value"),
        ("{\"x\":\"\\x\"}", None, "an escape that JSON does not have"),
        ("{\"x\":\"a\tb\"}", None, "a control character in a string"),
        ("{\"x\":\"", None, "a string is not closed"),
        ("{i:1}", None, "expected the name of a member"),
        ("{\"i\":1.5}", Some("i"), "\"1.5\" is not an int64"),
        ("{\"i\":true}", Some("i"), "\"true\" is not an int64"),
        ("{\"i\":[1]}", Some("i"), "an object or array is no int64"),
        ("{\"s\":\"\\ud800\"}", Some("s"), "half of a surrogate pair"),
        (&long, Some("s"), "a field of more than 40 bytes"),
    ] {
        let text = format!("{{\"i\":1,\"s\":\"a\"}}\n\n{line}\n{{\"i\":2,\"s\":\"b\"}}");
        let columns = vec![column("i", DataType::Int64), column("s", DataType::Utf8)];
        let options = DecodeOptions { field_bytes_max: 40, ..options(columns) };
        for block in [usize::MAX, 1, 7] {
            let got = run(text.as_bytes(), &options, block, Level::best()).unwrap();
            assert_eq!(got.table(), ["1|a", "2|b"], "{line}");
            let [reject] = &got.rejects[..] else { panic!("{line}: {:?}", got.rejects) };
            assert!(reject.reason.contains(reason), "{line}: {}", reject.reason);
            assert_eq!(reject.column.as_deref(), name, "{line}");
            assert_eq!((reject.line, reject.byte_offset), (3, 17), "{line}");
            assert_eq!(reject.raw, line.as_bytes());
        }
    }
}

#[test]
fn bytes_that_are_no_text() {
    let text = b"{\"a\":\"x\",\"b\":1}\n{\"a\":\"\xff\",\"b\":2}\n";
    let read = |name| {
        let options = options(vec![column(name, DataType::Utf8)]);
        run(text, &options, usize::MAX, Level::best()).unwrap()
    };
    assert_eq!(read("b").table(), ["1", "2"]);
    assert_eq!(read("a").table(), ["x"]);
    assert_eq!(read("a").rejects[0].reason, "not valid UTF-8");
}

#[test]
fn deep_nesting_is_bounded() {
    let nested =
        |depth: usize| format!("{{\"a\":1,\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let text = format!("{}\n{}\n", nested(128), nested(129));
    let got = decode(&text, &options(vec![column("a", DataType::Int64)]));
    assert_eq!((got.rows.len(), got.rejects.len()), (1, 1));
    assert!(got.rejects[0].reason.contains("nested too deep"));
}

#[test]
fn columns_and_types_are_found() {
    let text =
        "{\"a\":1,\"b\":\"x\"}\n{\"c\":1.5,\"a\":2,\"d\":true,\"e\":\"2026-01-01\",\"f\":[1]}\n";
    let got = decode(text, &DecodeOptions::default());
    let time = "e: Timestamp(µs, \"UTC\")";
    let types = ["a: Int64", "b: Utf8", "c: Float64", "d: Boolean", time, "f: Utf8"];
    assert_eq!(got.types, types);
    let fails = |text: &str, options: &DecodeOptions| {
        run(text.as_bytes(), options, usize::MAX, Level::best()).unwrap_err().to_string()
    };
    let missing = fails(text, &options(vec![column("g", DataType::Int64)]));
    assert!(missing.contains("no column \"g\"") && missing.contains("a, b, c, d, e, f"));
    assert!(fails("a,b\n1,2\n", &DecodeOptions::default()).contains("NDJSON file"));
    let later = decode(text, &options(vec![column("c", DataType::Float64)]));
    assert_eq!(later.table(), ["null", "1.5"]);
    for empty in ["", "\n", "\u{feff}"] {
        let got = decode(empty, &options(vec![column("a", DataType::Int64)]));
        assert_eq!((got.types, got.rows.len()), (vec!["a: Int64".to_owned()], 0));
    }
}

#[test]
fn endless_lines_are_bounded() {
    let endless = "y".repeat(200_000);
    let text = format!("{{\"a\":1}}\n{{\"x\":\"{endless}\"}}\n{{\"a\":2}}\n{{\"a\":3}}");
    let options =
        DecodeOptions { field_bytes_max: 9, ..options(vec![column("a", DataType::Int64)]) };
    for block in [777, 70_000, usize::MAX] {
        let got = run(text.as_bytes(), &options, block, Level::best()).unwrap();
        assert_eq!(got.table(), ["1", "2", "3"]);
        assert_eq!(got.rejects[0].raw.len(), 64 << 10);
        assert_eq!(got.raws[2].0, 4);
    }
}
