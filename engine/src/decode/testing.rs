//! What the tests of the text decoders share: all that a decoder gives out, as plain values.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int32Type, Int64Type,
    TimestampMicrosecondType, UInt64Type,
};

use super::{ColumnRequest, DecodeOptions, Decoder};

/// A row that was rejected.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Reject {
    pub file: String,
    pub line: u64,
    pub byte_offset: u64,
    pub column: Option<String>,
    pub reason: String,
    pub raw: Vec<u8>,
}

/// A row as text; `None` is null.
pub(super) type Row = Vec<Option<String>>;

/// All that a decoder gave out, batches joined.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Outcome {
    pub types: Vec<String>,
    pub rows: Vec<Row>,
    /// Line, byte offset and bytes of each row.
    pub raws: Vec<(u64, u64, Vec<u8>)>,
    pub rejects: Vec<Reject>,
}

impl Outcome {
    /// Rows as lines.
    pub fn table(&self) -> Vec<String> {
        let cell = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "null".into());
        self.rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().join("|")).collect()
    }

    /// Where the rejects were, without their reasons.
    pub fn places(&self) -> Vec<(u64, u64, &[u8])> {
        self.rejects.iter().map(|r| (r.line, r.byte_offset, &r.raw[..])).collect()
    }
}

/// A required column of a type.
pub(super) fn column(name: &str, data_type: DataType) -> ColumnRequest {
    ColumnRequest { name: name.into(), data_type: Some(data_type), required: true }
}

/// Options that ask for some columns.
pub(super) fn options(columns: Vec<ColumnRequest>) -> DecodeOptions {
    DecodeOptions { columns: Some(columns), ..DecodeOptions::default() }
}

/// Reads a decoder to its end, checking each batch's own promises.
pub(super) fn decode_with(mut decoder: impl Decoder) -> Outcome {
    let schema = decoder.schema();
    let types = schema.fields().iter().map(|f| format!("{}: {}", f.name(), f.data_type()));
    let mut outcome = Outcome { types: types.collect(), ..Outcome::default() };
    while let Some(decoded) = decoder.next_batch().unwrap() {
        assert_eq!(decoded.rows.schema(), schema);
        let origin = decoded.origin.unwrap();
        assert_eq!(origin.starts.len(), decoded.rows.num_rows());
        assert_eq!(origin.ends.len(), decoded.rows.num_rows());
        assert!(decoded.rows.num_rows() + decoded.rejects.len() > 0);
        let (mut at, mut lines) = (0, 0);
        for row in 0..decoded.rows.num_rows() {
            let columns = decoded.rows.columns().iter();
            outcome.rows.push(columns.map(|array| cell(array, row)).collect());
            let (start, end) = (origin.starts[row] as usize, origin.ends[row] as usize);
            lines += origin.text[at..start].iter().filter(|b| **b == b'\n').count() as u64;
            at = start;
            let raw = origin.text[start..end].to_vec();
            outcome.raws.push((origin.line + lines, origin.byte_offset + start as u64, raw));
        }
        outcome.rejects.extend(decoded.rejects.into_iter().map(|letter| Reject {
            file: letter.file,
            line: letter.line,
            byte_offset: letter.byte_offset,
            column: letter.column,
            reason: letter.reason,
            raw: letter.raw.to_vec(),
        }));
    }
    outcome
}

fn cell(array: &dyn Array, row: usize) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).to_string(),
        DataType::Float64 => format!("{:?}", array.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => format!("{:?}", array.as_primitive::<Float32Type>().value(row)),
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value(row).to_string(),
        DataType::Timestamp(..) => {
            array.as_primitive::<TimestampMicrosecondType>().value(row).to_string()
        }
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::Dictionary(..) => {
            let array = array.as_dictionary::<Int32Type>();
            array.values().as_string::<i32>().value(array.keys().value(row) as usize).to_owned()
        }
        other => panic!("no test reads {other}"),
    })
}
