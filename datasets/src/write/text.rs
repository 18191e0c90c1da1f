//! Payments as CSV and as NDJSON.
//!
//! Numbers are written digit by digit from integers: cents with two places, degrees with five
//! (they are multiples of 10⁻⁵, so the text holds exactly the same number). No value needs
//! quotes or escapes.

use std::io::{self, Write};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{
    Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};

const HEADER: &[u8] = b"ts,card,terminal,amount,country,lat,lon,is_fraud,fraud_kind\n";
/// Longest line, roughly; only to reserve memory.
const LINE_BYTES: usize = 192;

/// Writes batches of payments as text.
#[derive(Debug)]
pub(crate) struct Text<W> {
    csv: bool,
    output: W,
    buffer: Vec<u8>,
}

impl<W: Write> Text<W> {
    /// CSV, or NDJSON.
    pub(crate) fn new(csv: bool, output: W) -> Self {
        let buffer = if csv { HEADER.to_vec() } else { Vec::new() };
        Self { csv, output, buffer }
    }

    /// Writes one batch of the payments' schema.
    pub(crate) fn write_batch(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let columns = Columns::of(batch);
        self.buffer.reserve(batch.num_rows() * LINE_BYTES);
        for row in 0..batch.num_rows() {
            if self.csv {
                columns.csv_line(row, &mut self.buffer);
            } else {
                columns.json_line(row, &mut self.buffer);
            }
        }
        self.output.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// The output, with everything written to it.
    pub(crate) fn into_output(mut self) -> io::Result<W> {
        self.output.write_all(&self.buffer)?;
        Ok(self.output)
    }
}

/// A column of few texts.
struct Texts<'a> {
    keys: &'a [i32],
    nulls: Option<&'a arrow::buffer::NullBuffer>,
    values: Vec<&'a [u8]>,
}

impl<'a> Texts<'a> {
    fn of(column: &'a dyn Array) -> Self {
        let column = column.as_dictionary::<Int32Type>();
        let values = column.values().as_string::<i32>();
        Self {
            keys: column.keys().values(),
            nulls: column.nulls(),
            values: values.iter().map(|value| value.unwrap_or("").as_bytes()).collect(),
        }
    }

    fn get(&self, row: usize) -> Option<&'a [u8]> {
        let valid = self.nulls.is_none_or(|nulls| nulls.is_valid(row));
        valid.then(|| self.values[self.keys[row] as usize])
    }
}

struct Columns<'a> {
    ts: &'a [i64],
    card: &'a [i64],
    terminal: &'a [i64],
    cents: &'a [i128],
    country: Texts<'a>,
    lat: &'a [f64],
    lon: &'a [f64],
    is_fraud: &'a BooleanArray,
    fraud_kind: Texts<'a>,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Self {
        Self {
            ts: batch.column(0).as_primitive::<TimestampMicrosecondType>().values(),
            card: batch.column(1).as_primitive::<Int64Type>().values(),
            terminal: batch.column(2).as_primitive::<Int64Type>().values(),
            cents: batch.column(3).as_primitive::<Decimal128Type>().values(),
            country: Texts::of(batch.column(4)),
            lat: batch.column(5).as_primitive::<Float64Type>().values(),
            lon: batch.column(6).as_primitive::<Float64Type>().values(),
            is_fraud: batch.column(7).as_boolean(),
            fraud_kind: Texts::of(batch.column(8)),
        }
    }

    fn csv_line(&self, row: usize, out: &mut Vec<u8>) {
        integer(self.ts[row], out);
        out.push(b',');
        integer(self.card[row], out);
        out.push(b',');
        integer(self.terminal[row], out);
        out.push(b',');
        money(self.cents[row], out);
        out.push(b',');
        out.extend_from_slice(self.country.get(row).unwrap_or_default());
        out.push(b',');
        degrees(self.lat[row], out);
        out.push(b',');
        degrees(self.lon[row], out);
        out.push(b',');
        boolean(self.is_fraud.value(row), out);
        out.push(b',');
        out.extend_from_slice(self.fraud_kind.get(row).unwrap_or_default());
        out.push(b'\n');
    }

    fn json_line(&self, row: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"ts\":");
        integer(self.ts[row], out);
        out.extend_from_slice(b",\"card\":");
        integer(self.card[row], out);
        out.extend_from_slice(b",\"terminal\":");
        integer(self.terminal[row], out);
        out.extend_from_slice(b",\"amount\":");
        money(self.cents[row], out);
        out.extend_from_slice(b",\"country\":");
        json_text(self.country.get(row), out);
        out.extend_from_slice(b",\"lat\":");
        degrees(self.lat[row], out);
        out.extend_from_slice(b",\"lon\":");
        degrees(self.lon[row], out);
        out.extend_from_slice(b",\"is_fraud\":");
        boolean(self.is_fraud.value(row), out);
        out.extend_from_slice(b",\"fraud_kind\":");
        json_text(self.fraud_kind.get(row), out);
        out.extend_from_slice(b"}\n");
    }
}

fn integer(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn money(cents: i128, out: &mut Vec<u8>) {
    fixed::<2>(cents as i64, out);
}

fn degrees(value: f64, out: &mut Vec<u8>) {
    fixed::<5>((value * 1e5).round() as i64, out);
}

/// `value` / 10^PLACES with all its places.
fn fixed<const PLACES: usize>(value: i64, out: &mut Vec<u8>) {
    let one = 10u64.pow(PLACES as u32);
    let size = value.unsigned_abs();
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(itoa::Buffer::new().format(size / one).as_bytes());
    let mut digits = [b'0'; PLACES];
    let mut rest = size % one;
    for digit in digits.iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
    out.push(b'.');
    out.extend_from_slice(&digits);
}

fn boolean(value: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

fn json_text(text: Option<&[u8]>, out: &mut Vec<u8>) {
    match text {
        Some(text) => {
            out.push(b'"');
            out.extend_from_slice(text);
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
}

#[cfg(test)]
mod tests;
