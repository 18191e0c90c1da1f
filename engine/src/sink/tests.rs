//! What is written reads back as it was, and appears only when it is whole.

use std::sync::Arc;

use ::arrow::array::*;
use ::arrow::datatypes::{DataType, Field, Schema};
use ::arrow::ipc::reader::FileReader;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use tempfile::TempDir;

use super::json::{write_decimal, write_f64, write_string};
use super::*;
use crate::decode::{DeadLetter, Format};

fn rows(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap()
}

fn ndjson(rows: &RecordBatch) -> String {
    let mut out = Vec::new();
    NdJsonEncoder::new(&rows.schema()).encode(rows, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn some_rows() -> RecordBatch {
    let amounts = Decimal128Array::from(vec![Some(1250), None, Some(-5)]);
    rows(vec![
        ("ts", Arc::new(TimestampMicrosecondArray::from(vec![Some(-1), Some(0), None])) as _),
        ("amount", Arc::new(amounts.with_precision_and_scale(12, 2).unwrap())),
        ("name", Arc::new(StringArray::from(vec![Some("a,b"), Some(""), None]))),
        ("ok", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("score", Arc::new(Float64Array::from(vec![Some(0.1), Some(f64::NAN), Some(-0.0)]))),
    ])
}

#[test]
fn json_forms_of_the_types() {
    assert_eq!(
        ndjson(&some_rows()),
        "{\"ts\":-1,\"amount\":12.50,\"name\":\"a,b\",\"ok\":true,\"score\":0.1}\n\
         {\"ts\":0,\"amount\":null,\"name\":\"\",\"ok\":false,\"score\":null}\n\
         {\"ts\":null,\"amount\":-0.05,\"name\":null,\"ok\":null,\"score\":-0.0}\n"
    );
    let numbers = rows(vec![
        ("i", Arc::new(Int64Array::from(vec![i64::MIN])) as _),
        ("u", Arc::new(UInt64Array::from(vec![u64::MAX]))),
        ("f", Arc::new(Float32Array::from(vec![0.1f32]))),
        ("d", Arc::new(Float64Array::from(vec![1e300]))),
        ("date", Arc::new(Date32Array::from(vec![0]))),
        ("b", Arc::new(BinaryArray::from(vec![&[0xffu8, 0][..]]))),
        ("none", Arc::new(NullArray::new(1))),
        ("v", Arc::new(StringViewArray::from(vec!["view"]))),
        ("t", Arc::new(Time64MicrosecondArray::from(vec![5]))),
    ]);
    assert_eq!(
        ndjson(&numbers),
        "{\"i\":-9223372036854775808,\"u\":18446744073709551615,\"f\":0.1,\"d\":1e300,\
         \"date\":\"1970-01-01\",\"b\":\"/wA=\",\"none\":null,\"v\":\"view\",\"t\":5}\n"
    );
}

#[test]
fn json_of_nested_dictionary_and_embedded_columns() {
    let mut items = ListBuilder::new(Int32Builder::new());
    items.append_value([Some(1), None]);
    items.append_null();
    items.append_value([]);
    let kind: DictionaryArray<::arrow::array::types::Int32Type> =
        vec![Some("a"), None, Some("b\"")].into_iter().collect();
    let inner = StructArray::from(rows(vec![
        ("x", Arc::new(Int32Array::from(vec![1, 2, 3])) as ArrayRef),
        ("y", Arc::new(StringArray::from(vec![Some("p"), None, Some("q")])) as ArrayRef),
    ]));
    let json = Field::new("why", DataType::Utf8, true).with_metadata(
        [("ARROW:extension:name".to_owned(), "arrow.json".to_owned())].into_iter().collect(),
    );
    let why = StringArray::from(vec![Some("[{\"rule\":\"speed\"}]"), None, Some("{\n\"a\":1}")]);
    let fields = vec![
        Field::new("items", DataType::new_list(DataType::Int32, true), true),
        Field::new("kind", kind.data_type().clone(), true),
        Field::new("inner", inner.data_type().clone(), true),
        json,
    ];
    let rows = RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        vec![Arc::new(items.finish()), Arc::new(kind), Arc::new(inner), Arc::new(why)],
    )
    .unwrap();
    let expected = "{\"items\":[1,null],\"kind\":\"a\",\"inner\":{\"x\":1,\"y\":\"p\"},\
        \"why\":[{\"rule\":\"speed\"}]}\n\
        {\"items\":null,\"kind\":null,\"inner\":{\"x\":2,\"y\":null},\"why\":null}\n\
        {\"items\":[],\"kind\":\"b\\\"\",\"inner\":{\"x\":3,\"y\":\"q\"},\"why\":{ \"a\":1}}\n";
    assert_eq!(ndjson(&rows), expected);
    // A slice of the rows is written as these rows.
    assert_eq!(ndjson(&rows.slice(1, 2)), expected.split_once('\n').unwrap().1);
}

#[test]
fn decimals_have_all_their_places() {
    for (value, scale, text) in [
        (0, 0, "0"),
        (0, 2, "0.00"),
        (5, 2, "0.05"),
        (-5, 2, "-0.05"),
        (-123, 2, "-1.23"),
        (100, 2, "1.00"),
        (7, -2, "700"),
        (0, -2, "0"),
        (i128::MAX, 3, "170141183460469231731687303715884105.727"),
        (i128::MIN, 0, "-170141183460469231731687303715884105728"),
    ] {
        let mut out = Vec::new();
        write_decimal(value, scale, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}

proptest! {
    #[test]
    fn strings_read_back_as_json(text in "\\PC*|[\\x00-\\x7f]*") {
        let mut out = Vec::new();
        write_string(&text, &mut out);
        let back: String = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(back, text);
        prop_assert!(!out.contains(&b'\n'));
    }

    #[test]
    fn floats_are_written_as_the_general_algorithm_writes_them(
        any in any::<f64>(), digits in -2_000_000_000_000_000i64..2_000_000_000_000_000,
        shift in 0i32..60, decimals in 0i32..12, ulps in -2i64..3,
    ) {
        let near = (digits >> shift) as f64 / libm::pow(10.0, f64::from(decimals));
        let beside = f64::from_bits(near.to_bits().wrapping_add_signed(ulps));
        for value in [any, near, beside, near.trunc(), 0.0, -0.0, 1e-6, 1e15, 1e9 - 1e-6, 5e-7] {
            let mut out = Vec::new();
            write_f64(value, &mut out);
            let expected = match value.is_finite() {
                true => ryu::Buffer::new().format_finite(value).to_owned(),
                false => "null".to_owned(),
            };
            prop_assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn floats_read_back_bit_by_bit(value in any::<f64>()) {
        let line = ndjson(&rows(vec![("x", Arc::new(Float64Array::from(vec![value])) as _)]));
        let text = line.trim_end().trim_start_matches("{\"x\":").trim_end_matches('}');
        if value.is_finite() {
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
        } else {
            prop_assert_eq!(text, "null");
        }
    }
}

#[test]
fn every_format_reads_back() {
    let folder = TempDir::new().unwrap();
    let rows = some_rows();
    let batch = Batch::new(rows.clone(), 0);
    for name in ["out.csv", "out.ndjson", "out.parquet", "out.arrow", "out.tsv"] {
        let path = folder.path().join(name);
        let path = path.to_str().unwrap();
        let mut sink = open_sink(path, None, &rows.schema()).unwrap();
        sink.write(&batch).unwrap();
        sink.write(&batch).unwrap();
        assert!(!std::fs::exists(path).unwrap(), "{name} has its name too early");
        sink.commit().unwrap();
    }
    let csv = std::fs::read_to_string(folder.path().join("out.csv")).unwrap();
    let body = "-1,12.50,\"a,b\",true,0.1\n0,,\"\",false,NaN\n,-0.05,,,-0.0\n";
    assert_eq!(csv, format!("ts,amount,name,ok,score\n{body}{body}"));
    let tsv = std::fs::read_to_string(folder.path().join("out.tsv")).unwrap();
    assert!(tsv.starts_with("ts\tamount\tname\tok\tscore\n-1\t12.50\ta,b\ttrue\t0.1\n"));
    let lines = std::fs::read_to_string(folder.path().join("out.ndjson")).unwrap();
    assert_eq!(lines, ndjson(&rows).repeat(2));

    let twice = ::arrow::compute::concat_batches(&rows.schema(), [&rows, &rows]).unwrap();
    let file = std::fs::File::open(folder.path().join("out.arrow")).unwrap();
    let back: Vec<_> = FileReader::try_new(file, None).unwrap().map(|rows| rows.unwrap()).collect();
    let back = ::arrow::compute::concat_batches(&rows.schema(), &back).unwrap();
    assert_eq!(format!("{back:?}"), format!("{twice:?}"));
    let file = std::fs::File::open(folder.path().join("out.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let back: Vec<_> = reader.map(|rows| rows.unwrap()).collect();
    assert_eq!(back[0].schema(), rows.schema());
    assert_eq!(ndjson(&back[0]), lines);
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 5, "no temporary file is left");
}

#[test]
fn arrow_files_take_a_new_dictionary_in_each_batch() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("kinds.arrow");
    let kinds = |kinds: [&str; 2]| {
        let array: DictionaryArray<::arrow::array::types::Int32Type> = kinds.into_iter().collect();
        rows(vec![("kind", Arc::new(array) as _)])
    };
    let (a, b) = (kinds(["x", "y"]), kinds(["z", "x"]));
    let mut sink = open_sink(path.to_str().unwrap(), None, &a.schema()).unwrap();
    sink.write(&Batch::new(a, 0)).unwrap();
    sink.write(&Batch::new(b, 2)).unwrap();
    sink.commit().unwrap();
    let file = std::fs::File::open(path).unwrap();
    let text: String =
        FileReader::try_new(file, None).unwrap().map(|rows| ndjson(&rows.unwrap())).collect();
    let values = ["x", "y", "z", "x"].map(|kind| format!("{{\"kind\":\"{kind}\"}}\n"));
    assert_eq!(text, values.concat());
}

#[test]
fn without_commit_nothing_changes() {
    let folder = TempDir::new().unwrap();
    let rows = some_rows();
    for name in ["out.csv", "out.ndjson", "out.parquet", "out.arrow"] {
        let path = folder.path().join(name);
        std::fs::write(&path, "before").unwrap();
        let mut sink = open_sink(path.to_str().unwrap(), None, &rows.schema()).unwrap();
        sink.write(&Batch::new(rows.clone(), 0)).unwrap();
        drop(sink);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "before");
        let mut sink = open_sink(path.to_str().unwrap(), None, &rows.schema()).unwrap();
        sink.write(&Batch::new(rows.clone(), 0)).unwrap();
        sink.commit().unwrap();
        assert_ne!(std::fs::read(&path).unwrap(), b"before");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
}

#[test]
#[cfg(unix)]
fn outputs_are_as_open_as_other_files_and_links_stay_links() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "").unwrap();
    let path = folder.path().join("new.ndjson");
    Output::create(path.to_str().unwrap()).unwrap().commit().unwrap();
    assert_eq!(mode(&path), mode(&plain));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let link = folder.path().join("link.ndjson");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let mut output = Output::create(link.to_str().unwrap()).unwrap();
    output.put(b"through the link").unwrap();
    output.commit().unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "through the link");
    assert_eq!(mode(&path), 0o640);
    assert!(link.symlink_metadata().unwrap().is_symlink());
}

#[test]
fn what_cannot_be_written_is_said_with_its_path() {
    let folder = TempDir::new().unwrap();
    let schema = some_rows().schema();
    let missing = folder.path().join("no/such/out.ndjson");
    for path in [missing.to_str().unwrap(), folder.path().to_str().unwrap()] {
        let error = open_sink(path, Some(Format::NdJson), &schema).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Run);
        assert!(error.to_string().contains(path) && error.to_string().contains("help:"));
    }
    for path in ["out.xyz", "out", "out.csv.gz"] {
        let error = open_sink(path, None, &schema).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Usage);
        assert!(error.to_string().contains(path), "{error}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error_in_every_format() {
    let rows = some_rows();
    for format in [Format::NdJson, Format::Csv, Format::Parquet, Format::Arrow] {
        let write = || -> Result<()> {
            let mut sink = open_sink("/dev/full", Some(format), &rows.schema())?;
            sink.write(&Batch::new(rows.clone(), 0))?;
            sink.commit()
        };
        let error = write().unwrap_err().to_string();
        assert!(error.contains("/dev/full") && error.contains("No space"), "{format}: {error}");
        let mut null = open_sink("/dev/null", Some(format), &rows.schema()).unwrap();
        null.write(&Batch::new(rows.clone(), 0)).unwrap();
        null.commit().unwrap();
    }
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn the_black_hole_and_memory_see_the_rows_and_not_the_batches() {
    let rows = some_rows();
    let feed = |sizes: &[usize]| {
        let (mut sink, swallowed) = BlackholeSink::new(&rows.schema());
        let memory = MemorySink::new();
        let (batches, mut memory) = (memory.batches(), Box::new(memory));
        let mut at = 0;
        for &size in sizes {
            let batch = Batch::new(rows.slice(at, size), at as u64);
            sink.write(&batch).unwrap();
            memory.write(&batch).unwrap();
            at += size;
        }
        Box::new(sink).commit().unwrap();
        memory.commit().unwrap();
        let kept = ::arrow::compute::concat_batches(&rows.schema(), &*batches.lock().unwrap());
        assert_eq!(ndjson(&kept.unwrap()), ndjson(&rows.slice(0, at)));
        (swallowed.rows(), swallowed.bytes(), swallowed.checksum())
    };
    let whole = feed(&[3]);
    assert_eq!(whole.0, 3);
    assert!(whole.1 > 0);
    assert_eq!(feed(&[1, 2]), whole);
    assert_eq!(feed(&[0, 1, 1, 0, 1]), whole);
    assert_ne!(feed(&[2]).2, whole.2);
}

#[test]
fn dead_letters_are_lines_of_json() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("dead.ndjson");
    let letter = |raw: &'static [u8], column: Option<&str>| DeadLetter {
        file: "a \"b\".csv".into(),
        line: 3,
        byte_offset: 99,
        column: column.map(str::to_owned),
        reason: "not a number".into(),
        raw: raw.into(),
    };
    let mut sink = DeadLetterSink::create(path.to_str().unwrap()).unwrap();
    sink.write(&letter(b"1,\x00x", Some("amount"))).unwrap();
    sink.write(&letter(b"\xff\xfe", None)).unwrap();
    sink.commit().unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["raw"], "1,\u{0}x");
    assert_eq!(lines[0]["column"], "amount");
    assert_eq!(lines[1]["raw_base64"], "//4=");
    assert!(lines[1]["column"].is_null() && lines[1].get("raw").is_none());
}
