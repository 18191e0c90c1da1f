//! Reading one record with a plain state machine: what CSV *means*.
//!
//! The vector scan handles text whose quotes stand where they may; this handles every text, one
//! record at a time, and decides what is wrong with it:
//!
//! * A field is quoted iff its first byte is a quote; elsewhere a quote is a letter (`5" disk`).
//! * A quoted field ends at a quote that a delimiter, a line end or the end of the input
//!   follows; `""` is a quote. Anything else behind the quote, no such quote within the longest
//!   field, or none at all: then the *line* in which the field starts is rejected, and reading
//!   goes on at the next.
//! * A record that does not end within the bound of records is rejected to the next line end
//!   behind that bound.
//!
//! All of it depends on the text alone, not on how it was cut into blocks: where the text at
//! hand is too short to decide, the answer is [`Record::Incomplete`].

use pelton_kernels::csv_scan::CsvIndex;

use crate::decode::text::Limits;

/// What starts at a position.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// A record; its separators were pushed, the last of them is its end.
    Row {
        /// Where the next starts.
        next: usize,
    },
    /// A blank line.
    Blank {
        /// Where the next record starts.
        next: usize,
    },
    /// A record whose quotes are wrong, up to the end of the line where they are.
    Bad {
        /// End of that line (its line end not included).
        end: usize,
        /// Where the next record starts.
        next: usize,
        /// Index of the field.
        column: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// A record that goes on beyond the bound.
    TooLong,
    /// More text is needed.
    Incomplete,
}

/// How a quoted field ended.
enum Quoted {
    /// At this separator, or at the end of the text.
    Closed(usize),
    Wrong(&'static str),
    TooLong,
    Incomplete,
}

/// A text and how to read it.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub text: &'a [u8],
    /// Whether the input ends with this text.
    pub ended: bool,
    pub delimiter: u8,
    pub limits: Limits,
}

impl Reading<'_> {
    /// Reads the record at `start`; pushes its separators to `index` where it is one.
    pub fn record(self, start: usize, index: &mut CsvIndex) -> Record {
        match self.text[start..] {
            [b'\n', ..] => return Record::Blank { next: start + 1 },
            [b'\r', b'\n', ..] => return Record::Blank { next: start + 2 },
            [b'\r'] if self.ended => return Record::Blank { next: start + 1 },
            _ => {}
        }
        let known = index.separator_count();
        let outcome = self.fields(start, index);
        if !matches!(outcome, Record::Row { .. }) {
            index.truncate(known);
        }
        outcome
    }

    fn fields(self, start: usize, index: &mut CsvIndex) -> Record {
        let text = self.text;
        let bound = start + self.limits.record_bytes_max;
        let visible = &text[..text.len().min(bound)];
        let (mut field, mut column) = (start, 0);
        loop {
            let end = if text.get(field) == Some(&b'"') {
                match self.quoted(field, visible.len()) {
                    Quoted::Closed(end) => end,
                    Quoted::Wrong(why) => return self.bad(field, bound, column, why),
                    Quoted::TooLong => return Record::TooLong,
                    Quoted::Incomplete => return Record::Incomplete,
                }
            } else {
                let rest = visible.get(field..).unwrap_or_default();
                match memchr::memchr2(self.delimiter, b'\n', rest) {
                    Some(len) => field + len,
                    None if text.len() > bound => return Record::TooLong,
                    None if self.ended => text.len(),
                    None => return Record::Incomplete,
                }
            };
            index.push(end);
            if end >= text.len() || text[end] == b'\n' {
                return Record::Row { next: text.len().min(end + 1) };
            }
            field = end + 1;
            column += 1;
        }
    }

    /// The end of the field whose opening quote is at `open`.
    fn quoted(self, open: usize, visible: usize) -> Quoted {
        let text = self.text;
        // The closing quote may stand here at the latest.
        let last = open + 1 + self.limits.field_bytes_max;
        let mut from = open + 1;
        loop {
            let to = visible.min(last + 1);
            let Some(len) = memchr::memchr(b'"', text.get(from..to).unwrap_or_default()) else {
                return if text.len() > last && last < visible {
                    Quoted::Wrong("a quote is not closed within the longest field allowed")
                } else if visible < text.len() {
                    Quoted::TooLong
                } else if self.ended {
                    Quoted::Wrong("a quote is not closed")
                } else {
                    Quoted::Incomplete
                };
            };
            let after = from + len + 1;
            match text[after..] {
                [b'"', ..] => from = after + 1,
                [b'\n', ..] => return Quoted::Closed(after),
                [byte, ..] if byte == self.delimiter => return Quoted::Closed(after),
                [b'\r', b'\n', ..] => return Quoted::Closed(after + 1),
                [] if self.ended => return Quoted::Closed(after),
                [b'\r'] if self.ended => return Quoted::Closed(after + 1),
                [] | [b'\r'] => return Quoted::Incomplete,
                _ => return Quoted::Wrong("text follows a closing quote"),
            }
        }
    }

    /// Rejects the line of the opening quote at `open`.
    fn bad(self, open: usize, bound: usize, column: usize, why: &'static str) -> Record {
        let text = self.text;
        let visible = &text[..text.len().min(bound)];
        match memchr::memchr(b'\n', visible.get(open..).unwrap_or_default()) {
            Some(len) => {
                let end = trim_cr(text, open, open + len);
                Record::Bad { end, next: open + len + 1, column, why }
            }
            None if text.len() > bound => Record::TooLong,
            None if self.ended => {
                let end = trim_cr(text, open, text.len());
                Record::Bad { end, next: text.len(), column, why }
            }
            None => Record::Incomplete,
        }
    }
}

/// `end`, or the carriage return before it.
#[inline(always)]
pub(super) fn trim_cr(text: &[u8], start: usize, end: usize) -> usize {
    if end > start && text[end - 1] == b'\r' { end - 1 } else { end }
}
