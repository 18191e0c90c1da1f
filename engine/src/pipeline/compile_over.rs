//! Compiling over windows: those of neighbouring steps are put together, one operator a key at
//! arrival, and one for each key in a row at the watermark.

use arrow::datatypes::{DataType, SchemaRef};

use super::aggregate::{Aggregate, Function};
use super::compile::{Compiler, StagePlan};
use super::lookup::{find, units_per_second};
use super::window::{History, Last};
use crate::error::{Error, Result};
use crate::time::Span;
use crate::window::aggregate as windows;
use crate::window::over::at_watermark::{Extent, OverColumn, WatermarkPlan};
use crate::window::over::{Horizon, Measure, Output, OverPlan};

/// Key columns, and how long keys without rows are known.
type Keys<'a> = (&'a [String], Option<Span>);

impl Compiler {
    /// The pending plan of these keys; columns computed by pending plans end the stage first.
    fn plan(&mut self, (keys, key_ttl): Keys<'_>, reads: &[&str]) -> Result<&mut OverPlan> {
        let (_, unit, watermark) = self.times()?;
        let key_ttl = key_ttl.map(|idle| idle.to_units(unit)).transpose()?;
        if self.waiting.is_some() {
            self.flush();
        }
        self.flush_computed();
        let is_pending = |name: &&str| {
            self.schema.index_of(name).is_err()
                && self.pending.iter().any(|p| p.outputs.iter().any(|(n, _)| n == name))
        };
        if keys.iter().map(String::as_str).chain(reads.iter().copied()).any(|n| is_pending(&n)) {
            self.flush();
        }
        for name in keys {
            find(&self.schema, name)?;
        }
        let at =
            match self.pending.iter().position(|plan| plan.keys == keys && plan.key_ttl == key_ttl)
            {
                Some(at) => at,
                None => {
                    self.pending.push(OverPlan {
                        keys: keys.to_vec(),
                        units_per_second: units_per_second(unit),
                        delay: watermark.delay.to_units(unit)?,
                        key_ttl,
                        ..OverPlan::default()
                    });
                    self.pending.len() - 1
                }
            };
        Ok(&mut self.pending[at])
    }

    pub(super) fn over(
        &mut self,
        keys: Keys<'_>,
        horizons: &[Last],
        aggregates: &[Aggregate],
    ) -> Result<()> {
        let (_, unit, _) = self.times()?;
        let columns: Vec<&str> = aggregates.iter().map(|a| a.column.as_str()).collect();
        self.plan(keys, &columns)?;
        let schema = self.schema.clone();
        let plan = self.plan(keys, &columns)?;
        for last in horizons {
            if last.rows.is_some() {
                return Err(Error::usage("horizons by rows are answered at the watermark")
                    .advise("use .over_at_watermark(...), or a length of time"));
            }
            let horizon = Horizon {
                length: last.length.to_units(unit)?,
                delay: last.delay.map_or(Ok(0), |delay| delay.to_units(unit))?,
            };
            let h = position_or_push(&mut plan.horizons, horizon);
            for aggregate in aggregates {
                let output = bind(plan, &schema, h, aggregate)?;
                let only = horizons.len() == 1;
                add(
                    plan,
                    aggregate.over_name(&prefix(keys.0), &last.suffix(), only),
                    output,
                    &schema,
                )?;
            }
        }
        plan.validate()
    }

    pub(super) fn over_at_watermark(
        &mut self,
        keys: &[String],
        horizons: &[Last],
        aggregates: &[Aggregate],
    ) -> Result<()> {
        let (_, unit, _) = self.times()?;
        // Only over windows of one key share their log; and none reads another's columns.
        let reads = aggregates.iter().map(Aggregate::of_over).collect::<Result<Vec<_>>>()?;
        let goes_on = self.waiting.as_ref().is_some_and(|plan| {
            let added = |name: &String| plan.columns.iter().any(|c| c.aggregate.name == *name);
            plan.keys == keys && !reads.iter().flat_map(|(a, _)| a.reads()).any(|name| added(&name))
        });
        if !goes_on {
            self.flush();
            if self.stages.iter().any(|stage| matches!(stage, StagePlan::Window { .. })) {
                return Err(Error::usage("over windows of windows are not possible yet")
                    .advise("write the first windows out and read them again"));
            }
            self.input = self.schema.clone();
        }
        let mut plan = self.waiting.take().unwrap_or_else(|| WatermarkPlan {
            keys: keys.to_vec(),
            time: self.time_field.as_ref().map_or_else(String::new, |field| field.name().clone()),
            unit,
            carried: self.input.fields().iter().map(|field| field.name().clone()).collect(),
            horizons: Vec::new(),
            columns: Vec::new(),
        });
        for last in horizons {
            let extent = match last.rows {
                Some(rows) => Extent::Rows(rows),
                None => Extent::Time {
                    length: last.length.to_units(unit)?,
                    delay: last.delay.map_or(Ok(0), |delay| delay.to_units(unit))?,
                },
            };
            let horizon = position_or_push(&mut plan.horizons, extent);
            for (aggregate, (of, relation)) in aggregates.iter().zip(&reads) {
                let only = horizons.len() == 1;
                let name = aggregate.over_name(&prefix(keys), &last.suffix(), only);
                let aggregate = windows::Aggregate { name, ..of.clone() };
                plan.columns.push(OverColumn { horizon, aggregate, relation: *relation });
            }
        }
        self.schema = plan.output_schema(&self.input)?;
        self.waiting = Some(plan);
        Ok(())
    }

    pub(super) fn history(&mut self, keys: Keys<'_>, history: &History) -> Result<()> {
        let reads: Vec<&str> = match history {
            History::SincePrevious => Vec::new(),
            History::DistanceKm { lat, lon } | History::SpeedKmh { lat, lon } => vec![lat, lon],
        };
        self.plan(keys, &reads)?;
        let schema = self.schema.clone();
        for name in &reads {
            let field = schema.field(find(&schema, name)?);
            if *field.data_type() != DataType::Float64 {
                return Err(Error::usage(format!(
                    "column {name} is {}; places are Float64 degrees",
                    field.data_type()
                )));
            }
        }
        let plan = self.plan(keys, &reads)?;
        if let [lat, lon] = reads.as_slice() {
            let place = ((*lat).to_owned(), (*lon).to_owned());
            if plan.place.as_ref().is_some_and(|known| *known != place) {
                return Err(Error::usage("one key can follow one place only")
                    .advise("use the same latitude and longitude columns for the key"));
            }
            plan.place = Some(place);
        }
        let (name, output) = match history {
            History::SincePrevious => ("since_previous_s", Output::SincePrevious),
            History::DistanceKm { .. } => ("distance_km", Output::DistanceKm),
            History::SpeedKmh { .. } => ("speed_kmh", Output::SpeedKmh),
        };
        add(plan, format!("{}{name}", prefix(keys.0)), output, &schema)?;
        plan.validate()
    }
}

fn prefix(keys: &[String]) -> String {
    keys.iter().map(|key| format!("{key}_")).collect()
}

pub(super) fn describe_over(plan: &OverPlan) -> String {
    let mut text = format!(
        "over by {}: {} horizons, {} columns, {} bytes a row of log",
        plan.keys.join(", "),
        plan.horizons.len(),
        plan.outputs.len(),
        crate::window::over::entry_bytes(plan)
    );
    if let Some(idle) = plan.key_ttl {
        let seconds = idle as f64 / plan.units_per_second as f64;
        text.push_str(&format!("; keys are forgotten when idle for {seconds} s"));
    }
    text
}

/// Adds a computed column; asking twice for the same one is no mistake.
fn add(plan: &mut OverPlan, name: String, output: Output, schema: &SchemaRef) -> Result<()> {
    if schema.index_of(&name).is_ok() {
        return Err(Error::usage(format!("there is already a column {name}"))
            .advise("rename the input's column"));
    }
    if !plan.outputs.iter().any(|(known, _)| *known == name) {
        plan.outputs.push((name, output));
    }
    Ok(())
}

fn bind(plan: &mut OverPlan, schema: &SchemaRef, h: usize, of: &Aggregate) -> Result<Output> {
    of.check_over()?;
    let function = of.at_arrival();
    if function == Function::Count {
        return Ok(Output::Count { h });
    }
    let field = schema.field(find(schema, &of.column)?);
    if matches!(function, Function::Distinct | Function::CountSame) {
        let c = position_or_push(&mut plan.codes, of.column.clone());
        return Ok(match function {
            Function::Distinct => Output::Distinct { h, c },
            _ => Output::CountSame { h, c },
        });
    }
    let m = position_or_push(&mut plan.measures, Measure::new(&of.column, field.data_type())?);
    Ok(match function {
        Function::CountValid => Output::CountValid { h, m },
        Function::Sum => Output::Sum { h, m },
        Function::Mean => Output::Mean { h, m },
        Function::StdDev => Output::StdDev { h, m },
        Function::OwnMean => Output::OwnMean { h, m },
        Function::OwnStdDev => Output::OwnStdDev { h, m },
        _ => unreachable!("bound above"),
    })
}

fn position_or_push<T: PartialEq>(items: &mut Vec<T>, item: T) -> usize {
    items.iter().position(|known| *known == item).unwrap_or_else(|| {
        items.push(item);
        items.len() - 1
    })
}
