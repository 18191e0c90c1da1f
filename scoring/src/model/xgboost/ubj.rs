//! Universal Binary JSON (draft 12, <https://ubjson.org>), as XGBoost writes it, read by serde.
//!
//! ```text
//! value  = marker payload        Z T F  i U I l L d D (numbers, big-endian)  S length text
//! object = { (length key value)* }
//! array  = [ value* ]   or   [ # length value{length}   or   [ $ marker # length payload{length}
//! ```
//!
//! XGBoost ends counted objects with no `}` and counted arrays with no `]`, as the draft says.
//! Lengths are what the file claims: nothing is allocated by them, values are taken one by one
//! until the bytes end.

use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::{Error, Result};

/// Levels of nesting that a file may have; XGBoost's have 8.
const DEPTH_MAX: usize = 64;

/// Reads a value from bytes that hold nothing else.
pub(super) fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut reader = Reader { bytes, at: 0, depth: 0 };
    let told = T::deserialize(&mut Value { marker: None, reader: &mut reader });
    let error = |what: String, at: usize| {
        Error::new(what)
            .at(format!("byte {at}"))
            .advise("the file is cut or damaged: save the model again")
    };
    let value = told.map_err(|fault| error(fault.0, reader.at))?;
    if reader.at < bytes.len() {
        return Err(error("bytes follow the model".to_owned(), reader.at));
    }
    Ok(value)
}

/// What is wrong, in words.
#[derive(Debug)]
struct Fault(String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| Fault("the file ends within a value".to_owned()))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.array::<1>()?[0])
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// A marker that is not "no operation".
    fn marker(&mut self) -> Result<u8, Fault> {
        loop {
            match self.byte()? {
                b'N' => {}
                marker => return Ok(marker),
            }
        }
    }

    fn integer(&mut self, marker: u8) -> Result<i64, Fault> {
        Ok(match marker {
            b'i' => i64::from(i8::from_be_bytes(self.array()?)),
            b'U' => i64::from(self.byte()?),
            b'I' => i64::from(i16::from_be_bytes(self.array()?)),
            b'l' => i64::from(i32::from_be_bytes(self.array()?)),
            b'L' => i64::from_be_bytes(self.array()?),
            _ => return Err(unknown(marker)),
        })
    }

    fn length(&mut self) -> Result<usize, Fault> {
        let marker = self.byte()?;
        let length = self.integer(marker)?;
        usize::try_from(length).map_err(|_| Fault(format!("a length of {length}")))
    }

    fn text(&mut self) -> Result<&'a str, Fault> {
        let length = self.length()?;
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|_| Fault("a text is no UTF-8".to_owned()))
    }

    /// The type and number of elements that follow `[` or `{`, where they are told.
    fn header(&mut self) -> Result<(Option<u8>, Option<usize>), Fault> {
        let mut kind = None;
        if self.peek() == Some(b'$') {
            self.at += 1;
            kind = Some(self.byte()?);
        }
        if self.peek() == Some(b'#') {
            self.at += 1;
            return Ok((kind, Some(self.length()?)));
        }
        match kind {
            None => Ok((None, None)),
            Some(_) => Err(Fault("a type without a length".to_owned())),
        }
    }
}

fn unknown(marker: u8) -> Fault {
    Fault(format!("marker {:?} is not known", char::from(marker)))
}

/// The value that comes next; its marker may have been told before.
struct Value<'r, 'a> {
    marker: Option<u8>,
    reader: &'r mut Reader<'a>,
}

impl<'de> serde::Deserializer<'de> for &mut Value<'_, 'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let reader = &mut *self.reader;
        let marker = match self.marker {
            Some(marker) => marker,
            None => reader.marker()?,
        };
        match marker {
            b'Z' => visitor.visit_unit(),
            b'T' => visitor.visit_bool(true),
            b'F' => visitor.visit_bool(false),
            b'd' => visitor.visit_f64(f64::from(f32::from_be_bytes(reader.array()?))),
            b'D' => visitor.visit_f64(f64::from_be_bytes(reader.array()?)),
            b'S' => visitor.visit_borrowed_str(reader.text()?),
            b'C' => visitor.visit_char(char::from(reader.byte()?)),
            b'[' | b'{' => {
                if reader.depth >= DEPTH_MAX {
                    return Err(Fault(format!("nested deeper than {DEPTH_MAX} levels")));
                }
                reader.depth += 1;
                let (kind, left) = reader.header()?;
                let parts = Parts { reader, kind, left, is_object: marker == b'{' };
                if marker == b'[' { visitor.visit_seq(parts) } else { visitor.visit_map(parts) }
            }
            _ => visitor.visit_i64(reader.integer(marker)?),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.marker == Some(b'Z') || (self.marker.is_none() && self.reader.peek() == Some(b'Z'))
        {
            self.reader.at += usize::from(self.marker.is_none());
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The elements of an array or the entries of an object.
struct Parts<'r, 'a> {
    reader: &'r mut Reader<'a>,
    kind: Option<u8>,
    /// How many are left, where that was told.
    left: Option<usize>,
    is_object: bool,
}

impl Parts<'_, '_> {
    /// Whether another one comes; takes the end where there is one.
    fn more(&mut self) -> Result<bool, Fault> {
        let more = match &mut self.left {
            Some(left) => {
                let more = *left > 0;
                *left = left.saturating_sub(1);
                // Elements without bytes could be claimed without end.
                if more && matches!(self.kind, Some(b'Z' | b'T' | b'F' | b'N')) {
                    return Err(Fault("an array of values without bytes".to_owned()));
                }
                more
            }
            None => {
                let end = if self.is_object { b'}' } else { b']' };
                while self.reader.peek() == Some(b'N') {
                    self.reader.at += 1;
                }
                let ends = self.reader.peek() == Some(end);
                self.reader.at += usize::from(ends);
                !ends
            }
        };
        if !more {
            self.reader.depth -= 1;
        }
        Ok(more)
    }
}

impl<'de> SeqAccess<'de> for Parts<'_, 'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        if !self.more()? {
            return Ok(None);
        }
        seed.deserialize(&mut Value { marker: self.kind, reader: self.reader }).map(Some)
    }
}

impl<'de> MapAccess<'de> for Parts<'_, 'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        if !self.more()? {
            return Ok(None);
        }
        let key = self.reader.text()?;
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        seed.deserialize(&mut Value { marker: self.kind, reader: self.reader })
    }
}
