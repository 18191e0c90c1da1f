//! The table to learn from: what the stream knew of each engine at each of its cycles.

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use pelton::pipeline::{Options, Pipeline};
use pelton::sink::MemorySink;
use pelton::{Error, Result};
use pelton_pipelines::rul;

/// Every cycle of some engines, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Table {
    /// Number of the engine.
    pub unit: Vec<i64>,
    /// Its cycle.
    pub cycle: Vec<i64>,
    /// Names of the features.
    pub names: Vec<String>,
    /// The features, a column each; NaN is missing.
    pub columns: Vec<Vec<f64>>,
}

impl Table {
    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.unit.len()
    }

    /// The rows of each engine, in the order in which engines come.
    pub(crate) fn engines(&self) -> Vec<std::ops::Range<usize>> {
        let mut engines: Vec<std::ops::Range<usize>> = Vec::new();
        for (row, unit) in self.unit.iter().enumerate() {
            match engines.last_mut() {
                Some(last) if self.unit[last.start] == *unit => last.end = row + 1,
                _ => engines.push(row..row + 1),
            }
        }
        engines
    }

    /// Cycles that each row's engine still ran.
    pub(crate) fn remaining(&self) -> Vec<f64> {
        let mut remaining = vec![0.0; self.rows()];
        for engine in self.engines() {
            let last = self.cycle[engine.end - 1];
            for row in engine {
                remaining[row] = (last - self.cycle[row]) as f64;
            }
        }
        remaining
    }
}

/// Sensors that say something, by the training engines alone: at least three different values,
/// none of which stands in more than 99 of 100 rows. Names in the order of the columns.
pub(crate) fn varying(rows: &RecordBatch) -> Vec<String> {
    let varies = |column: &[f64]| {
        let mut sorted = column.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let runs: Vec<usize> = sorted.chunk_by(|a, b| a == b).map(<[f64]>::len).collect();
        let most = runs.iter().copied().max().unwrap_or_default();
        runs.len() >= 3 && most * 100 <= sorted.len() * 99
    };
    let schema = rows.schema();
    let fields = schema.fields().iter().zip(rows.columns());
    let sensors = fields.filter(|(field, _)| field.name().starts_with("sensor_"));
    let kept = sensors
        .filter(|(_, column)| varies(column.as_primitive::<Float64Type>().values()))
        .map(|(field, _)| field.name().clone());
    kept.collect()
}

/// Runs the pipeline over rows of engines.
///
/// # Errors
/// When the rows lack a column.
pub(crate) fn read(rows: &RecordBatch, sensors: &[String]) -> Result<Table> {
    let names = rul::feature_names(sensors);
    let pipeline = rul::features(Pipeline::rows(rows.schema()), sensors);
    let kept = ["unit", "cycle"].into_iter().chain(names.iter().map(String::as_str));
    let batches = run(pipeline.select(kept), rows)?;
    let columns = vec![Vec::with_capacity(rows.num_rows()); names.len()];
    let mut table = Table { names, columns, ..Table::default() };
    for batch in &batches {
        table.unit.extend(batch["unit"].as_primitive::<Int64Type>().values());
        table.cycle.extend(batch["cycle"].as_primitive::<Int64Type>().values());
        for (name, values) in table.names.iter().zip(&mut table.columns) {
            floats(batch, name, values)?;
        }
    }
    Ok(table)
}

/// What a pipeline gives out of rows, in their order.
pub(crate) fn run(pipeline: Pipeline, rows: &RecordBatch) -> Result<Vec<RecordBatch>> {
    let sink = MemorySink::new();
    let batches = sink.batches();
    // One shard: the rows are few.
    let summary = pipeline
        .write_to(sink)
        .run_rows(std::iter::once(Ok(rows.clone())), Options::default().shards(1))?;
    if summary.interrupted {
        return Err(Error::interrupted());
    }
    let mut batches = batches.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(std::mem::take(&mut *batches))
}

/// Adds a column of numbers, missing ones as NaN.
pub(crate) fn floats(batch: &RecordBatch, name: &str, out: &mut Vec<f64>) -> Result<()> {
    let missing = || Error::run(format!("the column {name} is missing"));
    let column = batch.column_by_name(name).ok_or_else(missing)?;
    let column = cast(column, &DataType::Float64)?;
    let values = column.as_primitive::<Float64Type>();
    out.extend(values.iter().map(|value| value.unwrap_or(f64::NAN)));
    Ok(())
}
