//! The number of different values in 4 KiB: HyperLogLog (Flajolet, Fusy, Gandouet, Meunier, 2007)
//! with 64-bit hashes, and the estimator of Ertl ("New cardinality estimation algorithms for
//! HyperLogLog sketches", arXiv:1702.01284, 2017), which needs no table of corrections and holds
//! from 0 on. Registers are maxima: neither order nor repetition matters.
//!
//! A few values are kept as a sorted list of (register, rank) until that takes as much room.

use arrow::datatypes::DataType;

use super::hash::hash64;
use super::{AggregateFunction, Row, Value};
use crate::error::Result;

/// Standard error of an approximate distinct count: 1.04 / √4096.
pub const APPROX_DISTINCT_ERROR: f64 = 0.01625;

/// Registers are numbered by so many bits of the hash.
const INDEX_BITS: u32 = 12;
const REGISTERS: usize = 1 << INDEX_BITS;
/// Ranks from the other bits: 1 to this + 1.
const RANK_BITS: u32 = 64 - INDEX_BITS;
/// Most entries of a list: four bytes each, a quarter of the registers.
const SPARSE_MAX: usize = REGISTERS / 16;

/// The number of different values, approximately.
#[derive(Debug)]
pub(super) struct ApproxDistinct;

/// The greatest rank of each register.
#[derive(Debug, Clone)]
pub(super) enum Registers {
    /// Register and rank, by register; no rank is 0.
    Sparse(Vec<(u16, u8)>),
    Dense(Box<[u8; REGISTERS]>),
}

impl Registers {
    fn raise(&mut self, register: u16, rank: u8) {
        match self {
            Self::Sparse(list) => {
                match list.binary_search_by_key(&register, |known| known.0) {
                    Ok(at) => list[at].1 = list[at].1.max(rank),
                    Err(at) => list.insert(at, (register, rank)),
                }
                if list.len() > SPARSE_MAX {
                    let mut dense = Box::new([0; REGISTERS]);
                    list.iter().for_each(|&(register, rank)| dense[register as usize] = rank);
                    *self = Self::Dense(dense);
                }
            }
            Self::Dense(ranks) => {
                let known = &mut ranks[register as usize];
                *known = (*known).max(rank);
            }
        }
    }

    fn estimate(&self) -> f64 {
        let mut counts = [0u32; RANK_BITS as usize + 2];
        match self {
            Self::Sparse(list) => {
                counts[0] = (REGISTERS - list.len()) as u32;
                list.iter().for_each(|&(_, rank)| counts[rank as usize] += 1);
            }
            Self::Dense(ranks) => ranks.iter().for_each(|&rank| counts[rank as usize] += 1),
        }
        let m = REGISTERS as f64;
        let share = |count: u32| f64::from(count) / m;
        let mut z = m * tau(1.0 - share(counts[RANK_BITS as usize + 1]));
        for &count in counts[1..=RANK_BITS as usize].iter().rev() {
            z = 0.5 * (z + f64::from(count));
        }
        z += m * sigma(share(counts[0]));
        m * m / (2.0 * std::f64::consts::LN_2 * z)
    }
}

/// Σ x^(2^k) · 2^(k−1): what empty registers stand for (Ertl, formula 15).
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// What registers at the last rank stand for (Ertl, formula 16).
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

impl AggregateFunction for ApproxDistinct {
    type State = Registers;

    fn output_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn empty(&self) -> Registers {
        Registers::Sparse(Vec::new())
    }

    fn lift(&self, row: &Row<'_>) -> Result<Registers> {
        super::lifted(self, row)
    }

    fn add(&self, state: &mut Registers, row: &Row<'_>) -> Result<()> {
        let hash = hash64(row.values[0]);
        let register = (hash >> RANK_BITS) as u16;
        // A bit behind the last one ends the count of zeros.
        let rank = ((hash << INDEX_BITS) | 1 << (INDEX_BITS - 1)).leading_zeros() as u8 + 1;
        state.raise(register, rank);
        Ok(())
    }

    fn combine(&self, state: &mut Registers, later: &Registers) -> Result<()> {
        match later {
            Registers::Sparse(list) => list.iter().for_each(|&(at, rank)| state.raise(at, rank)),
            Registers::Dense(ranks) => {
                let set = ranks.iter().enumerate().filter(|(_, rank)| **rank > 0);
                set.for_each(|(at, &rank)| state.raise(at as u16, rank));
            }
        }
        Ok(())
    }

    fn lower(&self, state: &Registers) -> Result<Option<Value>> {
        Ok(Some(Value::Int(state.estimate().round() as i64)))
    }

    fn heap_bytes(&self, state: &Registers) -> usize {
        match state {
            Registers::Sparse(list) => list.capacity() * size_of::<(u16, u8)>(),
            Registers::Dense(_) => REGISTERS,
        }
    }
}
