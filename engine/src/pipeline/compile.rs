//! From the steps that a user wrote to the stages that run: names and types are checked, and
//! the over windows of neighbouring steps are put together, one operator a key, all operators
//! of one stage side by side.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::aggregate::Aggregate;
use super::budget::{Budget, Capped};
use super::builder::{Pipeline, Step, Watermark};
use super::compile_lookup::PlannedLookup;
use super::inspect::Inspect;
use super::lookup::{find, indices, time_unit};
use super::prune::prune;
use super::window::Window;
use crate::accel::Accelerator;
use crate::error::{Error, Result};
use crate::expr::{Compute, Computed};
use crate::operator::{KeyedEnrich, KeyedStep, KeyedWindow, MapOperator};
use crate::runtime::{Keyed, MapStage, Stage};
use crate::time::Span;
use crate::window::over::at_watermark::{WatermarkOver, WatermarkPlan};
use crate::window::over::{Over, OverPlan};
use crate::window::{self, Lateness, WindowSpec};

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
    Enrich {
        plans: Vec<OverPlan>,
        input: SchemaRef,
        output: SchemaRef,
    },
    Window {
        spec: WindowSpec,
        input: SchemaRef,
        output: SchemaRef,
    },
    /// Over windows at the watermark.
    Waiting {
        plan: WatermarkPlan,
        input: SchemaRef,
        output: SchemaRef,
    },
    /// Columns by key.
    Keyed {
        step: Arc<dyn KeyedStep>,
        input: SchemaRef,
        output: SchemaRef,
    },
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
            input: input.clone(),
            time,
            time_field: time.map(|(index, ..)| input.field(index).clone()),
            stages: Vec::new(),
            pending: Vec::new(),
            waiting: None,
            computed: Vec::new(),
            lookups: Vec::new(),
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

    /// The stages of one of so many shards.
    pub(crate) fn build(
        &self,
        budget: Option<&Arc<Budget>>,
        shards: usize,
        accelerator: Option<&Accelerator>,
    ) -> Result<Vec<Stage>> {
        let mut behind = false;
        let mut stages = Vec::with_capacity(self.stages.len());
        let mut schema = self.input.clone();
        let mut at = 0;
        while let Some(stage) = self.stages.get(at) {
            // What is shed is counted behind filters.
            let picked = if shards == 1 && budget.is_none() && !behind {
                self.picked(at, &schema)?
            } else {
                None
            };
            if let Some((windows, operator)) = picked {
                let schema = self.stages[windows].output_schema(&schema)?;
                let keys = Vec::new();
                stages.push(Stage::Keyed(Keyed::Window { keys, operator, schema, next: None }));
                at = windows;
            } else {
                stages.push(stage.build(budget, behind)?);
            }
            schema = self.stages[at].output_schema(&schema)?;
            behind |= self.stages[at].holds_back();
            at += 1;
        }
        if let Some(accelerator) = accelerator {
            stages.iter_mut().for_each(|stage| stage.set_accelerator(accelerator));
        }
        Ok(stages)
    }

    /// Whether rows are held back until the watermark passes: then late ones are set aside.
    pub(crate) fn sets_late_aside(&self) -> bool {
        self.stages.iter().any(StagePlan::holds_back)
    }

    /// For how long late rows still count.
    pub(crate) fn lateness(&self) -> Option<Span> {
        self.stages.iter().find_map(|stage| match stage {
            StagePlan::Window { spec, .. } => spec.lateness.map(|lateness| lateness.span),
            _ => None,
        })
    }
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
            Self::Waiting { plan, input, output } => {
                *output = plan.output_schema(&schema)?;
                *input = schema;
                Ok(output.clone())
            }
            Self::Keyed { step, input, output } => {
                *output = step.output_schema(&schema)?;
                *input = schema;
                Ok(output.clone())
            }
        }
    }

    /// The columns of the stage's rows, given those that come.
    pub(super) fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        match self {
            Self::Map(map) => map.output_schema(input),
            Self::Enrich { output, .. }
            | Self::Window { output, .. }
            | Self::Waiting { output, .. }
            | Self::Keyed { output, .. } => Ok(output.clone()),
        }
    }

    /// Whether rows wait for the watermark here.
    fn holds_back(&self) -> bool {
        matches!(self, Self::Window { .. } | Self::Waiting { .. })
    }

    /// `behind`: rows come from windows.
    fn build(&self, budget: Option<&Arc<Budget>>, behind: bool) -> Result<Stage> {
        Ok(match self {
            Self::Map(map) => Stage::Map(MapStage::new(map.clone())),
            Self::Enrich { plans, input, output } => {
                let operators = plans
                    .iter()
                    .map(|plan| {
                        let operator = Box::new(Over::new(plan.clone(), input)?);
                        Ok((indices(input, &plan.keys)?, capped(operator, budget)))
                    })
                    .collect::<Result<Vec<_>>>()?;
                Stage::Keyed(Keyed::Enrich { operators, schema: output.clone() })
            }
            Self::Window { spec, input, output } => {
                let (operator, _) = window::open(spec, input)?;
                windows(input, &spec.keys, operator, output, (budget, behind))?
            }
            Self::Waiting { plan, input, output } => {
                let operator = Box::new(WatermarkOver::new(plan, input)?);
                windows(input, &plan.keys, operator, output, (budget, behind))?
            }
            Self::Keyed { step, input, output } => {
                let operator = capped(step.build(input)?, budget);
                let operators = vec![(indices(input, step.keys())?, operator)];
                Stage::Keyed(Keyed::Enrich { operators, schema: output.clone() })
            }
        })
    }
}

/// An operator that adds columns, kept to the budget where there is one.
fn capped(operator: Box<dyn KeyedEnrich>, budget: Option<&Arc<Budget>>) -> Box<dyn KeyedEnrich> {
    match budget {
        Some(budget) => Box::new(Capped::new(operator, budget.clone())),
        None => operator,
    }
}

/// A stage that swallows rows and gives out others.
fn windows(
    input: &SchemaRef,
    keys: &[String],
    mut operator: Box<dyn KeyedWindow>,
    output: &SchemaRef,
    (budget, behind): (Option<&Arc<Budget>>, bool),
) -> Result<Stage> {
    if let Some(budget) = budget {
        operator = Box::new(Capped::new(operator, budget.clone()));
    }
    let keys = indices(input, keys)?;
    let next = behind.then_some(0);
    Ok(Stage::Keyed(Keyed::Window { keys, operator, schema: output.clone(), next }))
}

pub(super) struct Compiler {
    /// Of the rows before `pending`.
    pub(super) schema: SchemaRef,
    /// Of the rows before `waiting`.
    pub(super) input: SchemaRef,
    time: Option<(usize, TimeUnit, Watermark)>,
    /// The time column.
    pub(super) time_field: Option<Field>,
    pub(super) stages: Vec<StagePlan>,
    /// Over windows of the stage that is being put together.
    pub(super) pending: Vec<OverPlan>,
    /// Over windows at the watermark that are being put together; their schema is `schema`.
    pub(super) waiting: Option<WatermarkPlan>,
    /// Computed columns that stand beside each other: one step. Empty where `pending` is not.
    computed: Vec<Computed>,
    /// Lookups among the stages.
    pub(super) lookups: Vec<PlannedLookup>,
}

impl Compiler {
    fn step(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Over { keys, horizons, aggregates, waits: false, key_ttl } => {
                self.over((keys, *key_ttl), horizons, aggregates)
            }
            // They have no previous rows: what no horizon reaches is forgotten unasked.
            Step::Over { keys, horizons, aggregates, waits: true, .. } => {
                self.over_at_watermark(keys, horizons, aggregates)
            }
            Step::History { keys, history, key_ttl } => self.history((keys, *key_ttl), history),
            Step::Window { keys, window, aggregates } => self.window(keys, window, aggregates),
            Step::Lookup(lookup) => self.lookup(Arc::new(lookup.step()?)),
            Step::ByTime => self.by_time(),
            Step::Detect { keys, name, columns, method, feedback } => {
                self.detect(keys, name, columns, method, feedback.as_ref())
            }
            Step::Alerts { keys, name, policy } => self.alerts(keys, name, policy),
            Step::Column(column) => self.compute(column.as_ref(), column.computed()),
            Step::Rules(rules) => self.compute(rules.as_ref(), rules.computed()),
            Step::Map(map) => self.map(map.clone()),
            Step::Inspect(inspector, columns) => {
                self.map(Arc::new(Inspect::new(inspector.clone(), columns.clone())))
            }
        }
    }

    pub(super) fn times(&self) -> Result<(usize, TimeUnit, Watermark)> {
        self.time.ok_or_else(|| {
            Error::usage("windows need to know when each row happened")
                .advise("call event_time(\"ts\", Watermark::bounded(seconds(2))) before them")
        })
    }

    fn window(&mut self, keys: &[String], window: &Window, of: &[Aggregate]) -> Result<()> {
        self.flush();
        let (_, unit, _) = self.times()?;
        self.check_first_windows(window.lateness)?;
        let time_type =
            self.time_field.as_ref().map_or(DataType::Null, |field| field.data_type().clone());
        let spec = WindowSpec {
            kind: window.kind.clone(),
            offset: window.offset,
            time_type,
            unit,
            keys: keys.to_vec(),
            aggregates: of.iter().map(Aggregate::of_windows).collect::<Result<Vec<_>>>()?,
            lateness: window.lateness,
            key_ttl: window.key_ttl,
        };
        let (_, output) = window::open(&spec, &self.schema)?;
        let (spec, behind) = self.put_off_lookups(spec)?;
        let (_, given) = window::open(&spec, &self.schema)?;
        let input = std::mem::replace(&mut self.schema, output);
        self.stages.push(StagePlan::Window { spec, input, output: given });
        self.stages.extend(behind.into_iter().map(StagePlan::Map));
        Ok(())
    }

    pub(super) fn check_first_windows(&self, lateness: Option<Lateness>) -> Result<()> {
        if self.stages.iter().any(|stage| matches!(stage, StagePlan::Window { .. })) {
            return Err(Error::usage("windows of windows are not possible yet")
                .advise("write the first windows out and read them again"));
        }
        // Late rows are set aside before over windows at the watermark.
        let waits = self.stages.iter().any(|stage| matches!(stage, StagePlan::Waiting { .. }));
        if waits && lateness.is_some() {
            return Err(Error::usage(
                "windows behind over windows at the watermark are given out once: no late row \
                 comes to correct them",
            )
            .advise("leave the allowed lateness (or early) out, or raise the delay"));
        }
        Ok(())
    }

    pub(super) fn map(&mut self, map: Arc<dyn MapOperator>) -> Result<()> {
        self.flush();
        self.schema = map.output_schema(&self.schema)?;
        self.stages.push(StagePlan::Map(map));
        Ok(())
    }

    /// Adds the columns that an operator computes to the step of computed columns.
    fn compute(&mut self, operator: &dyn MapOperator, columns: &[Computed]) -> Result<()> {
        if self.computed.is_empty() || self.waiting.is_some() {
            self.flush();
        }
        self.schema = operator.output_schema(&self.schema)?;
        self.computed.extend_from_slice(columns);
        Ok(())
    }

    pub(super) fn flush_computed(&mut self) {
        if !self.computed.is_empty() {
            let columns = std::mem::take(&mut self.computed);
            self.stages.push(StagePlan::Map(Arc::new(Compute::new(columns))));
        }
    }

    /// Ends the stage that is being put together.
    pub(super) fn flush(&mut self) {
        self.flush_computed();
        if let Some(plan) = self.waiting.take() {
            let (input, output) = (self.input.clone(), self.schema.clone());
            self.stages.push(StagePlan::Waiting { plan, input, output });
        }
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
}
