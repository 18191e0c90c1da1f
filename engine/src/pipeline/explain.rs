//! A plan in words: a line a stage, and where its kernels run.

use arrow::datatypes::SchemaRef;

use super::builder::Pipeline;
use super::compile::{Plan, StagePlan};
use super::compile_over::describe_over;
use super::options::Options;
use crate::error::Result;
use crate::window;

impl Pipeline {
    /// The plan in words: stages, keys, horizons, bytes a row.
    ///
    /// # Errors
    /// When the input cannot be opened or the plan does not fit it.
    pub fn explain_plan(&self) -> Result<String> {
        let plan = Plan::new(self, &self.input_schema()?)?;
        Ok(plan.describe(&|_, _| Vec::new()))
    }

    /// As [`Pipeline::explain_plan`], as it would be run with these options: below each stage that
    /// has a kernel with a GPU pass stands where it runs, from how many rows a batch on the GPU
    /// pays as measured, and what stays with the core and why.
    ///
    /// # Errors
    /// As [`Pipeline::explain_plan`].
    pub fn explain_plan_with(&self, options: &Options) -> Result<String> {
        let plan = Plan::new(self, &self.input_schema()?)?;
        #[cfg(feature = "gpu")]
        return Ok(plan.describe(&|stage, input| placed(stage, input, options)));
        #[cfg(not(feature = "gpu"))]
        {
            let _ = options;
            Ok(plan.describe(&|_, _| Vec::new()))
        }
    }
}

/// Where the kernels of a stage run, a line each.
#[cfg(feature = "gpu")]
fn placed(stage: &StagePlan, input: &SchemaRef, options: &Options) -> Vec<String> {
    use crate::accel::{Kernel, KernelUse, explain};
    let mut kernels = match stage {
        StagePlan::Map(map) => map.kernels(input),
        StagePlan::Window { spec, input, .. } => window::kernels(spec, input),
        _ => Vec::new(),
    };
    if stage.has_keys() && options.shard_count() > 1 {
        kernels.insert(0, KernelUse::of(Kernel::Hash));
    }
    let accelerator = options.accelerator.as_ref();
    let lines = kernels.iter().flat_map(|kernel| explain(kernel, accelerator));
    lines.map(|line| format!("  {line}")).collect()
}

impl Plan {
    /// The plan as text, a line or more a stage; below each what `also` says of it, given the
    /// columns that come to it.
    fn describe(&self, also: &dyn Fn(&StagePlan, &SchemaRef) -> Vec<String>) -> String {
        let mut text = String::new();
        let mut schema = self.input.clone();
        for stage in &self.stages {
            for line in stage.describe().into_iter().chain(also(stage, &schema)) {
                text.push_str(&line);
                text.push('\n');
            }
            // It was made for this input before.
            schema = stage.output_schema(&schema).unwrap_or(schema);
        }
        text
    }
}

impl StagePlan {
    fn describe(&self) -> Vec<String> {
        let or_why = |lines: Result<Vec<String>>| match lines {
            Ok(lines) => lines,
            Err(error) => vec![error.to_string()],
        };
        match self {
            Self::Map(map) => vec![map.describe()],
            Self::Enrich { plans, .. } => plans.iter().map(describe_over).collect(),
            Self::Window { spec, input, .. } => or_why(window::describe(spec, input)),
            Self::Waiting { plan, input, .. } => or_why(plan.describe(input)),
            Self::Keyed { step, .. } => vec![step.describe()],
        }
    }

    /// Whether rows go to shards by their keys.
    #[cfg(feature = "gpu")]
    fn has_keys(&self) -> bool {
        match self {
            Self::Map(_) => false,
            Self::Enrich { plans, .. } => plans.iter().any(|plan| !plan.keys.is_empty()),
            Self::Window { spec, .. } => !spec.keys.is_empty(),
            Self::Waiting { plan, .. } => !plan.keys.is_empty(),
            Self::Keyed { step, .. } => !step.keys().is_empty(),
        }
    }
}
