//! Writes what one over window gives each payment, for comparison with other engines.
//!
//! ```sh
//! cargo run --release -p pelton-pipelines --example over_export -- payments.parquet out.parquet
//! ```
//! Columns: `position` (row number in the input), `card`, `ts`, `count_10m`, `sum_10m`,
//! `count_30d`, `sum_30d`: over the card's rows at arrival.

use pelton::Result;
use pelton::expr::col;
use pelton::pipeline::{File, Options, Parquet, Pipeline, Watermark, count, last, sum};
use pelton::time::{days, minutes, seconds};
use pelton_pipelines::fraud;

fn main() {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let [input, output] = paths.as_slice() else {
        eprintln!("usage: over_export INPUT OUT.parquet");
        std::process::exit(2);
    };
    if let Err(error) = export(input, output) {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

fn export(input: &str, output: &str) -> Result<()> {
    Pipeline::read(fraud::columns(File::any(input)))
        .event_time("ts", Watermark::bounded(seconds(2)))
        .key_by(["card"])
        .over([last(minutes(10)), last(days(30))], [count(), sum("amount")])
        .mark_rows()
        .column("position", col("offset"))
        .column("count_10m", col("card_count_10m"))
        .column("sum_10m", col("card_sum_amount_10m"))
        .column("count_30d", col("card_count_30d"))
        .column("sum_30d", col("card_sum_amount_30d"))
        .select(["position", "card", "ts", "count_10m", "sum_10m", "count_30d", "sum_30d"])
        .write(Parquet::file(output))
        .run(Options::default().shards(1))?;
    Ok(())
}
