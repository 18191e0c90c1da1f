//! Registers become columns again.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, UInt64Array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use pelton_kernels::columns::words;

use super::input::Column;
use super::registers::{Registers, first};
use super::{Kind, Output, Words};
use crate::packing::{self, Packing};

/// A column that grows by a chunk at a time.
pub(super) struct Building {
    values: Values,
    /// A bit for each row.
    valid: Vec<u64>,
    any_null: bool,
}

enum Values {
    Floats(Vec<f64>),
    Ints(Vec<i64>),
    Bools(Vec<u64>),
    /// Bits of conditions.
    Bits(Vec<u64>),
    /// Computed elsewhere.
    None,
}

impl Building {
    pub(super) fn new(output: &Output, kinds: &[Kind], rows: usize) -> Self {
        let values = match output {
            Output::Register(register) => match kinds[*register] {
                Kind::Floats => Values::Floats(Vec::with_capacity(rows)),
                Kind::Ints | Kind::UInts => Values::Ints(Vec::with_capacity(rows)),
                Kind::Bools => Values::Bools(Vec::with_capacity(words(rows))),
            },
            Output::Bits(_) => Values::Bits(vec![0; rows]),
            Output::Evaluated(_) => Values::None,
        };
        Self { values, valid: Vec::new(), any_null: false }
    }

    /// Adds the rows of a chunk.
    pub(super) fn take(
        &mut self,
        output: &Output,
        registers: &Registers,
        columns: &[Column<'_>],
        start: usize,
        len: usize,
    ) {
        match output {
            Output::Register(register) => {
                match &mut self.values {
                    Values::Floats(values) => {
                        values.extend_from_slice(registers.floats(*register, columns, start, len));
                    }
                    Values::Ints(values) => {
                        values.extend_from_slice(registers.ints(*register, columns, start, len));
                    }
                    Values::Bools(bits) => {
                        let rows = first(len);
                        let (values, _) = registers.bools(*register);
                        bits.extend((0..words(len)).map(|word| values[word] & rows[word]));
                    }
                    Values::Bits(_) | Values::None => {}
                }
                let (_, valid) = registers.bools(*register);
                self.take_valid(valid, start, len);
            }
            Output::Bits(conditions) => {
                let Values::Bits(bits) = &mut self.values else { return };
                let bits = &mut bits[start..start + len];
                for (i, condition) in conditions.iter().enumerate() {
                    let (values, valid) = registers.bools(*condition);
                    set(bits, values, valid, i);
                }
            }
            Output::Evaluated(_) => {}
        }
    }

    /// Validity is only kept from the first chunk on that has a null.
    fn take_valid(&mut self, valid: &Words, start: usize, len: usize) {
        let rows = first(len);
        let has_null = (0..words(len)).any(|word| !valid[word] & rows[word] != 0);
        if has_null && !self.any_null {
            self.any_null = true;
            self.valid = vec![u64::MAX; words(start)];
        }
        if self.any_null {
            self.valid.extend((0..words(len)).map(|word| valid[word] & rows[word]));
        }
    }

    /// The column of so many rows.
    pub(super) fn finish(self, rows: usize) -> ArrayRef {
        let bits = |words: Vec<u64>| BooleanBuffer::new(Buffer::from_vec(words), 0, rows);
        let nulls = self.any_null.then(|| NullBuffer::new(bits(self.valid)));
        match self.values {
            Values::Floats(values) => Arc::new(Float64Array::new(values.into(), nulls)),
            Values::Ints(values) => Arc::new(Int64Array::new(ScalarBuffer::from(values), nulls)),
            Values::Bools(values) => Arc::new(BooleanArray::new(bits(values), nulls)),
            Values::Bits(values) => Arc::new(UInt64Array::new(values.into(), nulls)),
            Values::None => arrow::array::new_null_array(&arrow::datatypes::DataType::Null, rows),
        }
    }
}

/// Adds an output of a program for few rows, all of which the registers hold.
pub(super) fn pack(
    output: &Output,
    kinds: &[Kind],
    registers: &Registers,
    columns: &[Column<'_>],
    rows: usize,
    out: &mut Packing,
) {
    match output {
        Output::Register(register) => {
            let (bools, valid) = registers.bools(*register);
            let valid = valid[0];
            let is_valid = Some(|row: usize| valid >> row & 1 == 1);
            match kinds[*register] {
                Kind::Bools => out.bools(bools[0], valid),
                Kind::Floats => {
                    let values = registers.floats(*register, columns, 0, rows).iter();
                    out.values(packing::Words::Float64, values.map(|v| v.to_bits()), is_valid);
                }
                Kind::Ints | Kind::UInts => {
                    let values = registers.ints(*register, columns, 0, rows).iter();
                    out.values(packing::Words::Int64, values.map(|&v| v as u64), is_valid);
                }
            }
        }
        Output::Bits(conditions) => {
            let values = (0..rows).map(|row| {
                let holds = |condition: &usize| {
                    let (bools, valid) = registers.bools(*condition);
                    (bools[0] & valid[0]) >> row & 1
                };
                let bits = conditions.iter().enumerate();
                bits.fold(0, |bits, (i, condition)| bits | holds(condition) << i)
            });
            out.values(packing::Words::UInt64, values, None::<fn(usize) -> bool>);
        }
        Output::Evaluated(_) => {}
    }
}

/// Sets bit `i` of each row for which the condition is true. Rules hold rarely: the rows are
/// found a word at a time.
fn set(bits: &mut [u64], values: &Words, valid: &Words, i: usize) {
    for (bits, (values, valid)) in bits.chunks_mut(64).zip(values.iter().zip(valid)) {
        let mut rows = values & valid;
        while rows != 0 {
            // Behind the last row there may be bits.
            let Some(bits) = bits.get_mut(rows.trailing_zeros() as usize) else { break };
            *bits |= 1 << i;
            rows &= rows - 1;
        }
    }
}
