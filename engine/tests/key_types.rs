//! Keys of every type, through the public API: windows, and over windows at arrival and at the
//! watermark, with batches and shards of several sizes, against groups made by the numbers that the
//! keys were made from.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::types::*;
use arrow::array::*;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit, i256};
use pelton::pipeline::*;
use pelton::testing::{Arrived, Outcome, Script, Trial, agree, run};
use pelton::time::seconds;

fn types() -> Vec<DataType> {
    use DataType::*;
    use TimeUnit::*;
    let dictionary = |value: DataType| Dictionary(Box::new(Int16), Box::new(value));
    let units = [Second, Millisecond, Microsecond, Nanosecond];
    let mut all = vec![Boolean, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64];
    all.extend([Float16, Float32, Float64, Date32, Date64]);
    all.extend([Decimal32(7, 2), Decimal64(15, -2), Decimal128(30, 2), Decimal256(60, 4)]);
    all.extend(units.map(|unit| Timestamp(unit, None)));
    all.push(Timestamp(Microsecond, Some("Europe/Berlin".into())));
    all.extend(units.map(Duration));
    all.extend(units[..2].iter().map(|unit| Time32(*unit)));
    all.extend(units[2..].iter().map(|unit| Time64(*unit)));
    let intervals = [IntervalUnit::YearMonth, IntervalUnit::DayTime, IntervalUnit::MonthDayNano];
    all.extend(intervals.map(Interval));
    all.extend([Utf8, LargeUtf8, Utf8View, Binary, LargeBinary, BinaryView, FixedSizeBinary(9)]);
    let coded = [Utf8, Binary, Int64, Decimal128(25, 2), Float64, Interval(IntervalUnit::DayTime)];
    all.extend(coded.map(dictionary));
    all
}

/// A column of one value of the type for each number, different ones for different ones from 0 to
/// 5; of booleans two.
fn values(data_type: &DataType, numbers: &[Option<i64>]) -> ArrayRef {
    use DataType::*;
    // Small and large, above and below zero.
    const NUMBERS: [i64; 6] = [0, 7, -7, 100, i32::MAX as i64, i32::MIN as i64];
    let ints: Vec<Option<i64>> = numbers.iter().map(|n| n.map(|n| NUMBERS[n as usize])).collect();
    let in_bits = |bits: u32| -> Int64Array {
        let narrow = |v: i64| v << (64 - bits) >> (64 - bits);
        // Of narrow ones the largest would be like others.
        let tell = |n: i64| if bits < 32 { n * 20 - 50 } else { narrow(NUMBERS[n as usize]) };
        numbers.iter().map(|n| n.map(tell)).collect()
    };
    let bytes = || -> BinaryArray {
        // Of one length, with bytes that are no text, and one that is short when trimmed.
        let all: [&[u8]; 6] = [
            b"\0\0\0\0\0\0\0\0\0",
            b"\0\0\0\0\0\0\0\0\x01",
            b"\xff\0\0\0\0\0\0\0\0",
            b"somebytes",
            b"somebytez",
            b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7",
        ];
        numbers.iter().map(|n| n.map(|n| all[n as usize])).collect()
    };
    let texts = || -> StringArray {
        let all = ["", "a", "seven77", "eight888", "a longer text", "ä longer text"];
        numbers.iter().map(|n| n.map(|n| all[n as usize])).collect()
    };
    let made: ArrayRef = match data_type {
        Dictionary(_, value) => {
            let all = values(value, &[0, 1, 2, 3, 4, 5].map(Some));
            let codes: Int16Array = numbers.iter().map(|n| n.map(|n| n as i16)).collect();
            Arc::new(DictionaryArray::try_new(codes, all).unwrap())
        }
        Boolean => {
            Arc::new(numbers.iter().map(|n| n.map(|n| n % 2 == 1)).collect::<BooleanArray>())
        }
        Int8 | Int16 => cast(&in_bits(8), data_type).unwrap(),
        UInt8 | UInt16 | UInt32 | UInt64 => {
            let counted: Int64Array = numbers.iter().map(|n| n.map(|n| n * 40)).collect();
            cast(&counted, data_type).unwrap()
        }
        Float16 => {
            let of = |n: i64| {
                <Float16Type as ArrowPrimitiveType>::Native::from_f32(FLOATS[n as usize] as f32)
            };
            Arc::new(numbers.iter().map(|n| n.map(of)).collect::<Float16Array>())
        }
        Float32 | Float64 => {
            let floats: Float64Array =
                numbers.iter().map(|n| n.map(|n| FLOATS[n as usize])).collect();
            cast(&floats, data_type).unwrap()
        }
        Int32 | Date32 | Time32(_) | Decimal32(..) | Interval(IntervalUnit::YearMonth) => {
            let shorts: Int32Array = ints.iter().map(|v| v.map(|v| v as i32)).collect();
            retyped(&shorts, data_type)
        }
        Decimal128(..) => {
            let array: Decimal128Array =
                ints.iter().map(|v| v.map(|v| i128::from(v) << 40)).collect();
            Arc::new(array.with_data_type(data_type.clone()))
        }
        Decimal256(..) => {
            let wide = |v: i64| i256::from_i128(i128::from(v) << 90) * i256::from(1000);
            let array: Decimal256Array = ints.iter().map(|v| v.map(wide)).collect();
            Arc::new(array.with_data_type(data_type.clone()))
        }
        Interval(IntervalUnit::DayTime) => {
            let of = |n: i64| {
                let all = [(0, 0), (0, 1), (1, 0), (-1, 0), (0, -1), (i32::MIN, i32::MAX)];
                IntervalDayTime::new(all[n as usize].0, all[n as usize].1)
            };
            Arc::new(numbers.iter().map(|n| n.map(of)).collect::<IntervalDayTimeArray>())
        }
        Interval(IntervalUnit::MonthDayNano) => {
            let of = |n: i64| {
                let all =
                    [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (-1, -1, -1), (0, 30, i64::MIN)];
                let (months, days, nanoseconds) = all[n as usize];
                IntervalMonthDayNano::new(months, days, nanoseconds)
            };
            Arc::new(numbers.iter().map(|n| n.map(of)).collect::<IntervalMonthDayNanoArray>())
        }
        Utf8 | LargeUtf8 | Utf8View => cast(&texts(), data_type).unwrap(),
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => {
            cast(&bytes(), data_type).unwrap()
        }
        _ => retyped(&Int64Array::from(ints), data_type),
    };
    assert_eq!(made.data_type(), data_type);
    made
}

const FLOATS: [f64; 6] = [0.0, -1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e-4];

/// The same bits as another type of their width.
fn retyped<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, data_type: &DataType) -> ArrayRef {
    let data = array.to_data().into_builder().data_type(data_type.clone());
    make_array(data.build().unwrap())
}

/// Time, key, value.
type Row = (i64, Option<i64>, i64);

fn rows() -> Vec<Row> {
    let key = |i: i64| (i * i * 31 + i) % 7;
    let row = |i: i64| (i / 3 - (i * 7919) % 3, Some(key(i)).filter(|key| *key < 6), i % 97);
    (0..180).map(row).collect()
}

fn batch(data_type: &DataType, rows: &[Row]) -> RecordBatch {
    let ints = |get: fn(&Row) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows.iter().map(get)))
    };
    let keys: Vec<Option<i64>> = rows.iter().map(|row| row.1).collect();
    let mut keys = values(data_type, &keys);
    if data_type == &DataType::Float64 {
        // The other zero and another NaN, which are no keys of their own.
        let turned = keys.as_primitive::<Float64Type>().iter().enumerate();
        let turned = turned
            .map(|(i, v)| v.map(|v| if i % 2 == 1 && (v == 0.0 || v.is_nan()) { -v } else { v }));
        keys = Arc::new(turned.collect::<Float64Array>());
    }
    RecordBatch::try_from_iter([
        ("ts", ints(|r| r.0)),
        ("id", keys),
        ("part", ints(|r| r.2 % 2)),
        ("value", ints(|r| r.2)),
    ])
    .unwrap()
}

/// What two numbers have in common where their values are equal.
fn group(data_type: &DataType, key: Option<i64>) -> Option<i64> {
    if data_type == &DataType::Boolean { key.map(|key| key % 2) } else { key }
}

fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, value) => value.as_ref().clone(),
        other => other.clone(),
    }
}

/// A value a key, as windows give it back.
fn keys_of(data_type: &DataType, keys: &[Option<i64>]) -> ArrayRef {
    let all = values(&plain(data_type), &[Some(0), Some(1), Some(2), Some(3), Some(4), Some(5)]);
    let rows: UInt32Array = keys.iter().map(|key| key.map(|key| key as u32)).collect();
    take(&all, &rows, None).unwrap()
}

fn pipeline(data_type: &DataType) -> Pipeline {
    Pipeline::rows(batch(data_type, &[]).schema()).event_time_in(
        "ts",
        TimeUnit::Second,
        Watermark::bounded(seconds(5)),
    )
}

fn script(data_type: &DataType) -> Script {
    rows().chunks(50).fold(Script::default(), |script, part| script.rows(0, batch(data_type, part)))
}

/// Start of a window, first row of its key.
type Place = (i64, usize);

/// Key, part, rows, sum.
type Cell = (Option<i64>, i64, i64, i64);

type Windows = BTreeMap<Place, Cell>;

#[test]
fn windows_by_keys_of_every_type() {
    for data_type in types() {
        let mut windows = Windows::new();
        let mut seen: BTreeMap<(Option<i64>, i64), usize> = BTreeMap::new();
        for (i, (time, key, value)) in rows().into_iter().enumerate() {
            let (key, part) = (group(&data_type, key), value % 2);
            let first = *seen.entry((key, part)).or_insert(i);
            let window =
                windows.entry((time.div_euclid(20) * 20, first)).or_insert((key, part, 0, 0));
            window.2 += 1;
            window.3 += value;
        }
        let int = |get: &dyn Fn(&Place, &Cell) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(windows.iter().map(|(at, w)| get(at, w))))
        };
        let keys: Vec<Option<i64>> = windows.values().map(|window| window.0).collect();
        let expected = RecordBatch::try_from_iter([
            ("window_start", int(&|at, _| at.0)),
            ("window_end", int(&|at, _| at.0 + 20)),
            ("part", int(&|_, w| w.1)),
            ("id", keys_of(&data_type, &keys)),
            ("count", int(&|_, w| w.2)),
            ("sum_value", int(&|_, w| w.3)),
        ])
        .unwrap();
        let make = || {
            let pipeline = pipeline(&data_type).key_by(["part", "id"]);
            pipeline.window(tumble(seconds(20)), [count(), sum("value")])
        };
        agree(&script(&data_type), make, |_: &[Arrived]| expected)
            .unwrap_or_else(|error| panic!("{data_type}: {error}"));
    }
}

#[test]
fn over_windows_by_keys_of_every_type() {
    for data_type in types() {
        let all = rows();
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by_key(|&i| all[i].0);
        let same = |a: usize, b: usize| group(&data_type, all[a].1) == group(&data_type, all[b].1);
        let at_watermark = |i: usize| {
            let is_in = |j: &usize| same(i, *j) && (0..10).contains(&(all[i].0 - all[*j].0));
            (0..all.len()).filter(is_in).count() as i64
        };
        let at_arrival = |i: usize| {
            let is_in = |j: &usize| same(i, *j) && (0..10).contains(&(all[i].0 - all[*j].0));
            (0..=i).filter(is_in).count() as i64
        };
        let ints = |values: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(values)) };
        let expected = |order: &[usize], count: &dyn Fn(usize) -> i64| {
            RecordBatch::try_from_iter([
                ("ts", ints(order.iter().map(|&i| all[i].0).collect())),
                ("value", ints(order.iter().map(|&i| all[i].2).collect())),
                ("n", ints(order.iter().map(|&i| count(i)).collect())),
            ])
            .unwrap()
        };
        let fails = |error| -> Outcome { panic!("{data_type}: {error}") };
        agree(
            &script(&data_type),
            || {
                pipeline(&data_type)
                    .key_by(["id"])
                    .over([last(seconds(10))], [count().named("n")])
                    .select(["ts", "value", "n"])
            },
            |_| expected(&(0..all.len()).collect::<Vec<_>>(), &at_arrival),
        )
        .unwrap_or_else(fails);
        agree(
            &script(&data_type),
            || {
                pipeline(&data_type)
                    .key_by(["id"])
                    .over_at_watermark([last(seconds(10))], [count().named("n")])
                    .select(["ts", "value", "n"])
            },
            |_| expected(&order, &at_watermark),
        )
        .unwrap_or_else(fails);
        // As values: those of a row's own type are counted, in a window of all rows.
        agree(
            &script(&data_type),
            || {
                pipeline(&data_type)
                    .over_at_watermark([last(seconds(10))], [count_same("id").named("n")])
                    .select(["ts", "value", "n"])
            },
            |_| expected(&order, &at_watermark),
        )
        .unwrap_or_else(fails);
    }
}

#[test]
fn what_is_no_key_says_so() {
    let list = DataType::new_list(DataType::Int64, true);
    let schema = Arc::new(arrow::datatypes::Schema::new(vec![
        arrow::datatypes::Field::new("ts", DataType::Int64, false),
        arrow::datatypes::Field::new("id", list, true),
    ]));
    let error = Pipeline::rows(schema)
        .event_time_in("ts", TimeUnit::Second, Watermark::bounded(seconds(5)))
        .key_by(["id"])
        .window(tumble(seconds(20)), [count()])
        .schema()
        .unwrap_err()
        .to_string();
    assert!(error.contains("cannot be a key") && error.contains("intervals"), "{error}");
}

/// The aggregates that over windows at the watermark keep in ways of their own, and some of those
/// that they do not.
fn aggregates() -> [Aggregate; 9] {
    [
        count_valid("id"),
        sum("id"),
        mean("id"),
        min("id"),
        max("id"),
        stddev("id"),
        last_value("id"),
        distinct("id"),
        list("id"),
    ]
}

#[test]
fn over_windows_of_values_of_every_type_end_as_windows_do() {
    let mut answered = 0;
    for data_type in types() {
        for aggregate in aggregates() {
            let aggregate = aggregate.named("answer");
            let window = || pipeline(&data_type).window(all_rows(), [aggregate.clone()]);
            let over = || {
                let horizon = last(seconds(100_000));
                pipeline(&data_type).over_at_watermark([horizon], [aggregate.clone()])
            };
            let fields = [window().schema(), over().schema()];
            let [window_schema, over_schema] = match fields {
                [Ok(window), Ok(over)] => [window, over],
                [Err(window), Err(over)] => {
                    let text = over.to_string();
                    assert_eq!(window.to_string(), text);
                    let names_both = text.contains(&format!("of {} is not", plain(&data_type)));
                    assert!(names_both && text.contains("\"answer\""), "{text}");
                    continue;
                }
                [window, over] => panic!("{data_type}: {window:?}, but {over:?}"),
            };
            let [window_field, over_field] = [&window_schema, &over_schema]
                .map(|s| s.field_with_name("answer").unwrap().clone());
            assert_eq!(window_field, over_field, "{data_type}");
            let trial = Trial { batch_rows: 40, shards: 1 };
            // Times ascend: the last row sees all.
            let script = Script::default().rows(0, batch(&data_type, &sorted()));
            let window = run(window(), &script, trial).unwrap().rows["answer"].clone();
            let over = match run(over(), &script, trial) {
                Ok(outcome) => outcome.rows["answer"].clone(),
                Err(error) => {
                    // Squares of decimals this large.
                    assert!(error.to_string().contains("does not fit into 128 bits"), "{error}");
                    continue;
                }
            };
            let last = over.slice(over.len() - 1, 1);
            let close = |a: &ArrayRef, b: &ArrayRef| {
                let [a, b] = [a, b].map(|array| array.as_primitive::<Float64Type>().value(0));
                (a - b).abs() <= 1e-9 * a.abs() || a.is_nan() && b.is_nan()
            };
            let rounds = window.data_type() == &DataType::Float64 && window.is_valid(0);
            assert!(
                last.as_ref() == window.as_ref() || (rounds && close(&window, &last)),
                "{aggregate:?} of {data_type}: {last:?}, not {window:?}"
            );
            answered += 1;
        }
    }
    assert!(answered > 200, "{answered}");
}

fn sorted() -> Vec<Row> {
    let mut rows = rows();
    rows.sort_by_key(|row| row.0);
    rows
}

/// All rows that a pipeline gives out.
fn given(pipeline: Pipeline) -> pelton::Result<RecordBatch> {
    let sink = pelton::sink::MemorySink::new();
    let batches = sink.batches();
    let schema = pipeline.schema()?;
    pipeline.write_to(sink).run(Options::default().shards(2))?;
    let batches = batches.lock().unwrap();
    Ok(arrow::compute::concat_batches(&schema, batches.iter())?)
}

#[test]
fn keys_of_every_type_come_from_files_and_go_to_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let options = || Options::default().shards(1);
    let mut lacking = Vec::new();
    for data_type in types() {
        let rows = batch(&data_type, &rows());
        let input = path("rows.arrow");
        let written = Pipeline::rows(rows.schema()).write(Arrow::file(&input));
        written.run_rows([Ok(rows.clone())].into_iter(), options()).unwrap();
        let windows = |pipeline: Pipeline| {
            pipeline
                .event_time_in("ts", TimeUnit::Second, Watermark::bounded(seconds(5)))
                .key_by(["id"])
                .window(tumble(seconds(20)), [count(), min("value")])
        };
        let sink = pelton::sink::MemorySink::new();
        let batches = sink.batches();
        let in_memory = windows(Pipeline::rows(rows.schema())).write_to(sink);
        in_memory.run_rows([Ok(rows)].into_iter(), options()).unwrap();
        let batches = batches.lock().unwrap();
        let expected =
            arrow::compute::concat_batches(&batches[0].schema(), batches.iter()).unwrap();
        let read = || windows(Pipeline::read(Arrow::file(&input)));
        assert_eq!(given(read()).unwrap(), expected, "{data_type}");
        // Text has a form for each; Arrow and Parquet give back what they were given.
        for (file, output) in [
            (Csv::file(path("windows.csv")), "csv"),
            (NdJson::file(path("windows.ndjson")), "ndjson"),
            (Arrow::file(path("windows.arrow")), "arrow"),
        ] {
            let summary = read().write(file).run(options()).unwrap();
            assert_eq!(summary.rows_out, expected.num_rows() as u64, "{data_type} as {output}");
        }
        let back = given(Pipeline::read(Arrow::file(path("windows.arrow")))).unwrap();
        assert_eq!(back, expected, "{data_type}");
        let parquet = path("windows.parquet");
        match read().write(Parquet::file(&parquet)).run(options()) {
            Ok(_) => {
                let back = given(Pipeline::read(Parquet::file(&parquet))).unwrap();
                assert_eq!(back.columns(), expected.columns(), "{data_type}");
            }
            Err(error) => {
                assert!(error.to_string().contains("cannot write"), "{data_type}: {error}");
                lacking.push(plain(&data_type));
            }
        }
    }
    // What the format itself lacks.
    let none = [DataType::Decimal64(15, -2), DataType::Interval(IntervalUnit::MonthDayNano)];
    assert_eq!(lacking, none);
}

#[test]
fn at_arrival_and_at_the_watermark_agree_where_rows_come_in_order() {
    use DataType::*;
    let numbers = [
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Boolean,
        Float16,
        Float32,
        Float64,
        Decimal32(7, 2),
        Decimal64(15, 3),
    ];
    // One row a second: none has peers.
    let rows: Vec<Row> =
        rows().into_iter().enumerate().map(|(i, row)| (i as i64, row.1, row.2)).collect();
    for data_type in numbers {
        let of = |at_watermark: bool| {
            let aggregates = [
                count_valid("id"),
                sum("id"),
                mean("id"),
                own_mean("id"),
                count_same("id"),
                distinct("id"),
            ];
            let mut aggregates = aggregates.to_vec();
            if data_type != Boolean {
                aggregates.extend([stddev("id"), own_stddev("id")]);
            }
            let horizons = [last(seconds(40)), last(seconds(20)).ended(seconds(7))];
            let keyed = pipeline(&data_type).key_by(["part"]);
            let over = match at_watermark {
                true => keyed.over_at_watermark(horizons, aggregates),
                false => keyed.over(horizons, aggregates),
            };
            let script = Script::default().rows(0, batch(&data_type, &rows));
            run(over, &script, Trial { batch_rows: 30, shards: 1 }).unwrap().rows
        };
        let (arrived, exact) = (of(false), of(true));
        assert_eq!(arrived.num_rows(), rows.len());
        for field in exact.schema().fields() {
            let name = field.name();
            let [a, b] = [&arrived, &exact].map(|rows| rows[name.as_str()].clone());
            if field.data_type() != &Float64 || name == "id" {
                assert_eq!(&a, &b, "{name} of {data_type}");
                continue;
            }
            let pairs = a.as_primitive::<Float64Type>().iter().zip(b.as_primitive::<Float64Type>());
            for (row, (a, b)) in pairs.enumerate() {
                let same = match (a, b) {
                    (Some(a), Some(b)) => {
                        a == b
                            || a.is_nan() && b.is_nan()
                            || (a - b).abs() <= 1e-9 * b.abs().max(1.0)
                    }
                    (a, b) => a.is_none() && b.is_none(),
                };
                assert!(same, "{name} of {data_type}, row {row}: {a:?}, {b:?}");
            }
        }
    }
}
