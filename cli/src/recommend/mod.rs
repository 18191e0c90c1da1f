//! `pelton recommend`: for each query the items of the greatest dot products, or the nearest ones.
//!
//! ```text
//!  items   ─▶ vectors ─┐
//!                      ├─▶ score_products, score_nearest ─▶ query, rank, item, product (distance)
//!  queries ─▶ vectors ─┘   (SIMD, or a GPU), 65,536 queries at a time
//! ```
//! Both files are read whole: the items are wanted by every query.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Float64Array, UInt32Array};
use arrow::compute::take;
use pelton::batch::Batch;
use pelton::sink::open_sink;
use pelton::{Error, Result};
use pelton_kernels::score_products::{Best, NONE};
use serde::{Deserialize, Serialize};

use crate::args::{MeasureArg, RecommendArgs};
use crate::backend::Backend;
use crate::replay::{format, same_file};
use crate::report;
use crate::report::format::thousands;
use crate::report::models::GpuUse;
use crate::table::{self, Source};
use crate::window::text;

mod finder;
mod vectors;

use finder::{Finder, turned};
use vectors::Vectors;

/// Queries that are answered and written at a time.
const PIECE: usize = 1 << 16;

/// The account of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecommendReport {
    /// Version of pelton.
    pub pelton: String,
    /// Items that there are.
    pub items: u64,
    /// Queries that were answered.
    pub queries: u64,
    /// Numbers of a vector.
    pub dimensions: u64,
    /// Items a query, at most.
    pub top: u32,
    /// Rows that were written.
    pub rows_out: u64,
    /// Seconds of the search alone.
    pub find_s: f64,
    /// Seconds of all of it.
    pub wall_s: f64,
    /// "product" or "distance".
    pub by: String,
    /// What the search ran on.
    pub backend: String,
    /// What the GPU did, where one was to do anything.
    pub gpu: Option<GpuUse>,
}

/// Reads both files, answers, and says what was done.
///
/// # Errors
/// When the files cannot be read, their vectors do not fit each other or hold no finite numbers,
/// or the answer cannot be written.
pub fn run(args: &RecommendArgs) -> Result<()> {
    no_file_twice(args)?;
    // Before anything else: the kernels that read take their level from it.
    let backend = Backend::choose(args.backend, true)?;
    let begin = Instant::now();
    let source = |path| Source { path, format: args.format, delimiter: args.delimiter };
    let items = Vectors::read(&source(&args.items), args.item_id.as_deref(), &args.vector)?;
    let queries = Vectors::read(&source(&args.queries), args.query_id.as_deref(), &args.vector)?;
    items.check_fit(&queries)?;
    let columns = match args.by {
        MeasureArg::Distance => turned(items.values(), items.dimensions()),
        MeasureArg::Product => Vec::new(),
    };
    let both = (items.values(), columns.as_slice());
    let mut finder = Finder::new(&backend, args.by, both, items.dimensions());
    let measure = match args.by {
        MeasureArg::Product => "product",
        MeasureArg::Distance => "distance",
    };
    let answer = |start: usize, best: &Best| answer((&items, &queries), measure, start, best);
    let empty = answer(0, &Best::new(0, args.top as usize))?;
    let mut sink = open_sink(&text(&args.out)?, args.out_format.map(format), &empty.schema())?;
    let (mut rows_out, mut find_s) = (0, 0.0);
    for start in (0..queries.len()).step_by(PIECE) {
        let piece = start..queries.len().min(start + PIECE);
        let find = Instant::now();
        let best = finder.best(queries.values_of(piece.clone()), piece.len(), args.top as usize);
        find_s += find.elapsed().as_secs_f64();
        let rows = answer(start, &best)?;
        let offset = rows_out;
        rows_out += rows.num_rows() as u64;
        sink.write(&Batch::new(rows, offset))?;
    }
    sink.commit()?;
    let report = RecommendReport {
        pelton: env!("CARGO_PKG_VERSION").to_owned(),
        items: items.len() as u64,
        queries: queries.len() as u64,
        dimensions: items.dimensions() as u64,
        top: args.top,
        rows_out,
        by: measure.to_owned(),
        find_s,
        wall_s: begin.elapsed().as_secs_f64(),
        backend: backend.word().to_owned(),
        gpu: backend.gpu_use(),
    };
    if let Some(path) = &args.report {
        report::json::write(path, &report)?;
    }
    if !args.quiet {
        eprint!("{}", report.text());
    }
    Ok(())
}

/// Writing over what is read would lose it, and of two results in one file one is left.
fn no_file_twice(args: &RecommendArgs) -> Result<()> {
    let standard = Path::new("-");
    for (name, path) in [("--items", &args.items), ("--queries", &args.queries)] {
        if path == standard {
            let what = format!("{name} cannot be standard input: its columns are looked at first");
            return Err(Error::usage(what).advise("write it to a file"));
        }
    }
    let read = [("--items", &args.items), ("--queries", &args.queries)];
    let out = Some(&args.out).filter(|out| *out != standard);
    let written = [("--out", out), ("--report", args.report.as_ref())];
    for (at, (name, path)) in written.iter().enumerate() {
        let Some(path) = path else { continue };
        let before = written[..at].iter().filter_map(|(name, path)| Some((*name, (*path)?)));
        if let Some((other, _)) = read.into_iter().chain(before).find(|(_, p)| same_file(p, path)) {
            let what = format!("{other} and {name} are the same file, {}", path.display());
            return Err(Error::usage(what).advise("give each a name of its own"));
        }
    }
    Ok(())
}

/// The rows of some queries, the first of which is `start`.
fn answer(
    (items, queries): (&Vectors, &Vectors),
    measure: &str,
    start: usize,
    best: &Best,
) -> Result<arrow::array::RecordBatch> {
    let (mut query, mut rank, mut item, mut product) = (vec![], vec![], vec![], vec![]);
    let slots = best.items.iter().zip(&best.products).enumerate();
    for (at, (number, own)) in slots.filter(|(_, (number, _))| **number != NONE) {
        query.push((start + at / best.k) as u32);
        rank.push((at % best.k) as u32 + 1);
        item.push(*number);
        product.push(*own);
    }
    let named = |ids: &ArrayRef, numbers: Vec<u32>| {
        take(ids, &UInt32Array::from(numbers), None).map_err(|error| Error::run(error.to_string()))
    };
    table::batch(vec![
        ("query", named(queries.ids(), query)?),
        ("rank", Arc::new(UInt32Array::from(rank))),
        ("item", named(items.ids(), item)?),
        (measure, Arc::new(Float64Array::from(product))),
    ])
}

impl RecommendReport {
    /// The account as text.
    fn text(&self) -> String {
        let rate = self.queries as f64 / self.find_s.max(1e-9);
        format!(
            "{} queries, {} items of {} dimensions: {} rows; {} queries a second ({})\n",
            thousands(self.queries),
            thousands(self.items),
            self.dimensions,
            thousands(self.rows_out),
            thousands(rate as u64),
            self.backend,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_without_an_item_are_no_rows() {
        let ids =
            |names: Vec<&str>| -> ArrayRef { Arc::new(arrow::array::StringArray::from(names)) };
        let items = Vectors::new(ids(vec!["a", "b"]), 1, vec![1.0, 2.0]);
        let queries = Vectors::new(ids(vec!["x", "y", "z"]), 1, vec![1.0; 3]);
        let mut best = Best::new(2, 2);
        (best.items[0], best.products[0]) = (1, 2.0);
        (best.items[2], best.products[2]) = (0, 1.0);
        let rows = answer((&items, &queries), "product", 1, &best).unwrap();
        let text = |column: usize| {
            let column = rows.column(column).as_any().downcast_ref::<arrow::array::StringArray>();
            column.unwrap().iter().flatten().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(
            (text(0), text(2)),
            (vec!["y".into(), "z".into()], vec!["b".into(), "a".into()])
        );
    }
}
