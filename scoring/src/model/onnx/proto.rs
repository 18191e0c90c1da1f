//! The few messages of ONNX that models of scikit-learn need, read from protobuf's wire format
//! (<https://protobuf.dev/programming-guides/encoding>, <https://github.com/onnx/onnx>
//! `onnx.proto3`).
//!
//! A reader of our own, because it is this short: a generated one would bring a code generator
//! and the whole schema, and would still leave every check to us. Bytes are borrowed, nothing is
//! allocated by a claimed length.

use crate::{Error, Result};

/// A field of a message.
enum Field<'a> {
    Varint(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
    /// 64 bits, which none of our fields have.
    Other,
}

fn cut() -> Error {
    Error::new("the protobuf message is cut or damaged").advise("convert the model again")
}

fn varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or_else(cut)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(cut())
}

fn take<'a>(bytes: &mut &'a [u8], len: u64) -> Result<&'a [u8]> {
    let len = usize::try_from(len).map_err(|_| cut())?;
    let (taken, rest) = bytes.split_at_checked(len).ok_or_else(cut)?;
    *bytes = rest;
    Ok(taken)
}

/// Calls `field` with the number and value of each field of a message.
fn fields<'a>(
    mut bytes: &'a [u8],
    mut field: impl FnMut(u64, Field<'a>) -> Result<()>,
) -> Result<()> {
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let value = match key & 7 {
            0 => Field::Varint(varint(&mut bytes)?),
            1 => {
                take(&mut bytes, 8)?;
                Field::Other
            }
            2 => {
                let len = varint(&mut bytes)?;
                Field::Bytes(take(&mut bytes, len)?)
            }
            5 => {
                let word = take(&mut bytes, 4)?;
                Field::Fixed32(u32::from_le_bytes(word.try_into().map_err(|_| cut())?))
            }
            _ => return Err(cut()),
        };
        field(key >> 3, value)?;
    }
    Ok(())
}

fn text(bytes: &[u8]) -> Result<String> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| cut())
}

/// Appends to a list of floats, packed or one by one.
fn floats(list: &mut Vec<f32>, field: &Field) -> Result<()> {
    match field {
        Field::Fixed32(word) => list.push(f32::from_bits(*word)),
        Field::Bytes(bytes) => {
            let (words, rest) = bytes.as_chunks::<4>();
            if !rest.is_empty() {
                return Err(cut());
            }
            list.extend(words.iter().map(|word| f32::from_le_bytes(*word)));
        }
        _ => return Err(cut()),
    }
    Ok(())
}

/// Appends to a list of integers, packed or one by one.
fn ints(list: &mut Vec<i64>, field: &Field) -> Result<()> {
    match field {
        Field::Varint(value) => list.push(*value as i64),
        Field::Bytes(bytes) => {
            let mut bytes = *bytes;
            while !bytes.is_empty() {
                list.push(varint(&mut bytes)? as i64);
            }
        }
        _ => return Err(cut()),
    }
    Ok(())
}

/// A graph of operators.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub nodes: Vec<Node>,
    pub constants: Vec<Tensor>,
    pub inputs: Vec<Input>,
    pub outputs: Vec<String>,
}

/// What a graph is given.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub name: String,
    /// Type of elements: 1 is `f32`.
    pub element: i64,
    /// The last dimension, where it is known.
    pub width: Option<i64>,
}

/// An operator.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub op: String,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub attributes: Vec<Attribute>,
}

/// A parameter of an operator.
#[derive(Debug, Default)]
pub(super) struct Attribute {
    pub name: String,
    pub f: f32,
    pub i: i64,
    pub s: String,
    pub floats: Vec<f32>,
    pub ints: Vec<i64>,
    pub strings: Vec<String>,
    /// Whether it holds a tensor: numbers of 64 bits.
    pub is_tensor: bool,
}

/// A constant.
#[derive(Debug, Default)]
pub(super) struct Tensor {
    pub name: String,
    /// Its shape.
    pub dims: Vec<i64>,
    /// Its numbers, where they are `f32`.
    pub floats: Vec<f32>,
}

/// Reads a model's graph.
pub(super) fn read_model(bytes: &[u8]) -> Result<Graph> {
    let mut graph = None;
    fields(bytes, |number, field| {
        if let (7, Field::Bytes(bytes)) = (number, field) {
            graph = Some(read_graph(bytes)?);
        }
        Ok(())
    })?;
    graph.ok_or_else(|| {
        Error::new("there is no graph in the ONNX model").advise("convert the model again")
    })
}

fn read_graph(bytes: &[u8]) -> Result<Graph> {
    let mut graph = Graph::default();
    fields(bytes, |number, field| {
        if let Field::Bytes(bytes) = field {
            match number {
                1 => graph.nodes.push(read_node(bytes)?),
                5 => graph.constants.push(read_tensor(bytes)?),
                11 => graph.inputs.push(read_input(bytes)?),
                12 => graph.outputs.push(read_input(bytes)?.name),
                _ => {}
            }
        }
        Ok(())
    })?;
    Ok(graph)
}

fn read_node(bytes: &[u8]) -> Result<Node> {
    let mut node = Node::default();
    fields(bytes, |number, field| {
        if let Field::Bytes(bytes) = field {
            match number {
                1 => node.inputs.push(text(bytes)?),
                2 => node.outputs.push(text(bytes)?),
                4 => node.op = text(bytes)?,
                5 => node.attributes.push(read_attribute(bytes)?),
                _ => {}
            }
        }
        Ok(())
    })?;
    Ok(node)
}

fn read_attribute(bytes: &[u8]) -> Result<Attribute> {
    let mut attribute = Attribute::default();
    fields(bytes, |number, field| {
        match (number, &field) {
            (1, Field::Bytes(bytes)) => attribute.name = text(bytes)?,
            (2, Field::Fixed32(word)) => attribute.f = f32::from_bits(*word),
            (3, Field::Varint(value)) => attribute.i = *value as i64,
            (4, Field::Bytes(bytes)) => attribute.s = text(bytes)?,
            (5, _) => attribute.is_tensor = true,
            (7, _) => floats(&mut attribute.floats, &field)?,
            (8, _) => ints(&mut attribute.ints, &field)?,
            (9, Field::Bytes(bytes)) => attribute.strings.push(text(bytes)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(attribute)
}

fn read_tensor(bytes: &[u8]) -> Result<Tensor> {
    let mut tensor = Tensor::default();
    let (mut kind, mut raw) = (0, None);
    fields(bytes, |number, field| {
        match (number, &field) {
            (1, _) => ints(&mut tensor.dims, &field)?,
            (2, Field::Varint(value)) => kind = *value,
            (4, _) => floats(&mut tensor.floats, &field)?,
            (8, Field::Bytes(bytes)) => tensor.name = text(bytes)?,
            (9, Field::Bytes(bytes)) => raw = Some(*bytes),
            _ => {}
        }
        Ok(())
    })?;
    if let (1, Some(raw)) = (kind, raw) {
        floats(&mut tensor.floats, &Field::Bytes(raw))?;
    }
    Ok(tensor)
}

/// Name, type and shape of an input: `type.tensor_type.shape.dim`.
fn read_input(bytes: &[u8]) -> Result<Input> {
    let mut input = Input::default();
    let mut tensor: &[u8] = &[];
    fields(bytes, |number, field| {
        match (number, field) {
            (1, Field::Bytes(bytes)) => input.name = text(bytes)?,
            (2, Field::Bytes(bytes)) => fields(bytes, |number, field| {
                if let (1, Field::Bytes(bytes)) = (number, field) {
                    tensor = bytes;
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })?;
    fields(tensor, |number, field| {
        match (number, field) {
            (1, Field::Varint(element)) => input.element = element as i64,
            (2, Field::Bytes(shape)) => fields(shape, |_, dimension| {
                input.width = None;
                let Field::Bytes(dimension) = dimension else { return Ok(()) };
                fields(dimension, |number, field| {
                    if let (1, Field::Varint(value)) = (number, field) {
                        input.width = Some(value as i64);
                    }
                    Ok(())
                })
            })?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(input)
}

impl Node {
    /// An attribute, or an empty one.
    pub fn attribute(&self, name: &str) -> &Attribute {
        static EMPTY: Attribute = Attribute {
            name: String::new(),
            f: 0.0,
            i: 0,
            s: String::new(),
            floats: Vec::new(),
            ints: Vec::new(),
            strings: Vec::new(),
            is_tensor: false,
        };
        self.attributes.iter().find(|attribute| attribute.name == name).unwrap_or(&EMPTY)
    }
}
