//! Arrow values as JSON text, a row at a time, straight into a byte vector.
//!
//! A [`Column`] has looked at its type once and holds plain slices, so writing a value is one
//! match and the digits. What each type becomes:
//!
//! | type | JSON |
//! |---|---|
//! | integers, Boolean | number, `true`/`false` |
//! | floats | shortest text that reads back as the same value; NaN and ±infinity are `null` |
//! | Decimal128 | number with all decimals of its scale (`12.50`) |
//! | Timestamp, Duration, Time | integer in the column's own unit |
//! | Utf8 and its variants, Dictionary | string, or the value's form |
//! | Utf8 with the extension name `arrow.json` | embedded as it is |
//! | Binary | string in base64 |
//! | List, Struct | array, object |
//! | Date and anything else | string as Arrow displays it |

use std::io::Write as _;

use arrow::array::types::{
    Decimal128Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::array::{
    Array, AsArray, BooleanArray, GenericByteArray, OffsetSizeTrait, StringViewArray,
    types::GenericBinaryType, types::GenericStringType,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::error::Result;

/// A column that is ready to be written.
pub(super) struct Column<'a> {
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
}

type Strings<'a, O> = &'a GenericByteArray<GenericStringType<O>>;
type Binaries<'a, O> = &'a GenericByteArray<GenericBinaryType<O>>;

enum Values<'a> {
    Null,
    Bool(&'a BooleanArray),
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    U64(&'a [u64]),
    F32(&'a [f32]),
    F64(&'a [f64]),
    Decimal(&'a [i128], i8),
    Utf8(Strings<'a, i32>),
    LargeUtf8(Strings<'a, i64>),
    Utf8View(&'a StringViewArray),
    Binary(Binaries<'a, i32>),
    LargeBinary(Binaries<'a, i64>),
    Embedded(Box<Values<'a>>),
    Dictionary(Vec<usize>, Box<Column<'a>>),
    /// Where each row's items start and end among the items.
    List(Vec<(usize, usize)>, Box<Column<'a>>),
    Struct(Vec<Column<'a>>, Vec<Vec<u8>>),
    Other(ArrayFormatter<'a>),
}

impl<'a> Column<'a> {
    /// Looks at `array` once; `field` says whether it holds JSON text.
    pub(super) fn new(array: &'a dyn Array, field: &Field) -> Result<Self> {
        let mut values = Values::new(array)?;
        if is_embedded(field) && values.is_text() {
            values = Values::Embedded(Box::new(values));
        }
        Ok(Self { nulls: array.nulls(), values })
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row)) || matches!(self.values, Values::Null)
    }

    /// Appends the value as JSON.
    #[inline]
    pub(super) fn write_json(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
        } else {
            self.values.write_json(row, out);
        }
    }

    /// Appends the value as a CSV field: text bare or quoted as it needs, a null as nothing,
    /// an empty text as `""`, and lists and structs as quoted JSON.
    pub(super) fn write_csv(&self, row: usize, delimiter: u8, out: &mut Vec<u8>) {
        if self.is_null(row) {
            return;
        }
        if let Values::Dictionary(keys, values) = &self.values {
            return values.write_csv(keys[row], delimiter, out);
        }
        if let Some(text) = self.values.text(row) {
            return write_csv_text(text.as_bytes(), delimiter, out);
        }
        match &self.values {
            Values::F32(values) if !values[row].is_finite() => {
                write_csv_text(values[row].to_string().as_bytes(), delimiter, out);
            }
            Values::F64(values) if !values[row].is_finite() => {
                write_csv_text(values[row].to_string().as_bytes(), delimiter, out);
            }
            Values::List(..) | Values::Struct(..) => {
                let mut text = Vec::new();
                self.values.write_json(row, &mut text);
                write_csv_text(&text, delimiter, out);
            }
            Values::Other(formatter) => {
                let text = formatter.value(row).to_string();
                write_csv_text(text.as_bytes(), delimiter, out);
            }
            Values::Binary(_) | Values::LargeBinary(_) => {
                let mut text = Vec::new();
                self.values.write_json(row, &mut text);
                out.extend_from_slice(&text[1..text.len() - 1]);
            }
            values => values.write_json(row, out),
        }
    }
}

/// Whether a field says that its text is JSON already.
pub(super) fn is_embedded(field: &Field) -> bool {
    field.metadata().get("ARROW:extension:name").is_some_and(|name| name == "arrow.json")
}

impl<'a> Values<'a> {
    fn new(array: &'a dyn Array) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Bool(array.as_boolean()),
            DataType::Int8 => Self::I8(array.as_primitive::<Int8Type>().values()),
            DataType::Int16 => Self::I16(array.as_primitive::<Int16Type>().values()),
            DataType::Int32 => Self::I32(array.as_primitive::<Int32Type>().values()),
            DataType::Int64 => Self::I64(array.as_primitive::<Int64Type>().values()),
            DataType::UInt8 => Self::U8(array.as_primitive::<UInt8Type>().values()),
            DataType::UInt16 => Self::U16(array.as_primitive::<UInt16Type>().values()),
            DataType::UInt32 => Self::U32(array.as_primitive::<UInt32Type>().values()),
            DataType::UInt64 => Self::U64(array.as_primitive::<UInt64Type>().values()),
            DataType::Float32 => Self::F32(array.as_primitive::<Float32Type>().values()),
            DataType::Float64 => Self::F64(array.as_primitive::<Float64Type>().values()),
            DataType::Decimal128(_, scale) => {
                Self::Decimal(array.as_primitive::<Decimal128Type>().values(), *scale)
            }
            DataType::Utf8 => Self::Utf8(array.as_string()),
            DataType::LargeUtf8 => Self::LargeUtf8(array.as_string()),
            DataType::Utf8View => Self::Utf8View(array.as_string_view()),
            DataType::Binary => Self::Binary(array.as_binary()),
            DataType::LargeBinary => Self::LargeBinary(array.as_binary()),
            DataType::Timestamp(..)
            | DataType::Duration(_)
            | DataType::Time32(_)
            | DataType::Time64(_) => Self::instants(array)?,
            _ => Self::nested(array)?,
        })
    }

    /// Times are written as the integers that they are.
    fn instants(array: &'a dyn Array) -> Result<Self> {
        use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
        Ok(match array.data_type() {
            DataType::Timestamp(Second, _) => {
                Self::I64(array.as_primitive::<TimestampSecondType>().values())
            }
            DataType::Timestamp(Millisecond, _) => {
                Self::I64(array.as_primitive::<TimestampMillisecondType>().values())
            }
            DataType::Timestamp(Microsecond, _) => {
                Self::I64(array.as_primitive::<TimestampMicrosecondType>().values())
            }
            DataType::Timestamp(Nanosecond, _) => {
                Self::I64(array.as_primitive::<TimestampNanosecondType>().values())
            }
            DataType::Duration(Second) => {
                Self::I64(array.as_primitive::<DurationSecondType>().values())
            }
            DataType::Duration(Millisecond) => {
                Self::I64(array.as_primitive::<DurationMillisecondType>().values())
            }
            DataType::Duration(Microsecond) => {
                Self::I64(array.as_primitive::<DurationMicrosecondType>().values())
            }
            DataType::Duration(Nanosecond) => {
                Self::I64(array.as_primitive::<DurationNanosecondType>().values())
            }
            DataType::Time32(Second) => {
                Self::I32(array.as_primitive::<Time32SecondType>().values())
            }
            DataType::Time32(Millisecond) => {
                Self::I32(array.as_primitive::<Time32MillisecondType>().values())
            }
            DataType::Time64(Microsecond) => {
                Self::I64(array.as_primitive::<Time64MicrosecondType>().values())
            }
            DataType::Time64(Nanosecond) => {
                Self::I64(array.as_primitive::<Time64NanosecondType>().values())
            }
            _ => Self::other(array)?,
        })
    }

    fn nested(array: &'a dyn Array) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Dictionary(_, _) => {
                let dictionary = array.as_any_dictionary();
                let values = dictionary.values().as_ref();
                if values.is_empty() {
                    return Ok(Self::Null);
                }
                let field = Field::new("", values.data_type().clone(), true);
                let column = Column::new(values, &field)?;
                Self::Dictionary(dictionary.normalized_keys(), Box::new(column))
            }
            DataType::List(field) => {
                let list = array.as_list::<i32>();
                Self::list(list.value_offsets(), list.values().as_ref(), field)?
            }
            DataType::LargeList(field) => {
                let list = array.as_list::<i64>();
                Self::list(list.value_offsets(), list.values().as_ref(), field)?
            }
            DataType::FixedSizeList(field, size) => {
                let size = *size as usize;
                let items = array.as_fixed_size_list().values().as_ref();
                let ranges = (0..array.len()).map(|row| (row * size, (row + 1) * size)).collect();
                Self::List(ranges, Box::new(Column::new(items, field)?))
            }
            DataType::Struct(fields) => {
                let columns = array.as_struct().columns().iter().zip(fields);
                let columns = columns.map(|(column, field)| Column::new(column.as_ref(), field));
                Self::Struct(
                    columns.collect::<Result<_>>()?,
                    prefixes(fields.iter().map(|field| field.name().as_str())),
                )
            }
            _ => Self::other(array)?,
        })
    }

    fn list<O: OffsetSizeTrait>(
        offsets: &[O],
        items: &'a dyn Array,
        field: &Field,
    ) -> Result<Self> {
        let ranges = offsets.windows(2).map(|pair| (pair[0].as_usize(), pair[1].as_usize()));
        Ok(Self::List(ranges.collect(), Box::new(Column::new(items, field)?)))
    }

    fn other(array: &'a dyn Array) -> Result<Self> {
        // No option refers to anything that could go: they may live for ever.
        static OPTIONS: FormatOptions<'static> = FormatOptions::new();
        Ok(Self::Other(ArrayFormatter::try_new(array, &OPTIONS)?))
    }

    /// Whether this is a column of text.
    fn is_text(&self) -> bool {
        matches!(self, Self::Utf8(_) | Self::LargeUtf8(_) | Self::Utf8View(_))
    }

    #[inline]
    fn text(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Utf8(values) => Some(values.value(row)),
            Self::LargeUtf8(values) => Some(values.value(row)),
            Self::Utf8View(values) => Some(values.value(row)),
            Self::Embedded(values) => values.text(row),
            _ => None,
        }
    }

    fn write_json(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(values) => {
                out.extend_from_slice(if values.value(row) { b"true" } else { b"false" });
            }
            Self::I8(values) => write_integer(values[row], out),
            Self::I16(values) => write_integer(values[row], out),
            Self::I32(values) => write_integer(values[row], out),
            Self::I64(values) => write_integer(values[row], out),
            Self::U8(values) => write_integer(values[row], out),
            Self::U16(values) => write_integer(values[row], out),
            Self::U32(values) => write_integer(values[row], out),
            Self::U64(values) => write_integer(values[row], out),
            Self::F32(values) => write_float(values[row], values[row].is_finite(), out),
            Self::F64(values) => write_f64(values[row], out),
            Self::Decimal(values, scale) => write_decimal(values[row], *scale, out),
            Self::Utf8(values) => write_string(values.value(row), out),
            Self::LargeUtf8(values) => write_string(values.value(row), out),
            Self::Utf8View(values) => write_string(values.value(row), out),
            Self::Binary(values) => write_base64(values.value(row), out),
            Self::LargeBinary(values) => write_base64(values.value(row), out),
            Self::Embedded(values) => write_embedded(values.text(row).unwrap_or_default(), out),
            Self::Dictionary(keys, values) => values.write_json(keys[row], out),
            Self::List(ranges, items) => {
                let (start, end) = ranges[row];
                out.push(b'[');
                for item in start..end {
                    if item > start {
                        out.push(b',');
                    }
                    items.write_json(item, out);
                }
                out.push(b']');
            }
            Self::Struct(columns, prefixes) => write_object(columns, prefixes, row, out),
            Self::Other(formatter) => write_string(&formatter.value(row).to_string(), out),
        }
    }
}

/// What stands before each value of an object: `{"first":`, `,"second":`, …
pub(super) fn prefixes<'n>(names: impl Iterator<Item = &'n str>) -> Vec<Vec<u8>> {
    names
        .enumerate()
        .map(|(index, name)| {
            let mut prefix = vec![if index == 0 { b'{' } else { b',' }];
            write_string(name, &mut prefix);
            prefix.push(b':');
            prefix
        })
        .collect()
}

/// Appends row `row` of `columns` as an object.
#[inline]
pub(super) fn write_object(
    columns: &[Column<'_>],
    prefixes: &[Vec<u8>],
    row: usize,
    out: &mut Vec<u8>,
) {
    if columns.is_empty() {
        out.push(b'{');
    }
    for (column, prefix) in columns.iter().zip(prefixes) {
        out.extend_from_slice(prefix);
        column.write_json(row, out);
    }
    out.push(b'}');
}

#[inline]
fn write_integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[inline]
fn write_float(value: impl ryu::Float, finite: bool, out: &mut Vec<u8>) {
    if finite {
        out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
    } else {
        out.extend_from_slice(b"null");
    }
}

/// Most decimals of a number that need no search for the shortest text.
const SHORT_DECIMALS: u8 = 6;

/// Appends a float in shortest form.
///
/// Measured values mostly have few decimals. If n / 10^6 with a whole n below 10^15 gives the
/// very float, then n without its trailing zeros is the shortest text: two decimals of at most
/// 15 digits never share a float, so none that is shorter stands for it. One division decides
/// this, for a third of the cost of the general search (Ryū), which takes the other values.
pub(super) fn write_f64(value: f64, out: &mut Vec<u8>) {
    const SCALE: f64 = 1e6;
    let scaled = value.abs() * SCALE + 0.5;
    // From 10^-5 on no exponent is written.
    if (10.5..1e15).contains(&scaled) {
        let mut digits = scaled as u64;
        if digits as f64 / SCALE == value.abs() {
            let mut decimals = SHORT_DECIMALS;
            while decimals > 1 && digits.is_multiple_of(10) {
                digits /= 10;
                decimals -= 1;
            }
            let digits = i128::from(digits);
            let signed = if value < 0.0 { -digits } else { digits };
            return write_decimal(signed, decimals as i8, out);
        }
    }
    write_float(value, value.is_finite(), out);
}

/// `value` × 10^−`scale` with all its decimals.
pub(super) fn write_decimal(value: i128, scale: i8, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let magnitude = value.unsigned_abs();
    let (mut short, mut long) = (itoa::Buffer::new(), itoa::Buffer::new());
    let digits = match u64::try_from(magnitude) {
        Ok(magnitude) => short.format(magnitude),
        Err(_) => long.format(magnitude),
    };
    let decimals = usize::from(scale.max(0).unsigned_abs());
    if decimals == 0 {
        out.extend_from_slice(digits.as_bytes());
        let zeros = if value == 0 { 0 } else { scale.unsigned_abs() };
        out.extend((0..zeros).map(|_| b'0'));
    } else if digits.len() > decimals {
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        out.extend_from_slice(whole.as_bytes());
        out.push(b'.');
        out.extend_from_slice(fraction.as_bytes());
    } else {
        out.extend_from_slice(b"0.");
        out.extend((digits.len()..decimals).map(|_| b'0'));
        out.extend_from_slice(digits.as_bytes());
    }
}

/// For each byte: 0 if it stands for itself in a string, `u` for `\u00XX`, otherwise the letter
/// behind the backslash.
static ESCAPES: [u8; 256] = {
    let mut escapes = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        escapes[byte] = b'u';
        byte += 1;
    }
    escapes[0x08] = b'b';
    escapes[0x09] = b't';
    escapes[0x0a] = b'n';
    escapes[0x0c] = b'f';
    escapes[0x0d] = b'r';
    escapes[b'"' as usize] = b'"';
    escapes[b'\\' as usize] = b'\\';
    escapes
};

/// Appends `text` as a JSON string.
#[inline]
pub(super) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let escape = ESCAPES[usize::from(byte)];
        if escape == 0 {
            continue;
        }
        out.extend_from_slice(&bytes[copied..at]);
        copied = at + 1;
        if escape == b'u' {
            // Writing to a vector cannot fail.
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.extend_from_slice(&[b'\\', escape]);
        }
    }
    out.extend_from_slice(&bytes[copied..]);
    out.push(b'"');
}

fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(BASE64_STANDARD.encode(bytes).as_bytes());
    out.push(b'"');
}

/// Line ends within JSON text can only stand between its tokens, where a blank does as well.
fn write_embedded(text: &str, out: &mut Vec<u8>) {
    if text.is_empty() {
        out.extend_from_slice(b"null");
    } else if memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_none() {
        out.extend_from_slice(text.as_bytes());
    } else {
        out.extend(
            text.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }),
        );
    }
}

/// Appends a field as RFC 4180 wants it; an empty text is quoted, so that it is no null.
pub(super) fn write_csv_text(text: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    let special = |byte: &u8| matches!(byte, b'"' | b'\n' | b'\r') || *byte == delimiter;
    if !text.is_empty() && !text.iter().any(special) {
        return out.extend_from_slice(text);
    }
    out.push(b'"');
    for &byte in text {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}
