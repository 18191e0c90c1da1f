//! Writes the page and the table of a made-up run, to look at while working on them:
//!
//! ```text
//! cargo run -p pelton-cli --example sample_report -- /tmp/report
//! ```
//!
//! gives `/tmp/report.html` and `/tmp/report-bare.html`, and prints both tables.

use std::path::PathBuf;

use pelton_cli::report::{html, json, table};
use pelton_cli::terminal::Paint;

#[path = "../tests/sample/mod.rs"]
mod sample;

fn main() -> Result<(), pelton::Error> {
    let stem = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("report"), PathBuf::from);
    for (report, ending) in [(sample::report(), ".html"), (sample::bare(), "-bare.html")] {
        let mut path = stem.clone().into_os_string();
        path.push(ending);
        json::write_file(&PathBuf::from(path), &html::page(&report))?;
        print!("{}", table::table(&report, Paint::for_stdout()));
    }
    Ok(())
}
