//! The registers of a program, and what each instruction does to them.

use pelton_kernels::columns::{
    abs_f64, arithmetic_f64, arithmetic_i64, compare_f64, compare_i64, i64_to_f64, larger_f64,
    larger_i64, neg_f64, select_f64, select_i64, smaller_f64, smaller_i64, sqrt_f64, words,
};

use super::input::{Column, Values};
use super::{CHUNK, Instruction, Kind, Program, Register, WORDS, Words};

/// One of each register; only the part that its kind needs has memory.
#[derive(Debug)]
pub(super) struct Registers {
    floats: Vec<Vec<f64>>,
    ints: Vec<Vec<i64>>,
    bools: Vec<Words>,
    /// Which rows have a value.
    valid: Vec<Words>,
    /// Which input a register stands for, where its values are read in place.
    in_place: Vec<Option<usize>>,
}

/// A bit for each of the first so many rows.
pub(super) fn first(len: usize) -> Words {
    std::array::from_fn(|word| match len.saturating_sub(word * 64) {
        0 => 0,
        rest @ 1..64 => (1 << rest) - 1,
        _ => u64::MAX,
    })
}

impl Registers {
    /// Registers with the constants in them.
    pub(super) fn new(program: &Program) -> Self {
        let count = program.instructions.len();
        let mut registers = Self {
            floats: vec![Vec::new(); count],
            ints: vec![Vec::new(); count],
            bools: vec![[0; WORDS]; count],
            valid: vec![[0; WORDS]; count],
            in_place: vec![None; count],
        };
        for (at, instruction) in program.instructions.iter().enumerate() {
            if let Instruction::Input(input) = instruction
                && program.inputs[*input].is_in_place()
            {
                registers.in_place[at] = Some(*input);
                continue;
            }
            match program.kinds[at] {
                Kind::Floats => registers.floats[at] = vec![0.0; CHUNK],
                Kind::Ints | Kind::UInts => registers.ints[at] = vec![0; CHUNK],
                Kind::Bools => {}
            }
            registers.set_constant(at, *instruction);
        }
        registers
    }

    fn set_constant(&mut self, at: Register, instruction: Instruction) {
        match instruction {
            Instruction::Float(bits) => self.floats[at].fill(f64::from_bits(bits)),
            Instruction::Int(value) => self.ints[at].fill(value),
            Instruction::Bool(true) => self.bools[at] = [u64::MAX; WORDS],
            Instruction::Bool(false) => {}
            _ => return,
        }
        self.valid[at] = [u64::MAX; WORDS];
    }

    /// Truth values, and which rows have a value at all.
    pub(super) fn bools(&self, at: Register) -> (&Words, &Words) {
        (&self.bools[at], &self.valid[at])
    }

    pub(super) fn floats<'a>(
        &'a self,
        at: Register,
        columns: &'a [Column<'_>],
        start: usize,
        len: usize,
    ) -> &'a [f64] {
        let rows = Rows { columns, in_place: &self.in_place, start, len };
        rows.floats(&self.floats, at)
    }

    pub(super) fn ints<'a>(
        &'a self,
        at: Register,
        columns: &'a [Column<'_>],
        start: usize,
        len: usize,
    ) -> &'a [i64] {
        let rows = Rows { columns, in_place: &self.in_place, start, len };
        rows.ints(&self.ints, at)
    }

    /// Fills all registers for `len` rows from `start` on; `None`: a value cannot be computed.
    pub(super) fn compute(
        &mut self,
        program: &Program,
        columns: &[Column<'_>],
        start: usize,
        len: usize,
    ) -> Option<()> {
        for (at, instruction) in program.instructions.iter().enumerate() {
            self.valid(at, *instruction, columns, start, len);
            match program.kinds[at] {
                Kind::Floats => self.fill_floats(at, *instruction, columns, start, len),
                Kind::Ints | Kind::UInts => {
                    self.fill_ints(at, *instruction, columns, start, len)?;
                }
                Kind::Bools => self.fill_bools(at, *instruction, columns, start, len),
            }
        }
        Some(())
    }

    /// Which rows of a register have a value. Truth values decide it by themselves.
    fn valid(
        &mut self,
        at: Register,
        instruction: Instruction,
        columns: &[Column<'_>],
        start: usize,
        len: usize,
    ) {
        use Instruction as I;
        let (before, out) = self.valid.split_at_mut(at);
        let out = &mut out[0];
        match instruction {
            I::Input(input) => columns[input].valid(start, len, out),
            // These were set when the registers were made.
            I::Float(_) | I::Int(_) | I::Bool(_) | I::Null(_) => {}
            I::IsNull(_) | I::IsNotNull(_) => out[..words(len)].fill(u64::MAX),
            I::IntToFloat(a) | I::BoolToFloat(a) => each(out, len, |word| before[a][word]),
            I::Neg(a) | I::Abs(a) | I::Sqrt(a) | I::Ln(a) | I::Not(a) => {
                each(out, len, |word| before[a][word]);
            }
            I::Floats(_, a, b)
            | I::Ints(_, a, b)
            | I::CompareFloats(_, a, b)
            | I::CompareInts(_, a, b)
            | I::Smaller(a, b)
            | I::Larger(a, b) => each(out, len, |word| before[a][word] & before[b][word]),
            I::And(a, b) => {
                // A side that is false decides; else both must be known.
                let (x, y) = (&self.bools[a], &self.bools[b]);
                let (p, q) = (&before[a], &before[b]);
                each(out, len, |w| (p[w] & q[w]) | (p[w] & !x[w]) | (q[w] & !y[w]));
            }
            I::Or(a, b) => {
                let (x, y) = (&self.bools[a], &self.bools[b]);
                let (p, q) = (&before[a], &before[b]);
                each(out, len, |w| (p[w] & q[w]) | (p[w] & x[w]) | (q[w] & y[w]));
            }
            I::Coalesce(a, b) => each(out, len, |word| before[a][word] | before[b][word]),
            I::When(_, a, b) => {
                let takes_left = takes_left(instruction, &self.bools, before, len);
                let (then, otherwise) = (&before[a], &before[b]);
                each(out, len, |w| (then[w] & takes_left[w]) | (otherwise[w] & !takes_left[w]));
            }
        }
    }

    fn fill_floats(
        &mut self,
        at: Register,
        instruction: Instruction,
        columns: &[Column<'_>],
        start: usize,
        len: usize,
    ) {
        use Instruction as I;
        let rows = Rows { columns, in_place: &self.in_place, start, len };
        let (before, out) = self.floats.split_at_mut(at);
        let of = |register| rows.floats(before, register);
        // A register that is read in place has no memory of its own.
        let Some(out) = out[0].get_mut(..len) else { return };
        match instruction {
            I::Input(input) => columns[input].floats(start, out),
            I::IntToFloat(a) => i64_to_f64(rows.ints(&self.ints, a), out),
            I::BoolToFloat(a) => {
                for (row, out) in out.iter_mut().enumerate() {
                    *out = (self.bools[a][row / 64] >> (row % 64) & 1) as f64;
                }
            }
            I::Neg(a) => neg_f64(of(a), out),
            I::Abs(a) => abs_f64(of(a), out),
            I::Sqrt(a) => sqrt_f64(of(a), out),
            I::Ln(a) => {
                for (out, value) in out.iter_mut().zip(of(a)) {
                    *out = libm::log(*value);
                }
            }
            I::Floats(op, a, b) => arithmetic_f64(op, of(a), of(b), out),
            I::Smaller(a, b) => smaller_f64(of(a), of(b), out),
            I::Larger(a, b) => larger_f64(of(a), of(b), out),
            I::Coalesce(a, b) | I::When(_, a, b) => {
                let takes_left = takes_left(instruction, &self.bools, &self.valid, len);
                select_f64(&takes_left, of(a), of(b), out);
            }
            _ => {}
        }
    }

    fn fill_ints(
        &mut self,
        at: Register,
        instruction: Instruction,
        columns: &[Column<'_>],
        start: usize,
        len: usize,
    ) -> Option<()> {
        use Instruction as I;
        let rows = Rows { columns, in_place: &self.in_place, start, len };
        let (before, out) = self.ints.split_at_mut(at);
        let of = |register| rows.ints(before, register);
        let Some(out) = out[0].get_mut(..len) else { return Some(()) };
        match instruction {
            I::Input(input) => columns[input].ints(start, out),
            I::Ints(op, a, b) => {
                let mut overflows = [0; WORDS];
                arithmetic_i64(op, of(a), of(b), out, &mut overflows[..words(len)]);
                let valid = &self.valid[at];
                if (0..WORDS).any(|word| overflows[word] & valid[word] != 0) {
                    return None;
                }
            }
            I::Smaller(a, b) => smaller_i64(of(a), of(b), out),
            I::Larger(a, b) => larger_i64(of(a), of(b), out),
            I::Coalesce(a, b) | I::When(_, a, b) => {
                let takes_left = takes_left(instruction, &self.bools, &self.valid, len);
                select_i64(&takes_left, of(a), of(b), out);
            }
            _ => {}
        }
        Some(())
    }

    fn fill_bools(
        &mut self,
        at: Register,
        instruction: Instruction,
        columns: &[Column<'_>],
        start: usize,
        len: usize,
    ) {
        use Instruction as I;
        let rows = Rows { columns, in_place: &self.in_place, start, len };
        let (before, out) = self.bools.split_at_mut(at);
        let out = &mut out[0];
        match instruction {
            I::Input(input) => columns[input].bools(start, len, out),
            I::Not(a) => each(out, len, |word| !before[a][word]),
            I::IsNull(a) => each(out, len, |word| !self.valid[a][word]),
            I::IsNotNull(a) => each(out, len, |word| self.valid[a][word]),
            I::CompareFloats(op, a, b) => {
                let (a, b) = (rows.floats(&self.floats, a), rows.floats(&self.floats, b));
                compare_f64(op, a, b, &mut out[..words(len)]);
            }
            I::CompareInts(op, a, b) => {
                let (a, b) = (rows.ints(&self.ints, a), rows.ints(&self.ints, b));
                compare_i64(op, a, b, &mut out[..words(len)]);
            }
            // What a null stands on must not count: only the sides that are known do.
            I::And(a, b) => {
                each(out, len, |word| before[a][word] & before[b][word]);
            }
            I::Or(a, b) => {
                let (p, q) = (&self.valid[a], &self.valid[b]);
                each(out, len, |w| (before[a][w] & p[w]) | (before[b][w] & q[w]));
            }
            I::Coalesce(a, b) | I::When(_, a, b) => {
                let takes_left = takes_left(instruction, before, &self.valid, len);
                let (a, b) = (&before[a], &before[b]);
                each(out, len, |w| (a[w] & takes_left[w]) | (b[w] & !takes_left[w]));
            }
            _ => {}
        }
    }
}

/// Of an instruction that chooses: the rows for which it takes the first value.
fn takes_left(instruction: Instruction, bools: &[Words], valid: &[Words], len: usize) -> Words {
    let mut out = [0; WORDS];
    match instruction {
        Instruction::Coalesce(left, _) => out = valid[left],
        Instruction::When(condition, ..) => {
            each(&mut out, len, |word| bools[condition][word] & valid[condition][word]);
        }
        _ => {}
    }
    out
}

/// Sets the words of so many rows; those behind keep what was in them, and nobody reads it.
#[inline(always)]
fn each(out: &mut Words, len: usize, mut value: impl FnMut(usize) -> u64) {
    for (word, out) in out.iter_mut().enumerate().take(words(len)) {
        *out = value(word);
    }
}

/// The rows of a chunk, wherever they lie.
#[derive(Clone, Copy)]
struct Rows<'a> {
    columns: &'a [Column<'a>],
    in_place: &'a [Option<usize>],
    start: usize,
    len: usize,
}

impl<'a> Rows<'a> {
    fn floats(&self, registers: &'a [Vec<f64>], at: Register) -> &'a [f64] {
        if let Some(input) = self.in_place[at]
            && let Values::Floats(values) = self.columns[input].values
        {
            return &values[self.start..self.start + self.len];
        }
        &registers[at][..self.len]
    }

    fn ints(&self, registers: &'a [Vec<i64>], at: Register) -> &'a [i64] {
        if let Some(input) = self.in_place[at]
            && let Values::Ints(values) = self.columns[input].values
        {
            return &values[self.start..self.start + self.len];
        }
        &registers[at][..self.len]
    }
}
