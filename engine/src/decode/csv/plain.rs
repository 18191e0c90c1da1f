//! CSV byte by byte: the definition that the fast decoder is held to, in tests and fuzzing.
//! Knows nothing of blocks, batches, columns or vectors. (Records beyond the bound of records
//! are not its business: texts here are shorter.)

/// What a text holds, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    /// A record.
    Record {
        /// Line of its first byte, from 1.
        line: u64,
        /// Where it starts, and where it ends without its line end.
        span: (usize, usize),
        /// Its fields.
        fields: Vec<PlainField>,
    },
    /// A line with wrong quotes.
    Wrong {
        /// Line of its first byte, from 1.
        line: u64,
        /// Where it starts, and where it ends without its line end.
        span: (usize, usize),
    },
}

/// A field without its quotes.
#[derive(Debug, PartialEq, Eq)]
pub struct PlainField {
    /// Whether it stood in quotes.
    pub quoted: bool,
    /// Number of its bytes as they stand between the quotes.
    pub raw_len: usize,
    /// Its text.
    pub text: Vec<u8>,
}

/// Reads a whole text.
pub fn read(text: &[u8], delimiter: u8, field_bytes_max: usize) -> Vec<Item> {
    let mut items = vec![];
    let mut at = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    while at < text.len() {
        let line = 1 + text[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
        let (end, next) = line_end(text, at);
        if end == at {
            at = next;
            continue;
        }
        match record(text, at, delimiter, field_bytes_max) {
            Ok((fields, stop)) => {
                let next = line_end(text, stop).1;
                let cr = stop > at && text[stop - 1] == b'\r';
                let span = (at, stop - usize::from(cr));
                items.push(Item::Record { line, span, fields });
                at = next;
            }
            Err(open) => {
                let (end, next) = line_end(text, open);
                items.push(Item::Wrong { line, span: (at, end) });
                at = next;
            }
        }
    }
    items
}

/// Where the line that `at` is in ends, and where the next starts.
fn line_end(text: &[u8], at: usize) -> (usize, usize) {
    let mut end = at;
    while end < text.len() && text[end] != b'\n' {
        end += 1;
    }
    let next = text.len().min(end + 1);
    if end > at && text[end - 1] == b'\r' { (end - 1, next) } else { (end, next) }
}

/// Whether a record ends at `at`: at the end of the text, LF, or CR before one of them.
fn ends(text: &[u8], at: usize) -> bool {
    match text.get(at) {
        None | Some(b'\n') => true,
        Some(b'\r') => matches!(text.get(at + 1), None | Some(b'\n')),
        _ => false,
    }
}

/// The fields of the record at `at` and where it stops; or where a wrong quoted field opens.
fn record(
    text: &[u8],
    mut at: usize,
    delimiter: u8,
    field_bytes_max: usize,
) -> Result<(Vec<PlainField>, usize), usize> {
    let mut fields = vec![];
    loop {
        let open = at;
        let mut field =
            PlainField { quoted: text.get(at) == Some(&b'"'), raw_len: 0, text: vec![] };
        if field.quoted {
            at += 1;
            loop {
                if at > open + 1 + field_bytes_max || at >= text.len() {
                    return Err(open);
                }
                if text[at] == b'"' && text.get(at + 1) != Some(&b'"') {
                    break;
                }
                at += if text[at] == b'"' { 2 } else { 1 };
                field.text.push(text[at - 1]);
            }
            field.raw_len = at - open - 1;
            at += 1;
            if !ends(text, at) && text[at] != delimiter {
                return Err(open);
            }
        } else {
            while at < text.len() && text[at] != b'\n' && text[at] != delimiter {
                field.text.push(text[at]);
                at += 1;
            }
            if (at == text.len() || text[at] == b'\n') && field.text.last() == Some(&b'\r') {
                field.text.pop();
            }
            field.raw_len = field.text.len();
        }
        fields.push(field);
        if at >= text.len() || text[at] != delimiter {
            return Ok((fields, at));
        }
        at += 1;
    }
}
