//! Rejected rows as NDJSON: `file, line, byte_offset, column, reason, raw`, with `raw_base64`
//! in place of `raw` where the bytes are no UTF-8.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::json::write_string;
use super::output::Output;
use crate::decode::DeadLetter;
use crate::error::Result;

const FLUSH_BYTES: usize = 64 << 10;

/// Appends `letter` as one line.
///
/// ```
/// let letter = pelton::decode::DeadLetter {
///     file: "payments.csv".into(),
///     line: 17,
///     byte_offset: 940,
///     column: Some("amount".into()),
///     reason: "not a number".into(),
///     raw: "1,x".into(),
/// };
/// let mut out = Vec::new();
/// pelton::sink::write_dead_letter(&letter, &mut out);
/// assert_eq!(
///     String::from_utf8(out).unwrap(),
///     r#"{"file":"payments.csv","line":17,"byte_offset":940,"column":"amount","reason":"not a number","raw":"1,x"}"#
///         .to_owned() + "\n"
/// );
/// ```
pub fn write_dead_letter(letter: &DeadLetter, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(b"{\"file\":");
    write_string(&letter.file, out);
    out.extend_from_slice(b",\"line\":");
    out.extend_from_slice(digits.format(letter.line).as_bytes());
    out.extend_from_slice(b",\"byte_offset\":");
    out.extend_from_slice(digits.format(letter.byte_offset).as_bytes());
    out.extend_from_slice(b",\"column\":");
    match &letter.column {
        Some(column) => write_string(column, out),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"reason\":");
    write_string(&letter.reason, out);
    match std::str::from_utf8(&letter.raw) {
        Ok(raw) => {
            out.extend_from_slice(b",\"raw\":");
            write_string(raw, out);
        }
        Err(_) => {
            out.extend_from_slice(b",\"raw_base64\":\"");
            out.extend_from_slice(BASE64_STANDARD.encode(&letter.raw).as_bytes());
            out.push(b'"');
        }
    }
    out.extend_from_slice(b"}\n");
}

/// A file of dead letters; it gets its name on [`DeadLetterSink::commit`].
#[derive(Debug)]
pub struct DeadLetterSink {
    output: Output,
    bytes: Vec<u8>,
}

impl DeadLetterSink {
    /// Opens `path` (`-`: standard output).
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &str) -> Result<Self> {
        Ok(Self { output: Output::create(path)?, bytes: Vec::new() })
    }

    /// Takes one letter.
    ///
    /// # Errors
    /// When it cannot be written (full disk).
    pub fn write(&mut self, letter: &DeadLetter) -> Result<()> {
        write_dead_letter(letter, &mut self.bytes);
        if self.bytes.len() >= FLUSH_BYTES || self.output.is_stream() {
            self.output.put(&self.bytes)?;
            self.bytes.clear();
        }
        Ok(())
    }

    /// Makes the file final.
    ///
    /// # Errors
    /// When the last bytes cannot be written, or the file cannot get its name.
    pub fn commit(mut self) -> Result<()> {
        self.output.put(&self.bytes)?;
        self.output.commit()
    }
}
