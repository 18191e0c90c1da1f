//! Features that only training computes, on a few payments whose answers are known.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array, RecordBatch,
    TimestampMicrosecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::Int64Type;
use pelton::pipeline::{Options, Pipeline};
use pelton::sink::MemorySink;
use pelton::time::seconds;
use pelton_pipelines::fraud::{FeatureSet, features_of, kept_columns, model_features};

const DAY_US: i64 = 86_400_000_000;

/// Day, card, terminal, cents, whether it is a fraud.
type Payment = (i64, i64, i64, i128, bool);

fn features(payments: &[Payment]) -> (RecordBatch, Vec<String>) {
    let whole = |of: fn(&Payment) -> i64| -> ArrayRef {
        Arc::new(payments.iter().map(of).collect::<Int64Array>())
    };
    let ts: TimestampMicrosecondArray = payments.iter().map(|p| Some(p.0 * DAY_US)).collect();
    let amount: Decimal128Array = payments.iter().map(|p| Some(p.3)).collect();
    let fraud: BooleanArray = payments.iter().map(|p| Some(p.4)).collect();
    let rows = RecordBatch::try_from_iter([
        ("ts", Arc::new(ts.with_timezone("UTC")) as ArrayRef),
        ("card", whole(|p| p.1)),
        ("terminal", whole(|p| p.2)),
        ("amount", Arc::new(amount.with_precision_and_scale(12, 2).unwrap())),
        ("is_fraud", Arc::new(fraud)),
    ])
    .unwrap();
    let (sink, schema) = (MemorySink::new(), rows.schema());
    let batches = sink.batches();
    let input = Pipeline::rows(schema.clone());
    let pipeline = features_of(FeatureSet::Training, input, &schema, seconds(2)).pipeline;
    let output = pipeline.schema().unwrap();
    let names = model_features(&schema, &output);
    assert!(!kept_columns(&output).contains(&"usual_fraud".to_owned()));
    let options = Options::default().shards(1);
    pipeline.write_to(sink).run_rows(std::iter::once(Ok(rows)), options).unwrap();
    let batches = batches.lock().unwrap();
    (concat_batches(&batches[0].schema(), &*batches).unwrap(), names)
}

#[test]
fn frauds_of_usual_amounts_are_counted_for_the_terminal() {
    // Card 1 pays 10, then a fraud of 19 at terminal 7 and one of 21 at terminal 8; card 2's
    // first payment is a fraud at terminal 9. Somebody pays each day: a day without anybody would
    // make the next one implausible.
    let (mut payments, mut places): (Vec<Payment>, _) = (Vec::new(), Vec::new());
    for day in 0..72 {
        payments.push((day, 4, 99, 700, false));
        match day {
            0..20 => payments.push((day, 1, 5, 1_000, false)),
            20 => payments.extend([
                (day, 1, 7, 1_900, true),
                (day, 1, 8, 2_100, true),
                (day, 2, 9, 90_000, true),
            ]),
            _ => {
                for terminal in [7, 8, 9] {
                    places.push((payments.len(), day, terminal));
                    payments.push((day, 3, terminal, 500, false));
                }
            }
        }
    }
    let (rows, names) = features(&payments);
    assert!(!names.contains(&"usual_fraud".to_owned()), "the label itself is no feature");
    let count = |row: usize, of: &str| {
        let name = format!("terminal_sum_usual_fraud_{of}");
        assert!(names.contains(&name), "{name}");
        let column = rows[name.as_str()].as_primitive::<Int64Type>();
        column.iter().nth(row).unwrap().unwrap_or_default()
    };
    for (row, day, terminal) in places {
        let age = day - 20;
        let is_usual = i64::from(terminal != 8);
        for (of, length, delay) in [
            ("1d_after_7d", 1, 7),
            ("7d_after_7d", 7, 7),
            ("21d_after_7d", 21, 7),
            ("28d_after_7d", 28, 7),
            ("2d_after_26d", 2, 26),
            ("14d_after_28d", 14, 28),
        ] {
            let known = is_usual * i64::from(age >= delay && age < delay + length);
            assert_eq!(count(row, of), known, "{of} of terminal {terminal} on day {day}");
        }
        let frauds = rows["terminal_sum_is_fraud_28d_after_7d"].as_primitive::<Int64Type>();
        let all = frauds.iter().nth(row).unwrap().unwrap_or_default();
        assert_eq!(all, i64::from((7..35).contains(&age)));
    }
}
