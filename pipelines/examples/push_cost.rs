//! What a push of few rows into the open fraud pipeline costs: `push_cost ROWS PUSHES`.
//!
//! `valgrind --tool=callgrind --toggle-collect='*measured*' push_cost 1 200` counts instructions.

use std::time::Instant;

use arrow::array::RecordBatch;
use pelton::pipeline::{Live, Options, Pipeline};
use pelton_datasets::payments::{Payments, PaymentsConfig, schema};
use pelton_pipelines::fraud::{self, FraudConfig};

/// Rows that the pipeline has seen before.
const WARM_UP: u64 = 20_000;

fn main() {
    let mut arguments = std::env::args().skip(1).map_while(|text| text.parse::<usize>().ok());
    let rows = arguments.next().unwrap_or(1).max(1);
    let pushes = arguments.next().unwrap_or(10_000).max(1);
    let payments = PaymentsConfig::new(WARM_UP + (rows * pushes) as u64 + 10_000, 7);
    let batches: Vec<RecordBatch> = Payments::new(payments).expect("a recording").collect();
    let config = FraudConfig::standard().expect("the weights");
    let features = fraud::features(Pipeline::rows(schema()), &schema(), config.delay);
    let decided = fraud::decide(features, &schema(), &config, |_| {}).expect("a plan");
    let mut live = decided.pipeline.open(Options::default().shards(1)).expect("opens");
    let mut seen = 0;
    let mut small = Vec::with_capacity(pushes);
    for batch in batches {
        if seen < WARM_UP {
            seen += batch.num_rows() as u64;
            live.push(batch).expect("rows of the schema");
            while live.poll().expect("decisions").is_some() {}
            continue;
        }
        let starts = (0..batch.num_rows() / rows).map(|i| batch.slice(i * rows, rows));
        small.extend(starts.take(pushes - small.len()));
    }
    let mut times_us: Vec<f64> = small.into_iter().map(|rows| measured(&mut live, rows)).collect();
    times_us.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| times_us[((times_us.len() - 1) as f64 * share) as usize];
    println!("{rows} rows a push: p50 {:.1}, p90 {:.1}, p99 {:.1} us", at(0.5), at(0.9), at(0.99));
}

/// Microseconds that a push takes, its decisions polled.
#[inline(never)]
fn measured(live: &mut Live, rows: RecordBatch) -> f64 {
    let start = Instant::now();
    live.push(rows).expect("rows of the schema");
    while live.poll().expect("decisions").is_some() {}
    start.elapsed().as_nanos() as f64 / 1e3
}
