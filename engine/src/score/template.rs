//! Sentences with values in them: `{distance_km:.1} km apart within {since_last_s} s`.
//!
//! `{name}` is the value of a column: integers and decimals with all digits, floats in the
//! shortest form that reads back to the same bits, times as integers in their unit, null as
//! `unknown`. `{name:.N}` gives a number N digits behind the point. `{{` and `}}` are braces.

use std::borrow::Cow;
use std::fmt::Write as _;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type, Schema, UInt64Type};

use crate::error::{Error, Result};
use crate::expr::{column_index, write_decimal};

/// What null reads as.
const UNKNOWN: &str = "unknown";

/// A parsed sentence.
#[derive(Debug, Clone)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Column { name: String, decimals: Option<usize> },
}

/// A sentence whose columns have been found.
#[derive(Debug)]
pub(super) struct BoundTemplate {
    parts: Vec<BoundPart>,
}

#[derive(Debug)]
enum BoundPart {
    Text(String),
    Column { index: usize, decimals: Option<usize> },
}

impl Template {
    /// A sentence without columns.
    pub(super) fn plain(text: String) -> Self {
        Self { parts: vec![Part::Text(text)] }
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Error::usage(format!("{what} in the sentence `{text}`"))
                .advise("columns stand as {name} or {name:.1}, braces themselves as {{ and }}")
        };
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..at + 1];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            if brace == "}" {
                return Err(wrong("a } without its {"));
            }
            let end = rest.find('}').ok_or_else(|| wrong("a { without its }"))?;
            let (name, decimals) = parse_column(&rest[..end]).ok_or_else(|| {
                wrong(&format!("`{{{}}}` is no column or has no number of digits", &rest[..end]))
            })?;
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Column { name, decimals });
            rest = &rest[end + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { parts })
    }

    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Column { name, .. } => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    pub(super) fn bind(&self, schema: &Schema) -> Result<BoundTemplate> {
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            parts.push(match part {
                Part::Text(text) => BoundPart::Text(text.clone()),
                Part::Column { name, decimals } => {
                    let index = column_index(schema, name)?;
                    let data_type = schema.field(index).data_type();
                    if !is_renderable(data_type) {
                        let what = format!("column `{name}` ({data_type}) has no place in a text");
                        return Err(Error::usage(what));
                    }
                    BoundPart::Column { index, decimals: *decimals }
                }
            });
        }
        Ok(BoundTemplate { parts })
    }
}

/// Digits behind the point that a sentence may ask for.
const DECIMALS_MAX: usize = 30;

fn parse_column(inside: &str) -> Option<(String, Option<usize>)> {
    let (name, decimals) = match inside.split_once(":.") {
        Some((name, digits)) => {
            let digits = digits.parse::<usize>().ok().filter(|digits| *digits <= DECIMALS_MAX)?;
            (name, Some(digits))
        }
        None => (inside, None),
    };
    let name = name.trim();
    (!name.is_empty()).then(|| (name.to_owned(), decimals))
}

/// Whether a text can show values of the type.
pub(super) fn is_renderable(data_type: &DataType) -> bool {
    use DataType::{Binary, BinaryView, FixedSizeBinary, Interval, LargeBinary};
    let opaque =
        matches!(data_type, Binary | BinaryView | LargeBinary | FixedSizeBinary(_) | Interval(_));
    !data_type.is_nested() && !opaque
}

impl BoundTemplate {
    /// Adds the sentence for one row.
    pub(super) fn render(&self, batch: &RecordBatch, row: usize, text: &mut String) -> Result<()> {
        for part in &self.parts {
            match part {
                BoundPart::Text(plain) => text.push_str(plain),
                BoundPart::Column { index, decimals } => {
                    Cell::of(batch.column(*index), row)?.write(text, *decimals);
                }
            }
        }
        Ok(())
    }
}

/// One value of a column, as texts and JSON show it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    Decimal(i128, i8),
    Text(Cow<'a, str>),
}

impl<'a> Cell<'a> {
    pub(super) fn of(array: &'a ArrayRef, row: usize) -> Result<Self> {
        // A dictionary's null may be one of its values: the cast knows.
        if array.is_null(row) {
            return Ok(Self::Null);
        }
        Ok(match array.data_type() {
            DataType::Boolean => Self::Bool(array.as_boolean().value(row)),
            DataType::UInt64 => Self::UInt(array.as_primitive::<UInt64Type>().value(row)),
            DataType::Float64 => Self::Float(array.as_primitive::<Float64Type>().value(row)),
            DataType::Decimal128(_, scale) => {
                Self::Decimal(array.as_primitive::<Decimal128Type>().value(row), *scale)
            }
            DataType::Utf8 => Self::Text(array.as_string::<i32>().value(row).into()),
            DataType::Int64 => Self::Int(array.as_primitive::<Int64Type>().value(row)),
            _ => return Self::cast(&array.slice(row, 1)),
        })
    }

    /// The value of a column of one row that has none of the types above.
    fn cast(one: &ArrayRef) -> Result<Self> {
        let data_type = one.data_type();
        let simple = if data_type.is_integer() || data_type.is_temporal() {
            DataType::Int64
        } else if data_type.is_floating() {
            DataType::Float64
        } else {
            DataType::Utf8
        };
        let one = cast_simple(one, &simple)?;
        // The types are dealt with above: this goes one step deep.
        Ok(match Cell::of(&one, 0)? {
            Cell::Text(text) => Self::Text(text.into_owned().into()),
            Cell::Int(value) => Self::Int(value),
            Cell::Float(value) => Self::Float(value),
            _ => Self::Null,
        })
    }

    fn write(&self, text: &mut String, decimals: Option<usize>) {
        // Writing to a string cannot fail.
        let _ = match (self, decimals) {
            (Self::Null, _) => text.write_str(UNKNOWN),
            (Self::Bool(value), _) => write!(text, "{value}"),
            (Self::Int(value), None) => text.write_str(itoa::Buffer::new().format(*value)),
            (Self::UInt(value), None) => text.write_str(itoa::Buffer::new().format(*value)),
            (Self::Int(value), Some(places)) => write_places(text, i128::from(*value), 0, places),
            (Self::UInt(value), Some(places)) => write_places(text, i128::from(*value), 0, places),
            (Self::Float(value), Some(places)) => write!(text, "{value:.places$}"),
            (Self::Float(value), None) => write_float(text, *value),
            (Self::Decimal(unscaled, scale), None) => write_decimal(text, *unscaled, *scale),
            (Self::Decimal(unscaled, scale), Some(places)) => {
                write_places(text, *unscaled, *scale, places)
            }
            (Self::Text(value), _) => text.write_str(value),
        };
    }
}

/// The shortest digits that read back to the same float, with an exponent only where there would
/// be many zeros.
fn write_float(text: &mut String, value: f64) -> std::fmt::Result {
    let plain = value == 0.0 || (1e-5..1e16).contains(&value.abs()) || !value.is_finite();
    if plain { write!(text, "{value}") } else { write!(text, "{value:e}") }
}

/// `unscaled / 10^scale` with exactly `places` digits behind the point, halves away from 0.
fn write_places(text: &mut String, unscaled: i128, scale: i8, places: usize) -> std::fmt::Result {
    let target = places as i8;
    let more = target.saturating_sub(scale);
    let power = 10_i128.checked_pow(u32::from(more.unsigned_abs()));
    let rounded = match power {
        Some(power) if more >= 0 => unscaled.checked_mul(power),
        Some(power) => {
            let half = power / 2 * unscaled.signum();
            unscaled.checked_add(half).map(|sum| sum / power)
        }
        None => None,
    };
    match rounded {
        Some(rounded) => write_decimal(text, rounded, target),
        // Too many digits to scale: all that there are.
        None => write_decimal(text, unscaled, scale),
    }
}

fn cast_simple(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let cast = cast(array, to)?;
    if cast.data_type() == to { Ok(cast) } else { Err(Error::run(format!("no cast to {to}"))) }
}

/// Adds a JSON string.
pub(super) fn write_json_text(json: &mut String, text: &str) {
    // Nearly all text stands in JSON as it is.
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        json.push('"');
        json.push_str(text);
        json.push('"');
        return;
    }
    // A string has no part that JSON cannot hold.
    json.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Adds a JSON number in the shortest form that reads back to the same float. JSON has no word
/// for NaN and infinities: they become null.
pub(super) fn write_json_float(json: &mut String, value: f64) {
    if value.is_finite() {
        json.push_str(ryu::Buffer::new().format_finite(value));
    } else {
        json.push_str("null");
    }
}

impl Cell<'_> {
    /// Adds the value as JSON; a decimal is a number with all its digits.
    pub(super) fn write_json(&self, json: &mut String) {
        match self {
            Self::Null => json.push_str("null"),
            Self::Float(value) => write_json_float(json, *value),
            Self::Text(value) => write_json_text(json, value),
            number => number.write(json, None),
        }
    }
}
