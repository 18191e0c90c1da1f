//! One column under construction: the fields of many records at once, by a kernel where they
//! are plain, one by one where they are not.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array,
    Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    TimestampSecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field as SchemaField, Int32Type, TimeUnit as ArrowTimeUnit};
use pelton_kernels::simd::Level;
use pelton_kernels::text_parse::{
    self as parse, DecimalError, DecimalPlan, Spans, TimeUnit, parse_decimal_column,
    parse_f64_column, parse_i64_column,
};

use super::dictionary::{self, Dictionary};
use super::{Dialect, Field};
use crate::error::Result;

/// A column to make.
#[derive(Debug, Clone)]
pub(crate) struct ColumnPlan {
    /// Its name in the input and in the batches.
    pub name: String,
    /// Its place in the input: of several wrong fields of a row the first is blamed.
    pub index: usize,
    /// Its type.
    pub data_type: DataType,
    /// Whether the type was inferred.
    pub inferred: bool,
}

impl ColumnPlan {
    fn bad(&self, column: usize, row: usize, reason: String) -> BadField {
        BadField { row, index: self.index, column, reason }
    }

    /// The column's field in the schema.
    pub fn field(&self) -> SchemaField {
        SchemaField::new(&self.name, self.data_type.clone(), true)
    }
}

/// A field that could not be used.
#[derive(Debug)]
pub(super) struct BadField {
    /// Row of the batch under construction.
    pub row: usize,
    /// [`ColumnPlan::index`] of its column.
    pub index: usize,
    /// Index of its column among the columns read.
    pub column: usize,
    /// Why.
    pub reason: String,
}

/// The values so far. Integers of all widths and times are kept in 64 bits and narrowed at the
/// end: the kernels have one width, and the copy is small beside parsing.
// One a column and batch, never in an array: boxing the larger variants would gain nothing.
#[expect(clippy::large_enum_variant)]
enum Values {
    Int(Vec<i64>),
    Decimal(DecimalPlan, Vec<i128>),
    Float64(Vec<f64>),
    Float32(Vec<f32>),
    Boolean(Vec<bool>),
    Text { ends: Vec<i32>, bytes: Vec<u8> },
    Dictionary { values: Box<Dictionary>, codes: Vec<i32> },
}

/// A column under construction.
pub(super) struct Column {
    plan: ColumnPlan,
    place: usize,
    values: Values,
    nulls: Vec<u32>,
    exceptions: Vec<u32>,
    scratch: Vec<u8>,
}

impl Column {
    /// An empty column, the `place`-th of its batch.
    pub fn new(plan: ColumnPlan, place: usize) -> Self {
        let values = match &plan.data_type {
            DataType::Decimal128(precision, scale) => {
                Values::Decimal(DecimalPlan::new(*precision, *scale), vec![])
            }
            DataType::Float64 => Values::Float64(vec![]),
            DataType::Float32 => Values::Float32(vec![]),
            DataType::Boolean => Values::Boolean(vec![]),
            DataType::Utf8 => Values::Text { ends: vec![0], bytes: vec![] },
            DataType::Dictionary(..) => {
                Values::Dictionary { values: Box::new(Dictionary::new()), codes: vec![] }
            }
            _ => Values::Int(vec![]),
        };
        Self { plan, place, values, nulls: vec![], exceptions: vec![], scratch: vec![] }
    }

    /// What the column is to become.
    pub fn plan(&self) -> &ColumnPlan {
        &self.plan
    }

    /// Appends the fields at `spans` as rows `row` and on. `rows_hint` is the number of rows
    /// that the batch may get in all.
    pub fn append<S: Spans, D: Dialect>(
        &mut self,
        level: Level,
        text: &[u8],
        spans: &S,
        dialect: &D,
        (row, rows_hint): (usize, usize),
        bad: &mut Vec<BadField>,
    ) {
        let n = spans.len();
        self.exceptions.clear();
        let exceptions = &mut self.exceptions;
        match &mut self.values {
            Values::Text { .. } => return self.append_text(text, spans, dialect, row, bad),
            Values::Dictionary { codes, .. } => {
                grow(codes, n, rows_hint);
                return self.append_codes(text, spans, dialect, row, bad);
            }
            Values::Int(out) => {
                let out = grow(out, n, rows_hint);
                parse_i64_column(level, text, spans, out, exceptions);
                beyond_bounds(&self.plan.data_type, out, exceptions);
            }
            Values::Decimal(plan, out) => {
                let out = grow(out, n, rows_hint);
                parse_decimal_column(level, text, spans, plan, out, exceptions);
            }
            Values::Float64(out) => {
                let out = grow(out, n, rows_hint);
                parse_f64_column(level, text, spans, out, exceptions);
            }
            Values::Float32(out) => {
                grow(out, n, rows_hint);
                exceptions.extend(0..n as u32);
            }
            Values::Boolean(out) => {
                grow(out, n, rows_hint);
                exceptions.extend(0..n as u32);
            }
        }
        if !dialect.numbers_are_plain() {
            exceptions.clear();
            exceptions.extend(0..n as u32);
        }
        self.read_exceptions(text, spans, dialect, row, bad);
    }

    /// Texts: copied; checked at once where all of them are ASCII, else one by one.
    fn append_text<S: Spans, D: Dialect>(
        &mut self,
        text: &[u8],
        spans: &S,
        dialect: &D,
        row: usize,
        bad: &mut Vec<BadField>,
    ) {
        let Values::Text { ends, bytes } = &mut self.values else { return };
        let (from, known_ends, known_nulls) = (bytes.len(), ends.len(), self.nulls.len());
        for checked in [false, true] {
            for i in 0..spans.len() {
                let (start, end) = spans.span(i);
                let mut reason = None;
                match dialect.read(&text[start..end], &mut self.scratch) {
                    Field::Null => self.nulls.push((row + i) as u32),
                    Field::Text(value) | Field::Nested(value) => {
                        if checked && std::str::from_utf8(value).is_err() {
                            reason = Some(NOT_UTF8);
                        } else {
                            bytes.extend_from_slice(value);
                        }
                    }
                    Field::Wrong(why) => reason = checked.then_some(why),
                }
                ends.push(bytes.len() as i32);
                if let Some(reason) = reason {
                    bad.push(self.plan.bad(self.place, row + i, reason.to_owned()));
                }
            }
            if bytes[from..].is_ascii() && !checked && !dialect.texts_can_be_wrong() {
                return;
            }
            if !checked {
                bytes.truncate(from);
                ends.truncate(known_ends);
                self.nulls.truncate(known_nulls);
            }
        }
    }

    /// Codes of texts: recalled by their bytes, else looked up by their value.
    fn append_codes<S: Spans, D: Dialect>(
        &mut self,
        text: &[u8],
        spans: &S,
        dialect: &D,
        row: usize,
        bad: &mut Vec<BadField>,
    ) {
        let Values::Dictionary { values, codes } = &mut self.values else { return };
        for (i, slot) in codes[row..].iter_mut().enumerate() {
            let (start, end) = spans.span(i);
            let word = Dictionary::pack(text, start, end);
            let code = match word.and_then(|word| values.recall(word)) {
                Some(code) => code,
                None => {
                    let code = match dialect.read(&text[start..end], &mut self.scratch) {
                        Field::Null => Ok(dictionary::NULL),
                        Field::Text(value) | Field::Nested(value) => {
                            std::str::from_utf8(value).map(|v| values.code(v)).map_err(|_| NOT_UTF8)
                        }
                        Field::Wrong(why) => Err(why),
                    };
                    match (code, word) {
                        (Ok(code), Some(word)) => values.remember(word, code),
                        (Ok(_), None) => {}
                        (Err(why), _) => {
                            bad.push(self.plan.bad(self.place, row + i, why.to_owned()));
                        }
                    }
                    code.unwrap_or(dictionary::NULL)
                }
            };
            if code == dictionary::NULL {
                self.nulls.push((row + i) as u32);
            } else {
                *slot = code as i32;
            }
        }
    }

    /// Reads the fields that the kernel left out.
    fn read_exceptions<S: Spans, D: Dialect>(
        &mut self,
        text: &[u8],
        spans: &S,
        dialect: &D,
        row: usize,
        bad: &mut Vec<BadField>,
    ) {
        let exceptions = std::mem::take(&mut self.exceptions);
        let mut scratch = std::mem::take(&mut self.scratch);
        for i in &exceptions {
            let i = *i as usize;
            let (start, end) = spans.span(i);
            let outcome = match dialect.read(&text[start..end], &mut scratch) {
                Field::Null | Field::Text([]) => Ok(false),
                Field::Text(value) => self.set(row + i, value).map(|()| true),
                Field::Nested(_) => Err(format!("an object or array is no {}", self.type_name())),
                Field::Wrong(why) => Err(why.to_owned()),
            };
            match outcome {
                Ok(true) => {}
                Ok(false) => {
                    self.clear(row + i);
                    self.nulls.push((row + i) as u32);
                }
                Err(reason) => {
                    self.clear(row + i);
                    bad.push(self.plan.bad(self.place, row + i, reason));
                }
            }
        }
        self.exceptions = exceptions;
        self.scratch = scratch;
    }

    /// Sets a row's value from its text.
    fn set(&mut self, row: usize, text: &[u8]) -> Result<(), String> {
        let not = |column: &Self| Err(column.refuse(text));
        match &mut self.values {
            Values::Int(out) => match integer(&self.plan.data_type, text) {
                Some(value) => out[row] = value,
                None => return not(self),
            },
            Values::Decimal(plan, out) => {
                match parse::parse_decimal(text, plan.precision(), plan.scale()) {
                    Ok(value) => out[row] = value,
                    Err(DecimalError::NotANumber) => return not(self),
                    Err(DecimalError::TooPrecise) => {
                        let scale = plan.scale();
                        let shown = show(text);
                        return Err(format!(
                            "{shown} has more than {scale} digits after the point"
                        ));
                    }
                    Err(DecimalError::TooLarge) => {
                        return Err(format!(
                            "{} has too many digits for {}",
                            show(text),
                            self.type_name()
                        ));
                    }
                }
            }
            Values::Float64(out) => match parse::parse_f64(text) {
                Some(value) => out[row] = value,
                None => return not(self),
            },
            Values::Float32(out) => match parse::parse_f32(text) {
                Some(value) => out[row] = value,
                None => return not(self),
            },
            Values::Boolean(out) => match parse::parse_bool(text) {
                Some(value) => out[row] = value,
                None => return not(self),
            },
            Values::Text { .. } | Values::Dictionary { .. } => {}
        }
        Ok(())
    }

    /// Makes a row's slot the default, so that what lies under a null never depends on the path.
    fn clear(&mut self, row: usize) {
        match &mut self.values {
            Values::Int(out) => out[row] = 0,
            Values::Decimal(_, out) => out[row] = 0,
            Values::Float64(out) => out[row] = 0.0,
            Values::Float32(out) => out[row] = 0.0,
            Values::Boolean(out) => out[row] = false,
            Values::Text { .. } | Values::Dictionary { .. } => {}
        }
    }

    fn refuse(&self, text: &[u8]) -> String {
        let article = if self.type_name().starts_with('i') { "an" } else { "a" };
        let inferred =
            if self.plan.inferred { ", the type inferred from the first rows" } else { "" };
        format!("{} is not {article} {}{inferred}", show(text), self.type_name())
    }

    fn type_name(&self) -> String {
        match &self.plan.data_type {
            DataType::Decimal128(precision, scale) => format!("decimal({precision}, {scale})"),
            DataType::Timestamp(unit, _) => match unit {
                ArrowTimeUnit::Second => "time (ISO 8601 or integer seconds)".to_owned(),
                ArrowTimeUnit::Millisecond => "time (ISO 8601 or integer milliseconds)".to_owned(),
                ArrowTimeUnit::Microsecond => "time (ISO 8601 or integer microseconds)".to_owned(),
                ArrowTimeUnit::Nanosecond => "time (ISO 8601 or integer nanoseconds)".to_owned(),
            },
            DataType::Date32 => "date (YYYY-MM-DD)".to_owned(),
            DataType::Boolean => "boolean".to_owned(),
            DataType::Utf8 | DataType::Dictionary(..) => "text".to_owned(),
            other => other.to_string().to_lowercase(),
        }
    }

    /// Gives the `rows` rows out as an array and starts anew.
    pub fn finish(&mut self, rows: usize) -> Result<ArrayRef> {
        let nulls = self.take_nulls(rows);
        Ok(match &mut self.values {
            Values::Int(out) => integers(&self.plan.data_type, std::mem::take(out), nulls),
            Values::Decimal(plan, out) => {
                let array = Decimal128Array::new(std::mem::take(out).into(), nulls);
                Arc::new(array.with_precision_and_scale(plan.precision(), plan.scale())?)
            }
            Values::Float64(out) => Arc::new(Float64Array::new(std::mem::take(out).into(), nulls)),
            Values::Float32(out) => Arc::new(Float32Array::new(std::mem::take(out).into(), nulls)),
            Values::Boolean(out) => Arc::new(BooleanArray::new(std::mem::take(out).into(), nulls)),
            Values::Text { ends, bytes } => {
                let ends = std::mem::replace(ends, vec![0]);
                let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
                let bytes = Buffer::from_vec(std::mem::take(bytes));
                Arc::new(StringArray::try_new(offsets, bytes, nulls)?)
            }
            Values::Dictionary { values, codes } => {
                let keys = Int32Array::new(std::mem::take(codes).into(), nulls);
                let array = DictionaryArray::<Int32Type>::try_new(keys, values.values())?;
                values.bound();
                Arc::new(array)
            }
        })
    }

    fn take_nulls(&mut self, rows: usize) -> Option<NullBuffer> {
        if self.nulls.is_empty() {
            return None;
        }
        let mut valid = vec![true; rows];
        for row in self.nulls.drain(..) {
            valid[row as usize] = false;
        }
        Some(NullBuffer::from(valid))
    }
}

const NOT_UTF8: &str = "not valid UTF-8";

/// Makes room for `n` more values and gives it out, zeroed.
fn grow<T: Default + Clone>(out: &mut Vec<T>, n: usize, rows_hint: usize) -> &mut [T] {
    let known = out.len();
    if out.capacity() == 0 {
        out.reserve(rows_hint.max(n));
    }
    out.resize(known + n, T::default());
    &mut out[known..]
}

/// Makes exceptions of the values that the type does not hold: seldom any.
fn beyond_bounds(data_type: &DataType, out: &[i64], exceptions: &mut Vec<u32>) {
    let Some((least, most)) = bounds(data_type) else { return };
    let outside = |value: &i64| *value < least || *value > most;
    if out.iter().any(outside) {
        exceptions.extend((0..out.len() as u32).filter(|i| outside(&out[*i as usize])));
        exceptions.sort_unstable();
    }
}

/// Least and largest value of an integer type; `None` where all of 64 bits are good.
fn bounds(data_type: &DataType) -> Option<(i64, i64)> {
    Some(match data_type {
        DataType::Int8 => (i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => (i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 | DataType::Date32 => (i32::MIN.into(), i32::MAX.into()),
        DataType::UInt8 => (0, u8::MAX.into()),
        DataType::UInt16 => (0, u16::MAX.into()),
        DataType::UInt32 => (0, u32::MAX.into()),
        DataType::UInt64 => (0, i64::MAX),
        _ => return None,
    })
}

/// What an integer-like type makes of a text. A `UInt64` keeps its bits.
fn integer(data_type: &DataType, text: &[u8]) -> Option<i64> {
    match data_type {
        DataType::UInt64 => parse::parse_u64(text).map(|value| value as i64),
        DataType::Date32 => parse::parse_date(text).map(i64::from),
        DataType::Timestamp(unit, _) => parse::parse_timestamp(text, time_unit(*unit)),
        _ => {
            let (least, most) = bounds(data_type).unwrap_or((i64::MIN, i64::MAX));
            parse::parse_i64(text).filter(|value| (least..=most).contains(value))
        }
    }
}

fn time_unit(unit: ArrowTimeUnit) -> TimeUnit {
    match unit {
        ArrowTimeUnit::Second => TimeUnit::Second,
        ArrowTimeUnit::Millisecond => TimeUnit::Millisecond,
        ArrowTimeUnit::Microsecond => TimeUnit::Microsecond,
        ArrowTimeUnit::Nanosecond => TimeUnit::Nanosecond,
    }
}

/// Integers of 64 bits as an array of an integer-like type that holds them.
fn integers(data_type: &DataType, values: Vec<i64>, nulls: Option<NullBuffer>) -> ArrayRef {
    macro_rules! narrow {
        ($array:ident, $native:ty) => {{
            let narrow: Vec<$native> = values.iter().map(|value| *value as $native).collect();
            Arc::new($array::new(narrow.into(), nulls))
        }};
    }
    macro_rules! time {
        ($array:ident, $zone:expr) => {
            Arc::new($array::new(values.into(), nulls).with_timezone_opt($zone.clone()))
        };
    }
    match data_type {
        DataType::Int8 => narrow!(Int8Array, i8),
        DataType::Int16 => narrow!(Int16Array, i16),
        DataType::Int32 => narrow!(Int32Array, i32),
        DataType::Date32 => narrow!(Date32Array, i32),
        DataType::UInt8 => narrow!(UInt8Array, u8),
        DataType::UInt16 => narrow!(UInt16Array, u16),
        DataType::UInt32 => narrow!(UInt32Array, u32),
        DataType::UInt64 => narrow!(UInt64Array, u64),
        DataType::Timestamp(ArrowTimeUnit::Second, zone) => time!(TimestampSecondArray, zone),
        DataType::Timestamp(ArrowTimeUnit::Millisecond, zone) => {
            time!(TimestampMillisecondArray, zone)
        }
        DataType::Timestamp(ArrowTimeUnit::Microsecond, zone) => {
            time!(TimestampMicrosecondArray, zone)
        }
        DataType::Timestamp(ArrowTimeUnit::Nanosecond, zone) => {
            time!(TimestampNanosecondArray, zone)
        }
        _ => Arc::new(Int64Array::new(values.into(), nulls)),
    }
}

/// A value as it appears in a reason: its first bytes, in quotes.
pub(super) fn show(text: &[u8]) -> String {
    const SHOWN: usize = 40;
    let cut = &text[..text.len().min(SHOWN)];
    let dots = if text.len() > SHOWN { "…" } else { "" };
    format!("{:?}{dots}", String::from_utf8_lossy(cut))
}
