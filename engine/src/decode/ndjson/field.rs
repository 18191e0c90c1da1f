//! What the bytes of a JSON value mean.

use crate::decode::text::{Dialect, Field};

/// Values of JSON. A member that is not there has no bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct JsonDialect;

impl Dialect for JsonDialect {
    #[inline]
    fn read<'a>(&self, raw: &'a [u8], scratch: &'a mut Vec<u8>) -> Field<'a> {
        match raw {
            [] | b"null" => Field::Null,
            [b'"', inner @ .., b'"'] => match unescape(inner, scratch) {
                Some(text) => Field::Text(text),
                None => Field::Wrong("half of a surrogate pair in a string"),
            },
            [b'{' | b'[', ..] => Field::Nested(raw),
            _ => Field::Text(raw),
        }
    }

    fn texts_can_be_wrong(&self) -> bool {
        // Half a surrogate pair is written in ASCII.
        true
    }
}

/// Undoes the escapes of a string that the scanner has passed. `None`: half a surrogate pair.
pub(super) fn unescape<'a>(inner: &'a [u8], scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let Some(first) = memchr::memchr(b'\\', inner) else { return Some(inner) };
    scratch.clear();
    scratch.extend_from_slice(&inner[..first]);
    let mut rest = &inner[first..];
    loop {
        rest = match rest {
            [b'\\', b'u', tail @ ..] => {
                let (letter, tail) = code_point(tail)?;
                scratch.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                tail
            }
            [b'\\', kind, tail @ ..] => {
                scratch.push(match kind {
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    other => *other,
                });
                tail
            }
            [byte, tail @ ..] => {
                scratch.push(*byte);
                tail
            }
            [] => return Some(scratch),
        };
    }
}

/// The character of four hexadecimal digits, or of two such escapes that are a pair.
fn code_point(text: &[u8]) -> Option<(char, &[u8])> {
    let (high, rest) = hexadecimal(text)?;
    if let Some(letter) = char::from_u32(high) {
        return Some((letter, rest));
    }
    let [b'\\', b'u', rest @ ..] = rest else { return None };
    let (low, rest) = hexadecimal(rest)?;
    if !(0xd800..0xdc00).contains(&high) || !(0xdc00..0xe000).contains(&low) {
        return None;
    }
    let letter = char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))?;
    Some((letter, rest))
}

fn hexadecimal(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(4)?;
    let value = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    Some((value, rest))
}
