//! The models that the options name: loaded and checked before the first row is read.

use std::path::{Path, PathBuf};

use pelton::Result;
use pelton::score::{Method, Model, Scorer};
use pelton_pipelines::fraud::{FraudConfig, Judge};

use crate::args::{ModelArgs, ReasonsArg};
use crate::report::models::ModelReport;

/// The files of models, with the options that name them.
pub(super) fn files(args: &ModelArgs) -> impl Iterator<Item = (&'static str, &PathBuf)> {
    let model = args.model.iter().map(|path| ("--model", path));
    let later = args.model_at.iter().map(|takeover| ("--model-at", &takeover.file));
    model.chain(later).chain(args.challenger.iter().map(|path| ("--challenger", path)))
}

/// The configuration with these models; its delay is the usual one.
///
/// # Errors
/// When a file is no model, is damaged, or tells more than two classes apart.
pub(super) fn load(args: &ModelArgs) -> Result<FraudConfig> {
    let champion = match &args.model {
        Some(path) => judge(args, path, args.threshold, None)?,
        None => with_threshold(Judge::standard()?, args.threshold),
    };
    let successors = args
        .model_at
        .iter()
        .map(|takeover| Ok((takeover.from_us, judge(args, &takeover.file, None, args.threshold)?)));
    let successors = successors.collect::<Result<_>>()?;
    let challenger = args.challenger.as_ref();
    let challenger = challenger.map(|path| judge(args, path, args.challenger_threshold, None));
    Ok(FraudConfig { successors, challenger: challenger.transpose()?, ..FraudConfig::of(champion) })
}

/// A model with this threshold, else its file's, else the other one, else the usual.
fn judge(
    args: &ModelArgs,
    path: &Path,
    threshold: Option<f64>,
    otherwise: Option<f64>,
) -> Result<Judge> {
    let named = |error: pelton::Error| error.within(&path.display().to_string());
    let mut model = Model::load(path)?.explained_by(match args.reasons {
        ReasonsArg::Exact => Method::Exact,
        ReasonsArg::Fast => Method::Fast,
    });
    let is_nameless = model.features().iter().enumerate().all(|(i, name)| *name == format!("f{i}"));
    if is_nameless && !args.model_features.is_empty() {
        model = model.with_features(args.model_features.clone()).map_err(named)?;
    }
    let threshold = threshold.or(model.threshold()).or(otherwise);
    Ok(with_threshold(Judge::new(model).map_err(named)?, threshold))
}

fn with_threshold(judge: Judge, threshold: Option<f64>) -> Judge {
    Judge { threshold: threshold.unwrap_or(judge.threshold), ..judge }
}

/// What the report says of them.
pub(super) fn shown(args: &ModelArgs, config: &FraudConfig) -> Vec<ModelReport> {
    let report = |role: String, file: Option<&PathBuf>, judge: &Judge| ModelReport {
        role,
        file: match file {
            Some(path) => pelton::source::base_name(&path.to_string_lossy()),
            None => "the weights that come with pelton".to_owned(),
        },
        what: judge.model.describe(),
        threshold: judge.threshold,
    };
    let mut shown = vec![report("champion".to_owned(), args.model.as_ref(), &config.champion)];
    for (takeover, (_, judge)) in args.model_at.iter().zip(&config.successors) {
        let role = format!("champion from {} on", takeover.from);
        shown.push(report(role, Some(&takeover.file), judge));
    }
    if let Some(judge) = &config.challenger {
        shown.push(report("challenger".to_owned(), args.challenger.as_ref(), judge));
    }
    shown
}
