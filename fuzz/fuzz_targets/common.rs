//! What the targets share.

use std::fmt::Debug;

use arrow::array::ArrayRef;
use arrow::util::display::array_value_to_string;
use bytes::Bytes;
use pelton::decode::{DecodeOptions, Decoder, Format, MemoryReader, open_bytes};

/// The rows and rejects of an input, in a form that does not depend on batches.
#[derive(Debug, PartialEq, Default)]
pub struct Outcome {
    /// Each row, its values printed.
    pub rows: Vec<Vec<String>>,
    /// Offset and bytes of the text of each row.
    pub texts: Vec<(u64, Vec<u8>)>,
    /// Line, offset, reason and bytes of each reject.
    pub rejects: Vec<(u64, u64, String, Vec<u8>)>,
}

/// Reads a decoder to its end; `None` where the input is refused.
pub fn drain(mut decoder: impl Decoder) -> Option<Outcome> {
    let mut outcome = Outcome::default();
    while let Some(decoded) = decoder.next_batch().ok()? {
        for row in 0..decoded.rows.num_rows() {
            let cell = |array: &ArrayRef| array_value_to_string(array, row).ok();
            outcome.rows.push(decoded.rows.columns().iter().map(cell).collect::<Option<_>>()?);
        }
        if let Some(origin) = decoded.origin {
            for (start, end) in origin.starts.iter().zip(&origin.ends) {
                let text = origin.text[*start as usize..*end as usize].to_vec();
                outcome.texts.push((origin.byte_offset + u64::from(*start), text));
            }
        }
        outcome.rejects.extend(
            decoded.rejects.into_iter().map(|letter| {
                (letter.line, letter.byte_offset, letter.reason, letter.raw.to_vec())
            }),
        );
    }
    Some(outcome)
}

/// Blocks whose sizes the input itself chooses.
pub fn cut(bytes: &Bytes, seed: u8) -> MemoryReader {
    MemoryReader::split("fuzz", bytes, usize::from(seed) % 61 + 1)
}

/// Opens and reads any bytes: an error is fine, a panic is not.
pub fn survives(format: Format, data: &[u8]) {
    let options = DecodeOptions::default();
    if let Ok(mut decoder) = open_bytes(format, "fuzz", Bytes::copy_from_slice(data), &options) {
        while let Ok(Some(_)) = decoder.next_batch() {}
    }
}

/// Both are refused, or both give the same.
pub fn agree<T: PartialEq + Debug>(one: Option<T>, other: Option<T>) -> Option<T> {
    assert_eq!(one, other);
    one
}
