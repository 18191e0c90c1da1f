//! Compiling steps that learn from the stream: rows by time, detectors, alerts.

use std::sync::Arc;

use super::compile::{Compiler, StagePlan};
use crate::error::{Error, Result};
use crate::expr::DropColumns;
use crate::operator::KeyedStep;
use crate::score::alert::{AlertPlan, AlertPolicy};
use crate::score::detect::{DetectPlan, Feedback, SlotsPlan, column_name};
use crate::window::over::at_watermark::WatermarkPlan;

impl Compiler {
    /// Over windows at the watermark without a window: rows wait, and go by time.
    pub(super) fn by_time(&mut self) -> Result<()> {
        self.flush();
        let (_, unit, _) = self.times()?;
        if self.stages.iter().any(|stage| matches!(stage, StagePlan::Waiting { .. })) {
            // They have waited, and go by time.
            return Ok(());
        }
        self.check_first_windows(None)?;
        let input = self.schema.clone();
        let plan = WatermarkPlan {
            keys: Vec::new(),
            time: self.time_field.as_ref().map_or_else(String::new, |field| field.name().clone()),
            unit,
            carried: input.fields().iter().map(|field| field.name().clone()).collect(),
            horizons: Vec::new(),
            columns: Vec::new(),
        };
        let output = plan.output_schema(&input)?;
        self.schema = output.clone();
        self.stages.push(StagePlan::Waiting { plan, input, output });
        Ok(())
    }

    pub(super) fn detect(
        &mut self,
        keys: &[String],
        name: &str,
        columns: &[String],
        method: &str,
        feedback: Option<&Feedback>,
    ) -> Result<()> {
        let unit = self.unit_for("a detector")?;
        let mut plan = DetectPlan {
            name: name.to_owned(),
            keys: keys.to_vec(),
            columns: columns.to_vec(),
            method: method.to_owned(),
            unit,
            feedback: feedback.cloned(),
            slots: None,
        };
        if !plan.needs_slots() {
            return self.keyed(Arc::new(plan));
        }
        let slots = column_name(name, "state_slot");
        self.keyed(Arc::new(SlotsPlan { name: slots.clone(), keys: keys.to_vec() }))?;
        plan.slots = Some(slots.clone());
        self.keyed(Arc::new(plan))?;
        self.map(Arc::new(DropColumns::new([slots])))
    }

    pub(super) fn alerts(
        &mut self,
        keys: &[String],
        name: &str,
        policy: &AlertPolicy,
    ) -> Result<()> {
        let unit = self.unit_for("an alert")?;
        let (name, keys, policy) = (name.to_owned(), keys.to_vec(), policy.clone());
        self.keyed(Arc::new(AlertPlan { name, keys, policy, unit }))
    }

    fn unit_for(&self, what: &str) -> Result<arrow::datatypes::TimeUnit> {
        let (_, unit, _) = self.times().map_err(|_| {
            Error::usage(format!("{what} needs to know when each row happened"))
                .advise("call event_time(\"ts\", Watermark::bounded(seconds(2))) before it")
        })?;
        Ok(unit)
    }

    fn keyed(&mut self, step: Arc<dyn KeyedStep>) -> Result<()> {
        self.flush();
        let output = step.output_schema(&self.schema)?;
        let input = std::mem::replace(&mut self.schema, output.clone());
        self.stages.push(StagePlan::Keyed { step, input, output });
        Ok(())
    }
}
