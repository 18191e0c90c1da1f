//! From the steps that a user wrote to the stages that run: names and types are checked, and
//! the over windows of neighbouring steps are put together, one operator a key, all operators
//! of one stage side by side.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit};

use super::aggregate::{Aggregate, Function};
use super::budget::{Budget, Capped};
use super::builder::{Pipeline, Step, Watermark};
use super::inspect::Inspect;
use super::lookup::{find, indices, time_unit, units_per_second};
use super::window::{History, Last, Window};
use crate::error::{Error, Result};
use crate::expr::{Compute, Computed};
use crate::operator::{KeyedEnrich, MapOperator};
use crate::runtime::{Keyed, Stage};
use crate::time::Span;
use crate::window::over::{Horizon, Measure, Output, Over, OverPlan};
use crate::window::{self, WindowSpec};

/// A checked plan.
pub(crate) struct Plan {
    pub input: SchemaRef,
    pub output: SchemaRef,
    /// Index of the time column, its unit, and how disorderly rows come.
    pub time: Option<(usize, TimeUnit, Watermark)>,
    pub(super) stages: Vec<StagePlan>,
}

pub(super) enum StagePlan {
    Map(Arc<dyn MapOperator>),
    Enrich { plans: Vec<OverPlan>, input: SchemaRef, output: SchemaRef },
    Window { spec: WindowSpec, input: SchemaRef, output: SchemaRef },
}

impl Plan {
    pub(crate) fn new(pipeline: &Pipeline, input: &SchemaRef) -> Result<Self> {
        let time = pipeline
            .time
            .as_ref()
            .map(|time| {
                let index = find(input, &time.column)?;
                let unit = time_unit(input.field(index), time.unit)?;
                Ok::<_, Error>((index, unit, time.watermark))
            })
            .transpose()?;
        let mut compiler = Compiler {
            schema: input.clone(),
            time,
            time_type: time
                .map_or(DataType::Null, |(index, ..)| input.field(index).data_type().clone()),
            stages: Vec::new(),
            pending: Vec::new(),
            computed: Vec::new(),
        };
        for step in &pipeline.steps {
            compiler.step(step)?;
        }
        compiler.flush();
        let mut stages = compiler.stages;
        if prune(&mut stages) {
            let mut schema = input.clone();
            for stage in &mut stages {
                schema = stage.rebind(schema)?;
            }
        }
        Ok(Self { input: input.clone(), output: compiler.schema, time, stages })
    }

    /// The stages of one shard.
    pub(crate) fn build(&self, budget: Option<&Arc<Budget>>) -> Result<Vec<Stage>> {
        self.stages.iter().map(|stage| stage.build(budget)).collect()
    }

    /// Whether rows are held back until the watermark passes: then late ones are set aside.
    pub(crate) fn sets_late_aside(&self) -> bool {
        self.stages.iter().any(|stage| matches!(stage, StagePlan::Window { .. }))
    }

    /// For how long late rows still count.
    pub(crate) fn lateness(&self) -> Option<Span> {
        self.stages.iter().find_map(|stage| match stage {
            StagePlan::Window { spec, .. } => spec.lateness.map(|lateness| lateness.span),
            _ => None,
        })
    }

    /// The plan as text, a line a stage.
    pub(crate) fn describe(&self) -> String {
        let lines = self.stages.iter().flat_map(|stage| match stage {
            StagePlan::Map(map) => vec![map.describe()],
            StagePlan::Enrich { plans, .. } => plans.iter().map(describe_over).collect(),
            // It was made for this input before.
            StagePlan::Window { spec, input, .. } => {
                window::describe(spec, input).unwrap_or_else(|error| vec![error.to_string()])
            }
        });
        lines.map(|line| line + "\n").collect()
    }
}

/// Takes out what over windows would compute for nobody; whether anything was.
fn prune(stages: &mut Vec<StagePlan>) -> bool {
    // What later stages read; `None`: everything.
    let mut needed: Option<HashSet<String>> = None;
    let mut pruned = false;
    for stage in stages.iter_mut().rev() {
        match stage {
            StagePlan::Map(map) if map.is_projection() => {
                needed = map.reads().map(|names| names.into_iter().collect());
            }
            StagePlan::Map(map) => match (map.reads(), &mut needed) {
                (Some(reads), Some(needed)) => needed.extend(reads),
                _ => needed = None,
            },
            StagePlan::Enrich { plans, .. } => {
                let Some(needed) = &mut needed else { continue };
                for plan in plans.iter_mut() {
                    let before = plan.outputs.len();
                    plan.outputs.retain(|(name, _)| needed.contains(name));
                    pruned |= plan.outputs.len() < before;
                    needed.extend(plan.keys.iter().cloned());
                    needed.extend(plan.measures.iter().map(|measure| measure.column.clone()));
                    needed.extend(plan.codes.iter().cloned());
                    needed.extend(plan.place.iter().flat_map(|(a, b)| [a.clone(), b.clone()]));
                }
                plans.retain(|plan| !plan.outputs.is_empty());
            }
            StagePlan::Window { spec, .. } => {
                needed = Some(spec.reads().into_iter().collect());
            }
        }
    }
    stages.retain(|stage| !matches!(stage, StagePlan::Enrich { plans, .. } if plans.is_empty()));
    pruned
}

impl StagePlan {
    /// The stage behind other columns than it was made for.
    fn rebind(&mut self, schema: SchemaRef) -> Result<SchemaRef> {
        match self {
            Self::Map(map) => map.output_schema(&schema),
            Self::Enrich { plans, input, output } => {
                for plan in plans.iter_mut() {
                    plan.drop_unused();
                }
                let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
                fields.extend(plans.iter().flat_map(OverPlan::fields));
                *input = schema;
                *output = Arc::new(Schema::new(fields));
                Ok(output.clone())
            }
            Self::Window { input, output, .. } => {
                *input = schema;
                Ok(output.clone())
            }
        }
    }

    fn build(&self, budget: Option<&Arc<Budget>>) -> Result<Stage> {
        Ok(match self {
            Self::Map(map) => Stage::Map(map.clone()),
            Self::Enrich { plans, input, output } => {
                let operators = plans
                    .iter()
                    .map(|plan| {
                        let keys = indices(input, &plan.keys)?;
                        let mut operator: Box<dyn KeyedEnrich> =
                            Box::new(Over::new(plan.clone(), input)?);
                        if let Some(budget) = budget {
                            operator = Box::new(Capped::new(operator, budget.clone()));
                        }
                        Ok((keys, operator))
                    })
                    .collect::<Result<Vec<_>>>()?;
                Stage::Keyed(Keyed::Enrich { operators, schema: output.clone() })
            }
            Self::Window { spec, input, output } => {
                let keys = indices(input, &spec.keys)?;
                let (mut operator, _) = window::open(spec, input)?;
                if let Some(budget) = budget {
                    operator = Box::new(Capped::new(operator, budget.clone()));
                }
                Stage::Keyed(Keyed::Window { keys, operator, schema: output.clone() })
            }
        })
    }
}

struct Compiler {
    /// Of the rows before `pending`.
    schema: SchemaRef,
    time: Option<(usize, TimeUnit, Watermark)>,
    /// The time column's type.
    time_type: DataType,
    stages: Vec<StagePlan>,
    /// Over windows of the stage that is being put together.
    pending: Vec<OverPlan>,
    /// Computed columns that stand beside each other: one step. Empty where `pending` is not.
    computed: Vec<Computed>,
}

impl Compiler {
    fn step(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Over { keys, horizons, aggregates } => self.over(keys, horizons, aggregates),
            Step::History { keys, history } => self.history(keys, history),
            Step::Window { keys, window, aggregates } => self.window(keys, window, aggregates),
            Step::Lookup(lookup) => self.map(Arc::new(lookup.step()?)),
            Step::Column(column) => self.compute(column.as_ref(), column.computed()),
            Step::Rules(rules) => self.compute(rules.as_ref(), rules.computed()),
            Step::Map(map) => self.map(map.clone()),
            Step::Inspect(inspector, columns) => {
                self.map(Arc::new(Inspect::new(inspector.clone(), columns.clone())))
            }
        }
    }

    fn times(&self) -> Result<(usize, TimeUnit, Watermark)> {
        self.time.ok_or_else(|| {
            Error::usage("windows need to know when each row happened")
                .advise("call event_time(\"ts\", Watermark::bounded(seconds(2))) before them")
        })
    }

    fn window(&mut self, keys: &[String], window: &Window, of: &[Aggregate]) -> Result<()> {
        self.flush();
        let (_, unit, _) = self.times()?;
        if self.stages.iter().any(|stage| matches!(stage, StagePlan::Window { .. })) {
            return Err(Error::usage("windows of windows are not possible yet")
                .advise("write the first windows out and read them again"));
        }
        let time_type = self.time_type.clone();
        let spec = WindowSpec {
            kind: window.kind.clone(),
            offset: window.offset,
            time_type,
            unit,
            keys: keys.to_vec(),
            aggregates: of.iter().map(Aggregate::of_windows).collect::<Result<Vec<_>>>()?,
            lateness: window.lateness,
        };
        let (_, output) = window::open(&spec, &self.schema)?;
        let input = std::mem::replace(&mut self.schema, output.clone());
        self.stages.push(StagePlan::Window { spec, input, output });
        Ok(())
    }

    fn map(&mut self, map: Arc<dyn MapOperator>) -> Result<()> {
        self.flush();
        self.schema = map.output_schema(&self.schema)?;
        self.stages.push(StagePlan::Map(map));
        Ok(())
    }

    /// Adds the columns that an operator computes to the step of computed columns.
    fn compute(&mut self, operator: &dyn MapOperator, columns: &[Computed]) -> Result<()> {
        if self.computed.is_empty() {
            self.flush();
        }
        self.schema = operator.output_schema(&self.schema)?;
        self.computed.extend_from_slice(columns);
        Ok(())
    }

    fn flush_computed(&mut self) {
        if !self.computed.is_empty() {
            let columns = std::mem::take(&mut self.computed);
            self.stages.push(StagePlan::Map(Arc::new(Compute::new(columns))));
        }
    }

    /// Ends the stage that is being put together.
    fn flush(&mut self) {
        self.flush_computed();
        if self.pending.is_empty() {
            return;
        }
        let mut fields: Vec<_> = self.schema.fields().iter().cloned().collect();
        for plan in &self.pending {
            fields.extend(plan.fields());
        }
        let output = Arc::new(Schema::new(fields));
        self.stages.push(StagePlan::Enrich {
            plans: std::mem::take(&mut self.pending),
            input: self.schema.clone(),
            output: output.clone(),
        });
        self.schema = output;
    }

    /// The pending plan of these keys; columns computed by pending plans end the stage first.
    fn plan(&mut self, keys: &[String], reads: &[&str]) -> Result<&mut OverPlan> {
        let (_, unit, watermark) = self.times()?;
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
        let at = match self.pending.iter().position(|plan| plan.keys == keys) {
            Some(at) => at,
            None => {
                self.pending.push(OverPlan {
                    keys: keys.to_vec(),
                    units_per_second: units_per_second(unit),
                    delay: watermark.delay.to_units(unit)?,
                    ..OverPlan::default()
                });
                self.pending.len() - 1
            }
        };
        Ok(&mut self.pending[at])
    }

    fn over(&mut self, keys: &[String], horizons: &[Last], aggregates: &[Aggregate]) -> Result<()> {
        let (_, unit, _) = self.times()?;
        let columns: Vec<&str> = aggregates.iter().map(|a| a.column.as_str()).collect();
        self.plan(keys, &columns)?;
        let schema = self.schema.clone();
        let plan = self.plan(keys, &columns)?;
        for last in horizons {
            let horizon = Horizon {
                length: last.length.to_units(unit)?,
                delay: last.delay.map_or(Ok(0), |delay| delay.to_units(unit))?,
            };
            let h = position_or_push(&mut plan.horizons, horizon);
            for aggregate in aggregates {
                let output = bind(plan, &schema, h, aggregate)?;
                let mut name = prefix(keys);
                name.push_str(&aggregate.function.name());
                if !aggregate.column.is_empty() {
                    name = format!("{name}_{}", aggregate.column);
                }
                add(plan, format!("{name}_{}", last.suffix()), output, &schema)?;
            }
        }
        plan.validate()
    }

    fn history(&mut self, keys: &[String], history: &History) -> Result<()> {
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
        add(plan, format!("{}{name}", prefix(keys)), output, &schema)
    }
}

fn prefix(keys: &[String]) -> String {
    keys.iter().map(|key| format!("{key}_")).collect()
}

fn describe_over(plan: &OverPlan) -> String {
    format!(
        "over by {}: {} horizons, {} columns, {} bytes a row of log",
        plan.keys.join(", "),
        plan.horizons.len(),
        plan.outputs.len(),
        crate::window::over::entry_bytes(plan)
    )
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
    if of.function == Function::Count {
        return Ok(Output::Count { h });
    }
    let field = schema.field(find(schema, &of.column)?);
    if matches!(of.function, Function::Distinct | Function::CountSame) {
        let c = position_or_push(&mut plan.codes, of.column.clone());
        return Ok(match of.function {
            Function::Distinct => Output::Distinct { h, c },
            _ => Output::CountSame { h, c },
        });
    }
    let m = position_or_push(&mut plan.measures, Measure::new(&of.column, field.data_type())?);
    Ok(match of.function {
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
