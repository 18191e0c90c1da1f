//! Makes a recording and says how fast, and what is in it:
//!
//! ```text
//! cargo run --release -p pelton-datasets --example generate -- 2000000 payments.csv
//! ```
//!
//! The file's ending says the format; without a file the rows go to Arrow batches only.

use std::path::Path;
use std::time::Instant;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int32Type;
use pelton_datasets::payments::{FRAUD_KINDS, Payments, PaymentsConfig, write};
use pelton_datasets::{Error, FileFormat, Result};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let rows = arguments.next().and_then(|rows| rows.parse().ok()).unwrap_or(1_000_000);
    let config = PaymentsConfig::new(rows, 42);
    let start = Instant::now();
    match arguments.next() {
        Some(path) => {
            let path = Path::new(&path);
            let written = write(config, format_of(path)?, path, &mut |_| true)?;
            println!("{} rows, {} bytes", written.rows, written.bytes);
        }
        None => count_frauds(config)?,
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{seconds:.2} s, {:.2} M rows/s", rows as f64 / seconds / 1e6);
    Ok(())
}

/// The format by the file's ending, that of a compression left aside.
fn format_of(path: &Path) -> Result<FileFormat> {
    let name = path.to_string_lossy();
    let name = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
    name.rsplit('.').next().unwrap_or_default().parse()
}

fn count_frauds(config: PaymentsConfig) -> Result<(), Error> {
    let mut counts = [0; FRAUD_KINDS.len()];
    for batch in Payments::new(config)? {
        let kinds = batch["fraud_kind"].as_dictionary::<Int32Type>().keys();
        if kinds.null_count() < kinds.len() {
            kinds.iter().flatten().for_each(|kind| counts[kind as usize] += 1);
        }
    }
    for (kind, count) in FRAUD_KINDS.iter().zip(counts) {
        println!("{kind:22} {count:8}");
    }
    Ok(())
}
