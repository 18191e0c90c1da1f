//! Which models score: the champion that decides, those that take its place, the challenger.

use std::fmt;
use std::path::PathBuf;

use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use clap::{Args, ValueEnum};

/// Options of models.
#[derive(Debug, Clone, Default, Args)]
pub struct ModelArgs {
    /// The model of the score: LightGBM (text, JSON), XGBoost (JSON, UBJ), ONNX of scikit-learn,
    /// or logistic weights; its features are columns of the pipeline [default: the weights that
    /// come with pelton]
    #[arg(long, visible_alias = "weights", value_name = "FILE", help_heading = "Model")]
    pub model: Option<PathBuf>,

    /// Names of the features, in the model's order, for files that have none (ONNX; XGBoost
    /// trained on arrays): there they are called f0, f1, …
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help_heading = "Model")]
    pub model_features: Vec<String>,

    /// The score from which a payment is suspicious [default: the model file's own, else 0.5]
    #[arg(long, value_name = "SCORE", value_parser = parse_score, help_heading = "Model")]
    #[arg(allow_hyphen_values = true)]
    pub threshold: Option<f64>,

    /// Another model takes over for payments of this event time or later (ISO 8601 or µs since
    /// 1970); may be given several times. It has the threshold of its file, else --threshold
    #[arg(long, value_name = "TIME=FILE", value_parser = parse_takeover, help_heading = "Model")]
    #[arg(allow_hyphen_values = true)]
    pub model_at: Vec<Takeover>,

    /// A second model beside it, which decides nothing: its score is the column
    /// challenger_score of each alert, and the report says what it would have done
    #[arg(long, value_name = "FILE", help_heading = "Model")]
    pub challenger: Option<PathBuf>,

    /// How the reasons of a forest are computed
    #[arg(long, value_enum, value_name = "HOW", default_value_t, help_heading = "Model")]
    pub reasons: ReasonsArg,

    /// The score from which the challenger finds a payment suspicious [default: its file's own,
    /// else 0.5]
    #[arg(long, value_name = "SCORE", value_parser = parse_score, requires = "challenger")]
    #[arg(help_heading = "Model", allow_hyphen_values = true)]
    pub challenger_threshold: Option<f64>,
}

/// How contributions to a forest's score are computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ReasonsArg {
    /// Shapley values: exact, and slow for large forests (milliseconds an alert)
    #[default]
    Exact,
    /// Along the path of the row: microseconds, but features near the roots get too little
    Fast,
}

/// A model that takes over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Takeover {
    /// Event time from which it scores, in µs since 1970.
    pub from_us: i64,
    /// The time as it was typed.
    pub from: String,
    /// The model.
    pub file: PathBuf,
}

impl fmt::Display for Takeover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.from, self.file.display())
    }
}

fn parse_score(text: &str) -> Result<f64, String> {
    let score = text.parse::<f64>().ok().filter(|score| score.is_finite());
    score.ok_or_else(|| format!("{text:?} is no score: expected a number, e.g. 0.9"))
}

/// `TIME=FILE`; the file's name may hold a `=`, a time holds none.
fn parse_takeover(text: &str) -> Result<Takeover, String> {
    let wrong = || {
        format!("{text:?} is no TIME=FILE: expected e.g. 2026-03-01T12:00:00=new.txt (UTC), or µs")
    };
    let (time, file) = text.split_once('=').ok_or_else(wrong)?;
    if file.is_empty() {
        return Err(wrong());
    }
    let from_us = match time.parse::<i64>() {
        Ok(micros) => micros,
        Err(_) => string_to_timestamp_nanos(time).map_err(|_| wrong())?.div_euclid(1_000),
    };
    Ok(Takeover { from_us, from: time.to_owned(), file: PathBuf::from(file) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takeovers_have_a_time_and_a_file() {
        let takeover = parse_takeover("2026-01-01=a=b.txt").unwrap();
        assert_eq!(takeover.from_us, 1_767_225_600_000_000);
        assert_eq!(takeover.file, PathBuf::from("a=b.txt"));
        assert_eq!(takeover.to_string(), "2026-01-01=a=b.txt");
        assert_eq!(parse_takeover("-5=x").unwrap().from_us, -5);
        let at = parse_takeover("1970-01-01T00:00:01.5Z=x").unwrap();
        assert_eq!(at.from_us, 1_500_000);
        for wrong in ["x", "=x", "2026-13-01=x", "2026-01-01=", "soon=x"] {
            assert!(parse_takeover(wrong).is_err(), "{wrong}");
        }
        assert!(parse_score("nan").is_err() && parse_score("0.5").is_ok());
    }
}
