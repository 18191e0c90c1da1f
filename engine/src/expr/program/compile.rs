//! From bound nodes to instructions; equal parts become one.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, UInt32Type, UInt64Type};
use crossbeam::queue::ArrayQueue;
use pelton_kernels::columns::{Arithmetic, Comparison};

use super::input::{Input, Load, timestamps};
use super::{Instruction, KEPT_MAX, Kind, Output, Program, Register};
use crate::expr::BinaryOp;
use crate::expr::bind::{Node, Step};
use crate::expr::cast::Class;

/// What a column of the schema is to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The batch's own column of this index.
    Batch(usize),
    /// The program's output of this index.
    Output(usize),
}

/// Puts a program together.
#[derive(Debug)]
pub(in crate::expr) struct Compiler {
    /// Of the schema that the next expression is bound to.
    sources: Vec<Source>,
    inputs: Vec<Input>,
    instructions: Vec<Instruction>,
    kinds: Vec<Kind>,
    outputs: Vec<Output>,
}

impl Compiler {
    /// No expressions yet, over batches of so many columns.
    pub(in crate::expr) fn new(columns: usize) -> Self {
        Self {
            sources: (0..columns).map(Source::Batch).collect(),
            inputs: Vec::new(),
            instructions: Vec::new(),
            kinds: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// Adds an expression's value as an output; `None`: it reads an output that no register
    /// holds, so that it must be computed after this program.
    pub(in crate::expr) fn add(&mut self, root: &Node) -> Option<()> {
        let reads_batch = self.reads_batch(root);
        let register = self.attempt(|compiler| {
            // A column that stays as it is needs no copy.
            let is_column = matches!(root.step, Step::Column { .. });
            let register = compiler.direct(root).filter(|_| !is_column || !reads_batch)?;
            let data_type = compiler.kinds[register].data_type();
            (data_type.as_ref() == Some(&root.data_type)).then_some(register)
        });
        self.outputs.push(match register {
            Some(register) => Output::Register(register),
            None if reads_batch => Output::Evaluated(root.clone()),
            None => return None,
        });
        Some(())
    }

    /// Adds conditions as the bits of one output; `None` as in [`add`](Self::add).
    pub(in crate::expr) fn add_bits(&mut self, conditions: &[&Node]) -> Option<()> {
        let registers = self.attempt(|compiler| {
            conditions.iter().map(|condition| compiler.register(condition)).collect()
        })?;
        self.outputs.push(Output::Bits(registers));
        Some(())
    }

    /// The last output stands at this place of the schema from now on: in the place of another
    /// column, or behind all.
    pub(in crate::expr) fn place(&mut self, at: usize) {
        let last = self.outputs.len() - 1;
        let source = match &self.outputs[last] {
            Output::Evaluated(Node { step: Step::Column { index, .. }, .. }) => {
                Source::Batch(*index)
            }
            _ => Source::Output(last),
        };
        match self.sources.get_mut(at) {
            Some(place) => *place = source,
            None => self.sources.push(source),
        }
    }

    pub(in crate::expr) fn finish(self) -> Program {
        let Self { inputs, instructions, kinds, outputs, .. } = self;
        Program { inputs, instructions, kinds, outputs, free: ArrayQueue::new(KEPT_MAX) }
    }

    /// What a failed attempt has added is taken away again.
    fn attempt<T>(&mut self, what: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let (inputs, instructions) = (self.inputs.len(), self.instructions.len());
        let result = what(self);
        if result.is_none() {
            self.inputs.truncate(inputs);
            self.instructions.truncate(instructions);
            self.kinds.truncate(instructions);
        }
        result
    }

    fn push(&mut self, instruction: Instruction, kind: Kind) -> Register {
        let mut known = self.instructions.iter().zip(&self.kinds);
        if let Some(known) = known.position(|known| known == (&instruction, &kind)) {
            return known;
        }
        self.instructions.push(instruction);
        self.kinds.push(kind);
        self.instructions.len() - 1
    }

    /// Whether all columns that the node reads are the batch's own.
    fn reads_batch(&self, node: &Node) -> bool {
        match node.step {
            Step::Column { index, .. } => self.sources.get(index) == Some(&Source::Batch(index)),
            _ => node.step.operands().iter().all(|operand| self.reads_batch(operand)),
        }
    }

    /// The register that holds the node's value.
    fn register(&mut self, node: &Node) -> Option<Register> {
        if let Some(register) = self.attempt(|compiler| compiler.direct(node)) {
            return Some(register);
        }
        // A constant is not worth a column.
        if node.is_constant() || !self.reads_batch(node) {
            return None;
        }
        let load = Load::of(&node.data_type)?;
        self.inputs.push(Input::evaluated(node.clone(), load));
        Some(self.push(Instruction::Input(self.inputs.len() - 1), load.kind()))
    }

    /// The register, where instructions can compute the node.
    fn direct(&mut self, node: &Node) -> Option<Register> {
        match &node.step {
            Step::Column { index, .. } => match self.sources.get(*index)? {
                Source::Batch(index) => {
                    self.column(*index, &node.data_type, Load::of(&node.data_type)?)
                }
                Source::Output(output) => match self.outputs[*output] {
                    Output::Register(register) => Some(register),
                    _ => None,
                },
            },
            Step::Constant(array) => self.constant(array),
            Step::Convert(input) => self.convert(input, &node.data_type),
            Step::Not(input) => self.unary(input, Instruction::Not, Kind::Bools),
            Step::IsNull(input) => self.unary(input, Instruction::IsNull, Kind::Bools),
            Step::IsNotNull(input) => self.unary(input, Instruction::IsNotNull, Kind::Bools),
            Step::Neg { input, .. } => match node.data_type {
                DataType::Float64 => self.unary(input, Instruction::Neg, Kind::Floats),
                DataType::Int64 => {
                    let input = self.register(input)?;
                    let zero = self.push(Instruction::Int(0), Kind::Ints);
                    Some(self.push(Instruction::Ints(Arithmetic::Sub, zero, input), Kind::Ints))
                }
                _ => None,
            },
            Step::Abs { input, .. } if node.data_type == DataType::Float64 => {
                self.unary(input, Instruction::Abs, Kind::Floats)
            }
            Step::Abs { .. } => None,
            Step::Ln(input) => self.unary(input, Instruction::Ln, Kind::Floats),
            Step::Sqrt(input) => self.unary(input, Instruction::Sqrt, Kind::Floats),
            Step::Arithmetic { op, left, right, .. } => self.arithmetic(*op, left, right),
            Step::Compare { op, left, right } => self.compare(*op, left, right),
            Step::And(left, right) => self.binary(left, right, Instruction::And),
            Step::Or(left, right) => self.binary(left, right, Instruction::Or),
            Step::Extreme { op, left, right } => {
                let instruction = match op {
                    BinaryOp::Min => Instruction::Smaller,
                    _ => Instruction::Larger,
                };
                let register = self.binary(left, right, instruction)?;
                (self.kinds[register] != Kind::Bools).then_some(register)
            }
            // A branch that can fail must not be computed for rows that don't ask for it.
            Step::Coalesce(_, right) if right.can_fail => None,
            Step::Coalesce(left, right) => self.binary(left, right, Instruction::Coalesce),
            Step::When { then, otherwise, .. } if then.can_fail || otherwise.can_fail => None,
            Step::When { condition, then, otherwise } => {
                let condition = self.register(condition)?;
                let (then, otherwise) = (self.register(then)?, self.register(otherwise)?);
                let kind = self.kinds[then];
                (kind == self.kinds[otherwise])
                    .then(|| self.push(Instruction::When(condition, then, otherwise), kind))
            }
        }
    }

    fn column(&mut self, index: usize, data_type: &DataType, load: Load) -> Option<Register> {
        let known = self.inputs.iter().position(|input| input.is_column(index, load));
        let input = known.unwrap_or_else(|| {
            self.inputs.push(Input::column_of(index, data_type.clone(), load));
            self.inputs.len() - 1
        });
        Some(self.push(Instruction::Input(input), load.kind()))
    }

    fn constant(&mut self, array: &ArrayRef) -> Option<Register> {
        let kind = Load::of(array.data_type())?.kind();
        if array.is_null(0) {
            return Some(self.push(Instruction::Null(kind), kind));
        }
        let instruction = match array.data_type() {
            DataType::Boolean => Instruction::Bool(array.as_boolean().value(0)),
            DataType::Float64 => {
                Instruction::Float(array.as_primitive::<Float64Type>().value(0).to_bits())
            }
            DataType::Int64 => Instruction::Int(array.as_primitive::<Int64Type>().value(0)),
            DataType::Int32 => Instruction::Int(array.as_primitive::<Int32Type>().value(0).into()),
            DataType::UInt32 => {
                Instruction::Int(array.as_primitive::<UInt32Type>().value(0).into())
            }
            DataType::UInt64 => {
                Instruction::Int(super::input::biased(array.as_primitive::<UInt64Type>().value(0)))
            }
            _ => Instruction::Int(*timestamps(array.as_ref())?.first()?),
        };
        Some(self.push(instruction, kind))
    }

    fn convert(&mut self, input: &Node, to: &DataType) -> Option<Register> {
        if let (Step::Column { index, .. }, DataType::Float64) = (&input.step, to)
            && let Some(Source::Batch(index)) = self.sources.get(*index)
            && let Some(load) = Load::as_float(&input.data_type)
        {
            return self.column(*index, &input.data_type, load);
        }
        let register = self.register(input)?;
        match (self.kinds[register], to) {
            (Kind::Ints, DataType::Int64) => Some(register),
            (Kind::Ints, DataType::Float64) if input.class() == Class::Int => {
                Some(self.push(Instruction::IntToFloat(register), Kind::Floats))
            }
            (Kind::Bools, DataType::Float64) => {
                Some(self.push(Instruction::BoolToFloat(register), Kind::Floats))
            }
            _ => None,
        }
    }

    fn unary(
        &mut self,
        input: &Node,
        instruction: fn(Register) -> Instruction,
        kind: Kind,
    ) -> Option<Register> {
        let input = self.register(input)?;
        Some(self.push(instruction(input), kind))
    }

    /// An instruction that gives what it gets.
    fn binary(
        &mut self,
        left: &Node,
        right: &Node,
        instruction: fn(Register, Register) -> Instruction,
    ) -> Option<Register> {
        let (left, right) = (self.register(left)?, self.register(right)?);
        let kind = self.kinds[left];
        (kind == self.kinds[right]).then(|| self.push(instruction(left, right), kind))
    }

    fn arithmetic(&mut self, op: BinaryOp, left: &Node, right: &Node) -> Option<Register> {
        let (left, right) = (self.register(left)?, self.register(right)?);
        let op = match op {
            BinaryOp::Add => Arithmetic::Add,
            BinaryOp::Sub => Arithmetic::Sub,
            BinaryOp::Mul => Arithmetic::Mul,
            _ => Arithmetic::Div,
        };
        match (self.kinds[left], self.kinds[right]) {
            (Kind::Floats, Kind::Floats) => {
                Some(self.push(Instruction::Floats(op, left, right), Kind::Floats))
            }
            (Kind::Ints, Kind::Ints) if op != Arithmetic::Div => {
                Some(self.push(Instruction::Ints(op, left, right), Kind::Ints))
            }
            _ => None,
        }
    }

    fn compare(&mut self, op: BinaryOp, left: &Node, right: &Node) -> Option<Register> {
        let (left, right) = (self.register(left)?, self.register(right)?);
        let op = match op {
            BinaryOp::Ne => Comparison::Ne,
            BinaryOp::Lt => Comparison::Lt,
            BinaryOp::Le => Comparison::Le,
            BinaryOp::Gt => Comparison::Gt,
            BinaryOp::Ge => Comparison::Ge,
            _ => Comparison::Eq,
        };
        let instruction = match (self.kinds[left], self.kinds[right]) {
            (Kind::Floats, Kind::Floats) => Instruction::CompareFloats(op, left, right),
            (Kind::Ints, Kind::Ints) | (Kind::UInts, Kind::UInts) => {
                Instruction::CompareInts(op, left, right)
            }
            _ => return None,
        };
        Some(self.push(instruction, Kind::Bools))
    }
}

impl Kind {
    /// The type of a column of such rows, where they can become one.
    fn data_type(self) -> Option<DataType> {
        match self {
            Self::Floats => Some(DataType::Float64),
            Self::Ints => Some(DataType::Int64),
            Self::Bools => Some(DataType::Boolean),
            Self::UInts => None,
        }
    }
}
