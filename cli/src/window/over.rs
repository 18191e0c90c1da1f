//! `--over`: windows that end at each row.

use pelton::pipeline::{Aggregate, Last, Pipeline, last, last_n};
use pelton::time::Span;
use pelton::{Error, Result};

use crate::args::{WindowArgs, parse_count};

/// Adds the columns of `--over`, and keeps them, the time and the keys.
///
/// # Errors
/// When a horizon cannot be read, or an option has no meaning here.
pub(super) fn over(
    args: &WindowArgs,
    pipeline: Pipeline,
    time: &str,
    aggregates: &[Aggregate],
) -> Result<Pipeline> {
    if args.offset != Span::ZERO || args.lateness.is_some_and(|lateness| lateness != Span::ZERO) {
        return Err(Error::usage("--offset and --lateness have no meaning with --over")
            .advise("leave them out; --delay says how far out of order rows may be"));
    }
    if args.key_ttl.is_some() {
        return Err(Error::usage("--key-ttl has no meaning with --over").advise(
            "leave it out: keys are forgotten when no horizon reaches their rows any more",
        ));
    }
    let mut shown: Vec<String> = vec![time.to_owned()];
    shown.extend(args.key.iter().filter(|key| *key != time).cloned());
    let mut pipeline = pipeline;
    for text in &args.over {
        let (horizon, called) = horizon(text.trim())?;
        let named = aggregates.iter().map(|aggregate| {
            let name = format!("{}_{called}", aggregate.name());
            aggregate.clone().named(&name)
        });
        let named: Vec<Aggregate> = named.collect();
        shown.extend(named.iter().map(Aggregate::name));
        pipeline = match args.at_arrival {
            true => pipeline.over([horizon], named),
            false => pipeline.over_at_watermark([horizon], named),
        };
    }
    for (i, name) in shown.iter().enumerate() {
        if shown[..i].contains(name) {
            return Err(Error::usage(format!("two output columns are called \"{name}\""))
                .advise("name each horizon and aggregate once, or give names: sum(x) as total"));
        }
    }
    Ok(pipeline.select(shown.iter().map(String::as_str)))
}

/// A horizon, and how columns are named after it: `10m`, `28d/7d`, `100rows`.
fn horizon(text: &str) -> Result<(Last, String)> {
    let span = |text: &str| -> Result<Span> { text.parse().map_err(|e: Error| e.at("--over")) };
    if let Some(rows) = text.strip_suffix("rows") {
        let rows = parse_count(rows.trim()).map_err(|error| Error::usage(error).at("--over"))?;
        return Ok((last_n(rows), format!("{rows}rows")));
    }
    match text.split_once('/') {
        None => Ok((last(span(text)?), text.to_owned())),
        Some((length, delay)) => {
            let horizon = last(span(length)?).ended(span(delay)?);
            Ok((horizon, format!("{}_after_{}", length.trim(), delay.trim())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn horizons_are_lengths_or_numbers_of_rows() {
        for (text, called) in
            [("600s", "600s"), ("1d", "1d"), ("28d/7d", "28d_after_7d"), ("100rows", "100rows")]
        {
            assert_eq!(horizon(text).expect(text).1, called);
        }
        for text in ["", "10", "rows", "1.5rows", "7d/", "/7d", "-"] {
            assert!(horizon(text).is_err(), "{text}");
        }
    }
}
