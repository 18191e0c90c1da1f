//! `--agg`: a list of aggregates, such as `count,sum(amount),max(amount) as top,p99(amount)`.
//!
//! ```text
//! list       = aggregate {"," aggregate}
//! aggregate  = name ["(" ["distinct"] [argument {"," argument}] ")"]
//!              ["filter" "(" ["where"] condition ")"] ["as" name]
//! argument   = a column, "a column in quotes", a number, a duration; conditions: `condition.rs`
//! ```
//! Names of functions and `distinct` and `as` are read in any case; columns as they are.

use arrow::datatypes::DataType;
use pelton::pipeline::{Aggregate, count_same, own_mean, own_stddev};
use pelton::window::aggregate::{Function, Spread};
use pelton::{Error, Result};

/// A column, and the type that it has where a recording without rows doesn't say.
pub type Guessed = (String, Option<DataType>);

/// The aggregates, in the order asked for, and the columns that they read.
///
/// # Errors
/// When the text is no such list; the message names the aggregate.
pub fn parse(text: &str) -> Result<(Vec<Aggregate>, Vec<Guessed>)> {
    let mut aggregates = Vec::new();
    let mut columns = Vec::new();
    for part in split(text)? {
        let (aggregate, reads) = parse_one(&part).map_err(|error| error.at("--agg"))?;
        aggregates.push(aggregate);
        columns.extend(reads);
    }
    Ok((aggregates, columns))
}

/// The parts between commas that stand in no bracket and no quotes.
fn split(text: &str) -> Result<Vec<String>> {
    let mut parts = vec![String::new()];
    let (mut depth, mut quote) = (0_i32, None);
    for c in text.chars() {
        match c {
            '"' | '\'' => quote = quote_after(quote, c),
            '(' if quote.is_none() => depth += 1,
            ')' if quote.is_none() => depth -= 1,
            ',' if quote.is_none() && depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    if depth != 0 || quote.is_some() {
        let what = if quote.is_some() { "a quote" } else { "a bracket" };
        return Err(Error::usage(format!("{what} is not closed in {text:?}")).at("--agg"));
    }
    Ok(parts.iter().map(|part| part.trim().to_owned()).collect())
}

/// The quote that is open after this one.
fn quote_after(open: Option<char>, quote: char) -> Option<char> {
    match open {
        None => Some(quote),
        Some(open) => (open != quote).then_some(open),
    }
}

/// The aggregate without its filter, and the condition of that.
fn split_filter(text: &str) -> Result<(String, Option<&str>)> {
    let (mut depth, mut quote) = (0, None);
    for (at, c) in text.char_indices() {
        match c {
            '"' | '\'' => quote = quote_after(quote, c),
            '(' if quote.is_none() => depth += 1,
            ')' if quote.is_none() => depth -= 1,
            'f' | 'F' if quote.is_none() && depth == 0 && at > 0 => {
                let after = text[at..].get("filter".len()..).map(str::trim_start);
                let is_word = text[at..].get(.."filter".len()).is_some_and(|word| {
                    word.eq_ignore_ascii_case("filter")
                        && text[..at].ends_with(|c: char| c.is_whitespace() || c == ')')
                });
                let Some(after) = after.filter(|after| is_word && after.starts_with('(')) else {
                    continue;
                };
                let open = text.len() - after.len();
                let close = closing(text, open).ok_or_else(|| {
                    Error::usage(format!("the filter's bracket is not closed in {text:?}"))
                })?;
                let inner = text[open + 1..close].trim();
                let condition = match inner.get(..5) {
                    Some(word) if word.eq_ignore_ascii_case("where") => &inner[5..],
                    _ => inner,
                };
                let rest = format!("{} {}", text[..at].trim_end(), &text[close + 1..]);
                return Ok((rest.trim().to_owned(), Some(condition)));
            }
            _ => {}
        }
    }
    Ok((text.to_owned(), None))
}

fn parse_one(text: &str) -> Result<(Aggregate, Vec<Guessed>)> {
    let (text, filter) = split_filter(text)?;
    let (mut aggregate, mut columns) = parse_call(&text)?;
    if let Some(filter) = filter {
        let (condition, reads) = super::condition::parse(filter, "the filter")?;
        aggregate = aggregate.filter(condition);
        columns.extend(reads);
    }
    Ok((aggregate, columns))
}

fn parse_call(text: &str) -> Result<(Aggregate, Vec<Guessed>)> {
    let wrong = |what: &str| {
        Error::usage(format!("{text:?} is no aggregate: {what}"))
            .advise("write count, sum(amount), p99(amount) or max(amount) as top")
    };
    let (call, rest) = match text.find('(') {
        None => match text.split_once(char::is_whitespace) {
            Some((name, rest)) => ((name, ""), rest),
            None => ((text, ""), ""),
        },
        Some(open) => {
            let close = closing(text, open).ok_or_else(|| wrong("its bracket is not closed"))?;
            ((&text[..open], &text[open + 1..close]), &text[close + 1..])
        }
    };
    let (name, arguments) = (call.0.trim(), call.1.trim());
    let alias = match rest.trim() {
        "" => None,
        rest => {
            let words = rest.split_once(char::is_whitespace);
            let alias = words.filter(|(word, _)| word.eq_ignore_ascii_case("as"));
            let alias = alias.map(|(_, alias)| unquoted(alias.trim()));
            Some(alias.filter(|a| !a.is_empty()).ok_or_else(|| wrong("expected `as name`"))?)
        }
    };
    if name.is_empty() {
        return Err(wrong("it has no name"));
    }
    let (distinct, arguments) = match arguments.split_once(char::is_whitespace) {
        Some((word, rest)) if word.eq_ignore_ascii_case("distinct") => (true, rest.trim()),
        _ => (false, arguments),
    };
    let mut arguments = if arguments.is_empty() { Vec::new() } else { split(arguments)? };
    if name.eq_ignore_ascii_case("count") && arguments == ["*"] {
        arguments.clear();
    }
    let name = name.to_ascii_lowercase();
    let (mut aggregate, columns, guess) = match beside_the_row(&name, &arguments) {
        Some((aggregate, column, guess)) => (aggregate, vec![column], guess),
        None => {
            let (function, columns) = function(&name, arguments)?;
            let guess = guess(&function);
            (Aggregate::of(function, columns.iter().map(String::as_str)), columns, guess)
        }
    };
    if distinct {
        aggregate = aggregate.distinct();
    }
    if let Some(alias) = &alias {
        aggregate = aggregate.named(alias);
    }
    Ok((aggregate, columns.into_iter().map(|column| (column, guess.clone())).collect()))
}

/// What compares a row with its window (`--over`), its column, and a type that it can be computed
/// of.
fn beside_the_row(
    name: &str,
    arguments: &[String],
) -> Option<(Aggregate, String, Option<DataType>)> {
    let [column] = arguments else { return None };
    let column = unquoted(column);
    let (aggregate, guess) = match name {
        "own_mean" => (own_mean(&column), Some(DataType::Float64)),
        "own_stddev" => (own_stddev(&column), Some(DataType::Float64)),
        "count_same" => (count_same(&column), None),
        _ => return None,
    };
    Some((aggregate, column, guess))
}

/// A type that the function can be computed of; `None`: any will do.
fn guess(function: &Function) -> Option<DataType> {
    use Function::*;
    match function {
        Any | All => Some(DataType::Boolean),
        BitAnd | BitOr | BitXor => Some(DataType::Int64),
        Sum
        | Avg
        | Variance(_)
        | StdDev(_)
        | Covariance(_)
        | Correlation
        | Quantile(_)
        | ApproxQuantile(_)
        | Histogram { .. }
        | Ewma { .. } => Some(DataType::Float64),
        _ => None,
    }
}

/// Where the bracket that opens at `open` is closed.
fn closing(text: &str, open: usize) -> Option<usize> {
    let (mut depth, mut quote) = (0, None);
    for (at, c) in text[open..].char_indices() {
        match c {
            '"' | '\'' => quote = quote_after(quote, c),
            '(' if quote.is_none() => depth += 1,
            ')' if quote.is_none() => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(open + at);
        }
    }
    None
}

fn unquoted(text: &str) -> String {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or(text).to_owned()
}

/// The function, and the columns among its arguments: the others are parameters.
fn function(name: &str, mut arguments: Vec<String>) -> Result<(Function, Vec<String>)> {
    let wrong = |what: String| Error::usage(format!("{name}(): {what}"));
    let mut parameter = |what: &str| {
        if arguments.len() < 2 {
            return Err(wrong(format!("{what} is missing")));
        }
        Ok(arguments.remove(1))
    };
    let number = |text: String| -> Result<f64> {
        text.parse().map_err(|_| wrong(format!("{text:?} is no number")))
    };
    let whole = |text: String| -> Result<usize> {
        text.parse().map_err(|_| wrong(format!("{text:?} is no whole number")))
    };
    let function = match name {
        "count" => Function::Count,
        "sum" => Function::Sum,
        "avg" | "mean" => Function::Avg,
        "min" => Function::Min,
        "max" => Function::Max,
        "var" | "variance" | "var_samp" => Function::Variance(Spread::Sample),
        "var_pop" => Function::Variance(Spread::Population),
        "stddev" | "stddev_samp" => Function::StdDev(Spread::Sample),
        "stddev_pop" => Function::StdDev(Spread::Population),
        "covar" | "covar_samp" => Function::Covariance(Spread::Sample),
        "covar_pop" => Function::Covariance(Spread::Population),
        "corr" => Function::Correlation,
        "first" => Function::First,
        "last" => Function::Last,
        "argmin" | "arg_min" => Function::ArgMin,
        "argmax" | "arg_max" => Function::ArgMax,
        "median" => Function::Quantile(0.5),
        "approx_median" => Function::ApproxQuantile(0.5),
        "quantile" => Function::Quantile(number(parameter("the quantile")?)?),
        "approx_quantile" => Function::ApproxQuantile(number(parameter("the quantile")?)?),
        "distinct" => Function::Distinct,
        "approx_distinct" => Function::ApproxDistinct,
        "top_k" => Function::TopK(whole(parameter("the number of values")?)?),
        "approx_top_k" => Function::ApproxTopK(whole(parameter("the number of values")?)?),
        "any" => Function::Any,
        "all" => Function::All,
        "bit_and" => Function::BitAnd,
        "bit_or" => Function::BitOr,
        "bit_xor" => Function::BitXor,
        "histogram" => Function::Histogram {
            low: number(parameter("where the first bin starts")?)?,
            high: number(parameter("where the last bin ends")?)?,
            bins: whole(parameter("the number of bins")?)?,
        },
        "ewma" => Function::Ewma { half_life: parameter("the half-life")?.parse()? },
        "list" => Function::List,
        _ => match (percentile(name, "p"), percentile(name, "approx_p")) {
            (Some(q), _) => Function::Quantile(q),
            (_, Some(q)) => Function::ApproxQuantile(q),
            _ => {
                return Err(Error::usage(format!("there is no aggregate {name:?}"))
                    .advise("pelton window --help lists them"));
            }
        },
    };
    Ok((function, arguments.iter().map(|argument| unquoted(argument)).collect()))
}

/// p99, p99.9: as a share of one.
fn percentile(name: &str, prefix: &str) -> Option<f64> {
    let digits = name.strip_prefix(prefix)?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    // The text's hundredth, so that p99.9 is the float nearest to 0.999.
    if plain { format!("{digits}e-2").parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> String {
        format!("{:?}", parse(text).expect("a list").0)
    }

    #[test]
    fn lists_are_read() {
        let (aggregates, columns) =
            parse("count, sum(amount) , max(\"a (b), c\") as top,P99.9(amount)").expect("a list");
        assert_eq!(aggregates.len(), 4);
        let columns: Vec<String> = columns.into_iter().map(|(column, _)| column).collect();
        assert_eq!(columns, ["amount", "a (b), c", "amount"]);
        assert!(names("p99.9(x)").contains("Quantile(0.999)"));
        assert!(names("p50(x)").contains("Quantile(0.5)"));
        assert!(names("count(*)").contains("Count"));
        assert!(names("count(distinct x) as n").contains("distinct: true"));
        assert!(names("ewma(x, 30s)").contains("Ewma"));
        assert!(names("Own_Mean(x) as m").contains("OwnMean"));
        assert!(names("count_same(\"x y\")").contains("column: \"x y\""));
        let (filtered, columns) =
            parse("count filter (where kind = 'a, (b') as n, sum(x) FILTER(y > 1 and (z))")
                .expect("a list");
        assert_eq!((filtered.len(), columns.len()), (2, 4));
        assert!(names("count filter(where a > 1) as n").contains("name: Some(\"n\")"));
        assert!(names("histogram(x,-1.5,2e3,7)").contains("high: 2000.0, bins: 7"));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for (text, says) in [
            ("", "no name"),
            ("count,", "no name"),
            ("sum(x", "a bracket is not closed"),
            ("sum(\"x)", "a quote is not closed"),
            ("total(x)", "there is no aggregate \"total\""),
            ("p(x)", "there is no aggregate \"p\""),
            ("sum(x) top", "expected `as name`"),
            ("sum(x) as ", "expected `as name`"),
            ("quantile(x)", "the quantile is missing"),
            ("quantile(x,much)", "no number"),
            ("top_k(x,1.5)", "no whole number"),
            ("count filter (where a >)", "expected a column or a value, found the end"),
            ("ewma(x,30)", "the unit is missing"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
