//! Expressions as one flat program over a few hundred rows at a time.
//!
//! Evaluating a tree a node at a time makes an Arrow array for each node and sends whole columns
//! through the caches. A [`Program`] computes all expressions of a step together: every distinct
//! part of them is one [`Instruction`] that fills one register of [`CHUNK`] rows, and only results
//! become arrays.
//!
//! ```text
//!   card_count_10m >= 4 and card_mean_amount_10m < 5.0
//!
//!   r0 = column 12 (ints)     r1 = 4        r2 = r0 >= r1
//!   r3 = column 17 (floats)   r4 = 5.0      r5 = r3 < r4      r6 = r2 and r5
//! ```
//!
//! - A register holds floats, integers or truth values, and beside them a bit for each row that
//!   says whether there is a value. The bits are words: three-valued logic is a few operations
//!   for 64 rows.
//! - A column of 64-bit numbers is read where it lies; other types are converted into a register.
//! - What has no instruction (text, decimals among themselves, integer division) is computed by
//!   [`evaluate`](super::evaluate) before the program starts, and read like a column.
//! - A program never reports an error. Where a value cannot be computed it gives up, and the
//!   caller evaluates the expressions one by one, which finds the same error and can name it.
//!
//! [`evaluate`](super::evaluate) is the specification; `expr/tests/program.rs` compares the two.

mod compile;
mod input;
mod output;
mod registers;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use crossbeam::queue::ArrayQueue;
use pelton_kernels::columns::{Arithmetic, Comparison};

pub(super) use compile::Compiler;
use input::{Column, Input};
use output::Building;
use registers::Registers;

use super::bind::Node;
use crate::packing::{PACKED_ROWS_MAX, Packing};

/// Rows computed together: a register of them is 4 KiB, so that a program's live registers stay
/// in a first-level cache.
const CHUNK: usize = 512;
const WORDS: usize = CHUNK / 64;

/// A bit for each row of a chunk.
type Words = [u64; WORDS];

/// Registers kept for the next batch: as many as threads usually run one step at once.
const KEPT_MAX: usize = 4;

/// Index of the instruction that fills it.
type Register = usize;

/// What the rows of a register are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Floats,
    Ints,
    /// Unsigned 64-bit integers less 2^63, which keeps their order.
    UInts,
    Bools,
}

/// How a register is filled.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Instruction {
    /// From the input of this index.
    Input(usize),
    /// With the float of these bits.
    Float(u64),
    Int(i64),
    Bool(bool),
    Null(Kind),
    IntToFloat(Register),
    BoolToFloat(Register),
    Neg(Register),
    Abs(Register),
    Sqrt(Register),
    Ln(Register),
    Not(Register),
    IsNull(Register),
    IsNotNull(Register),
    Floats(Arithmetic, Register, Register),
    /// Fails on overflow.
    Ints(Arithmetic, Register, Register),
    CompareFloats(Comparison, Register, Register),
    CompareInts(Comparison, Register, Register),
    And(Register, Register),
    Or(Register, Register),
    Smaller(Register, Register),
    Larger(Register, Register),
    Coalesce(Register, Register),
    When(Register, Register, Register),
}

/// A column that a program gives out.
#[derive(Debug)]
enum Output {
    Register(Register),
    /// Bit `i` of a row is set where the `i`-th condition is true.
    Bits(Vec<Register>),
    /// Not of the program's types: a column handed through, text, a decimal.
    Evaluated(Node),
}

/// Expressions compiled together; made by a [`Compiler`].
#[derive(Debug)]
pub(super) struct Program {
    inputs: Vec<Input>,
    instructions: Vec<Instruction>,
    kinds: Vec<Kind>,
    outputs: Vec<Output>,
    /// Registers that no batch is using.
    free: ArrayQueue<Registers>,
}

impl Program {
    /// The outputs for all rows of a batch; `None`: a value could not be computed, or the batch
    /// is not of the schema that the expressions were bound to.
    pub(super) fn run(&self, batch: &RecordBatch) -> Option<Vec<ArrayRef>> {
        // Lists of known length: collecting into an `Option` grows them bit by bit.
        let mut evaluated = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            evaluated.push(input.evaluate(batch)?);
        }
        let mut columns: Vec<Column<'_>> = Vec::with_capacity(self.inputs.len());
        for (input, evaluated) in self.inputs.iter().zip(&evaluated) {
            columns.push(input.column(batch, evaluated.as_ref())?);
        }
        let mut registers = self.free.pop().unwrap_or_else(|| Registers::new(self));
        let outputs = match batch.num_rows() {
            rows if rows <= PACKED_ROWS_MAX => self.packed(batch, &columns, &mut registers),
            _ => self.chunked(batch, &columns, &mut registers),
        };
        // A full queue has enough of them.
        let _ = self.free.push(registers);
        outputs
    }

    /// The outputs for few rows.
    fn packed(
        &self,
        batch: &RecordBatch,
        columns: &[Column<'_>],
        registers: &mut Registers,
    ) -> Option<Vec<ArrayRef>> {
        let rows = batch.num_rows();
        registers.compute(self, columns, 0, rows)?;
        let mut out = Packing::new(rows, self.outputs.len());
        for output in &self.outputs {
            match output {
                Output::Evaluated(node) => out.ready(node.column_of(batch).ok()?),
                _ => output::pack(output, &self.kinds, registers, columns, rows, &mut out),
            }
        }
        Some(out.finish())
    }

    /// The outputs, a chunk of rows at a time.
    fn chunked(
        &self,
        batch: &RecordBatch,
        columns: &[Column<'_>],
        registers: &mut Registers,
    ) -> Option<Vec<ArrayRef>> {
        let rows = batch.num_rows();
        let mut building: Vec<Building> =
            self.outputs.iter().map(|output| Building::new(output, &self.kinds, rows)).collect();
        for start in (0..rows).step_by(CHUNK) {
            let len = CHUNK.min(rows - start);
            registers.compute(self, columns, start, len)?;
            for (building, output) in building.iter_mut().zip(&self.outputs) {
                building.take(output, registers, columns, start, len);
            }
        }
        let finish = |(building, output): (Building, &Output)| match output {
            Output::Evaluated(node) => node.column_of(batch).ok(),
            _ => Some(building.finish(rows)),
        };
        building.into_iter().zip(&self.outputs).map(finish).collect()
    }
}

/// A program of one expression, where it has one.
pub(super) fn of_one(root: &Node, columns: usize) -> Option<Arc<Program>> {
    let mut compiler = Compiler::new(columns);
    compiler.add(root)?;
    let program = compiler.finish();
    // What is handed through needs no program.
    matches!(program.outputs[..], [Output::Register(_)]).then(|| Arc::new(program))
}
