//! Dead letters of rows whose time cannot be used, and how reasons are counted.

use arrow::array::RecordBatch;

use crate::decode::{DeadLetter, TextOrigin};

/// A reason without the values in it, so that reasons can be counted: what stands before the
/// first bracket, quote, colon or digit, or behind the value where that comes first; after the
/// column's name.
pub(super) fn reason_class(letter: &DeadLetter) -> String {
    let values = |c: char| matches!(c, '(' | '`' | '"' | '\'' | ':') || c.is_ascii_digit();
    let reason = match letter.reason.split(values).next().map(str::trim) {
        Some("") | None => letter.reason.rsplit(['"', '`', '\'']).next().unwrap_or_default().trim(),
        Some(reason) => reason,
    };
    match &letter.column {
        Some(column) => format!("{column}: {reason}"),
        None => reason.to_owned(),
    }
}

/// The dead letter of a row with an unusable time.
pub(super) fn time_letter(
    file: &str,
    column: &str,
    row: &crate::time::RejectedRow,
    origin: Option<&TextOrigin>,
    rows: &RecordBatch,
    first_offset: u64,
) -> DeadLetter {
    let at = row.row as usize;
    let (line, byte_offset, raw) = match origin {
        Some(origin) => {
            let (start, end) = (origin.starts[at] as usize, origin.ends[at] as usize);
            let lines = memchr::memchr_iter(b'\n', &origin.text[..start]).count();
            let raw = origin.text.slice(start..end);
            (origin.line + lines as u64, origin.byte_offset + start as u64, raw)
        }
        None => {
            let encoder = crate::sink::NdJsonEncoder::new(&rows.schema());
            let mut raw = Vec::new();
            // A row that cannot be shown is still named by its number.
            let _ = encoder.encode(&rows.slice(at, 1), &mut raw);
            (first_offset + u64::from(row.row) + 1, 0, raw.trim_ascii_end().to_vec().into())
        }
    };
    DeadLetter {
        file: file.to_owned(),
        line,
        byte_offset,
        column: Some(column.to_owned()),
        reason: row.reason.clone(),
        raw,
    }
}
