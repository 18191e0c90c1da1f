//! Which window is asked for, and by which time.

use arrow::datatypes::{DataType, TimeUnit};
use pelton::expr::{Expr, col, lit};
use pelton::pipeline::{
    Early, Window, all_rows, cumulate, every_rows, hop, last_rows, session, session_up_to, tumble,
    while_true,
};
use pelton::time::Span;
use pelton::{Error, Result};

use super::aggregates::Guessed;
use crate::args::{WindowArgs, parse_count};

/// The window that the options ask for, and the columns that it reads.
///
/// # Errors
/// When a length or number cannot be read.
pub fn window(args: &WindowArgs) -> Result<(Window, Vec<Guessed>)> {
    let window = if let Some(text) = &args.tumble {
        tumble(span(text, "--tumble")?)
    } else if let Some(text) = &args.hop {
        let (size, slide) = pair(text, "--hop", "600s/60s")?;
        hop(span(size, "--hop")?, span(slide, "--hop")?)
    } else if let Some(text) = &args.cumulate {
        let (size, step) = pair(text, "--cumulate", "1h/5m")?;
        cumulate(span(size, "--cumulate")?, span(step, "--cumulate")?)
    } else if let Some(text) = &args.session {
        match text.split_once('/') {
            None => session(span(text, "--session")?),
            Some((gap, most)) => session_up_to(span(gap, "--session")?, span(most, "--session")?),
        }
    } else if let Some(text) = &args.count {
        let number = |text: &str| parse_count(text).map_err(|e| Error::usage(e).at("--count"));
        match text.split_once('/') {
            None => every_rows(number(text)?),
            Some((rows, step)) => last_rows(number(rows)?, number(step)?),
        }
    } else if let Some(text) = &args.state {
        let (condition, guess) = condition(text)?;
        let columns = condition.columns().into_iter().map(|column| (column, Some(guess.clone())));
        return Ok((modified(while_true(condition), args)?, columns.collect()));
    } else {
        all_rows()
    };
    Ok((modified(window, args)?, Vec::new()))
}

/// Shifted, with keys forgotten, given out early, and corrected by late rows, where that is asked for.
fn modified(window: Window, args: &WindowArgs) -> Result<Window> {
    let window = window.offset(args.offset);
    let window = match args.key_ttl {
        Some(idle) => window.forget_keys_after(idle),
        None => window,
    };
    let window = match args.lateness.filter(|lateness| *lateness != Span::ZERO) {
        Some(lateness) => window.allow_late(lateness, args.retract),
        None => window,
    };
    let Some(text) = &args.early else {
        if args.retract && args.lateness.is_none() {
            return Err(Error::usage("--retract says how windows are given out again")
                .advise("add --lateness or --early"));
        }
        return Ok(window);
    };
    let early = match text.trim().strip_suffix("rows") {
        Some(rows) => {
            let rows = parse_count(rows.trim()).map_err(|e| Error::usage(e).at("--early"))?;
            Early::Rows(rows)
        }
        None => Early::EventTime(span(text, "--early")?),
    };
    Ok(window.early(early, args.retract))
}

fn span(text: &str, option: &str) -> Result<Span> {
    text.parse().map_err(|error: Error| error.at(option))
}

fn pair<'a>(text: &'a str, option: &str, example: &str) -> Result<(&'a str, &'a str)> {
    text.split_once('/').ok_or_else(|| {
        Error::usage(format!("{text:?} is not two lengths"))
            .at(option)
            .advise(format!("write both, as in {option} {example}"))
    })
}

/// `column`, or `column operator value`; and the type that the column would have.
fn condition(text: &str) -> Result<(Expr, DataType)> {
    let operators = ["!=", "<=", ">=", "=", "<", ">"];
    // The longer operator of those at the first place.
    let found = text.find(['!', '<', '>', '=']).and_then(|at| {
        operators.iter().find(|o| text[at..].starts_with(**o)).map(|operator| (at, *operator))
    });
    let Some((at, operator)) = found else {
        return Ok((col(text.trim()), DataType::Boolean));
    };
    let (column, value) = (text[..at].trim(), text[at + operator.len()..].trim());
    if column.is_empty() || value.is_empty() {
        return Err(Error::usage(format!("{text:?} is no condition"))
            .at("--state")
            .advise("write a boolean column, or one and what it is compared with: speed>80"));
    }
    let (column, (value, guess)) = (col(column), literal(value));
    let condition = match operator {
        "!=" => column.ne(value),
        "<=" => column.le(value),
        ">=" => column.ge(value),
        "=" => column.eq(value),
        "<" => column.lt(value),
        _ => column.gt(value),
    };
    Ok((condition, guess))
}

fn literal(text: &str) -> (Expr, DataType) {
    let quoted = |quote: char| text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote));
    match text {
        "true" => (lit(true), DataType::Boolean),
        "false" => (lit(false), DataType::Boolean),
        _ => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(whole), _) => (lit(whole), DataType::Int64),
            (_, Ok(float)) => (lit(float), DataType::Float64),
            _ => (lit(quoted('\'').or_else(|| quoted('"')).unwrap_or(text)), DataType::Utf8),
        },
    }
}

/// The time column, and its unit where one is given (`ts:us`).
pub fn time(text: &str) -> (&str, Option<TimeUnit>) {
    let unit = |name| match name {
        "s" => Some(TimeUnit::Second),
        "ms" => Some(TimeUnit::Millisecond),
        "us" | "µs" => Some(TimeUnit::Microsecond),
        "ns" => Some(TimeUnit::Nanosecond),
        _ => None,
    };
    match text.rsplit_once(':').and_then(|(column, name)| Some((column, unit(name)?))) {
        Some((column, unit)) => (column, Some(unit)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_behind_a_colon() {
        assert_eq!(time("ts"), ("ts", None));
        assert_eq!(time("ts:us"), ("ts", Some(TimeUnit::Microsecond)));
        assert_eq!(time("a:b:s"), ("a:b", Some(TimeUnit::Second)));
        assert_eq!(time("a:b"), ("a:b", None));
    }

    #[test]
    fn conditions_compare_a_column_with_a_value() {
        for (text, says) in [
            ("on", "on"),
            ("speed>80", "speed > 80"),
            ("speed >= 80.5", "speed >= 80.5"),
            ("state=open", "state = \"open\""),
            ("state != 'open'", "state != \"open\""),
            ("on=true", "on = true"),
        ] {
            let shown = condition(text).expect(text).0.to_string();
            assert_eq!(shown.replace('\'', "\"").replace("==", "="), says, "{text}");
        }
        assert!(condition(">80").is_err() && condition("speed>").is_err());
    }
}
