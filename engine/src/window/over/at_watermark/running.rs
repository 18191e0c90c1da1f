//! What is kept of a key's window beside counts and 64-bit sums: wide sums, squares, floats,
//! numbers of nulls, and extremes. Each is a [`Running`] of the walk along the log.
//!
//! **Extremes** are a monotone deque a key (D. Knuth's "deque"; the sliding minimum of Lemire,
//! "Streaming maximum-minimum filter", 2006): the rows of the window of which none later is at
//! least as extreme. Its front is the answer; a row that comes pops what it beats off the back.
//! The deques of all keys are threaded through the log itself: for each row the rows of its deque
//! before and behind it, by their numbers modulo 2³², so a key has no memory of its own but the
//! two ends.

use pelton_kernels::over_advance::Running;

use super::super::numbers::{DoubleDouble, NonFinite, two_square};

/// Sums of values that 64 bits might not hold.
pub(super) struct WideSum<'a, V> {
    pub(super) values: &'a [V],
    pub(super) out: &'a mut [i128],
}

impl<V: Copy + Into<i128>> Running for WideSum<'_, V> {
    type State = i128;

    fn enter(&mut self, state: &mut i128, row: usize) {
        *state = state.wrapping_add(self.values[row].into());
    }

    fn leave(&mut self, state: &mut i128, row: usize) {
        *state = state.wrapping_sub(self.values[row].into());
    }

    fn answer(&mut self, state: &i128, i: usize) {
        self.out[i] = *state;
    }
}

/// A value that can be squared.
pub(super) trait Square: Copy {
    /// Its square, where 128 bits hold it.
    fn square(self) -> Option<i128>;
}

impl Square for i64 {
    #[inline(always)]
    fn square(self) -> Option<i128> {
        Some(i128::from(self) * i128::from(self))
    }
}

impl Square for i128 {
    fn square(self) -> Option<i128> {
        self.checked_mul(self)
    }
}

/// Sums of squares of integers.
pub(super) struct Squares<'a, V> {
    pub(super) values: &'a [V],
    pub(super) out: &'a mut [i128],
    /// Whether 128 bits did not hold one.
    pub(super) overflows: bool,
}

impl<V: Square> Running for Squares<'_, V> {
    type State = i128;

    fn enter(&mut self, state: &mut i128, row: usize) {
        match self.values[row].square().and_then(|square| state.checked_add(square)) {
            Some(sum) => *state = sum,
            None => self.overflows = true,
        }
    }

    fn leave(&mut self, state: &mut i128, row: usize) {
        *state = state.wrapping_sub(self.values[row].square().unwrap_or(0));
    }

    fn answer(&mut self, state: &i128, i: usize) {
        self.out[i] = *state;
    }
}

/// Numbers of nulls.
pub(super) struct Nulls<'a> {
    pub(super) nulls: &'a [bool],
    pub(super) out: &'a mut [i64],
}

impl Running for Nulls<'_> {
    type State = u32;

    fn enter(&mut self, state: &mut u32, row: usize) {
        *state += u32::from(self.nulls[row]);
    }

    fn leave(&mut self, state: &mut u32, row: usize) {
        *state -= u32::from(self.nulls[row]);
    }

    fn answer(&mut self, state: &u32, i: usize) {
        self.out[i] = i64::from(*state);
    }
}

/// Sum of a window's floats: finite ones as a double-double, the others counted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FloatState {
    pub(super) sum: DoubleDouble,
    pub(super) other: NonFinite,
    /// Finite values: a sum of none is exactly 0.
    finite: u32,
}

impl FloatState {
    #[inline]
    fn step<const ADD: bool>(&mut self, value: f64) {
        if !value.is_finite() {
            self.other = self.other.count(value, ADD);
            return;
        }
        self.finite = if ADD { self.finite + 1 } else { self.finite - 1 };
        self.sum = match self.finite {
            0 => DoubleDouble::default(),
            _ => self.sum.add(if ADD { value } else { -value }),
        };
    }

    /// The sum without one of its values.
    pub(super) fn without(mut self, value: f64) -> Self {
        self.step::<false>(value);
        self
    }

    /// What it adds up to.
    pub(super) fn value(&self) -> f64 {
        self.other.sum().unwrap_or_else(|| self.sum.value())
    }
}

/// Sums of floats.
pub(super) struct FloatSum<'a> {
    pub(super) values: &'a [f64],
    /// Nulls have entered as 0, which changes no sum, but may keep one from being exactly 0.
    pub(super) nulls: Option<&'a [bool]>,
    pub(super) out: &'a mut [FloatState],
}

impl Running for FloatSum<'_> {
    type State = FloatState;

    fn enter(&mut self, state: &mut FloatState, row: usize) {
        if !self.nulls.is_some_and(|nulls| nulls[row]) {
            state.step::<true>(self.values[row]);
        }
    }

    fn leave(&mut self, state: &mut FloatState, row: usize) {
        if !self.nulls.is_some_and(|nulls| nulls[row]) {
            state.step::<false>(self.values[row]);
        }
    }

    fn answer(&mut self, state: &FloatState, i: usize) {
        self.out[i] = *state;
    }
}

/// Sum of squares of a window's floats, and the number of finite ones.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FloatSquare {
    pub(super) squares: DoubleDouble,
    finite: u32,
}

impl FloatSquare {
    /// The sum without one of its values.
    pub(super) fn without(mut self, value: f64) -> Self {
        if !value.is_finite() {
            return self;
        }
        let (square, rest) = two_square(value);
        self.finite -= 1;
        self.squares = match self.finite {
            0 => DoubleDouble::default(),
            _ => self.squares.add(-square).add(-rest),
        };
        self
    }
}

/// Sums of squares of floats.
pub(super) struct FloatSquares<'a> {
    pub(super) values: &'a [f64],
    pub(super) nulls: Option<&'a [bool]>,
    pub(super) out: &'a mut [FloatSquare],
}

impl FloatSquares<'_> {
    fn value(&self, row: usize) -> Option<f64> {
        let value = self.values[row];
        (value.is_finite() && !self.nulls.is_some_and(|nulls| nulls[row])).then_some(value)
    }
}

impl Running for FloatSquares<'_> {
    type State = FloatSquare;

    fn enter(&mut self, state: &mut FloatSquare, row: usize) {
        if let Some(value) = self.value(row) {
            let (square, rest) = two_square(value);
            state.squares = state.squares.add(square).add(rest);
            state.finite += 1;
        }
    }

    fn leave(&mut self, state: &mut FloatSquare, row: usize) {
        if let Some(value) = self.value(row) {
            *state = state.without(value);
        }
    }

    fn answer(&mut self, state: &FloatSquare, i: usize) {
        self.out[i] = *state;
    }
}

/// The ends of a key's deque, as numbers of rows; no row: empty.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ends {
    front: u32,
    back: u32,
    rows: u32,
}

/// The deques of all keys of a horizon: for each row of the log its neighbours.
#[derive(Debug, Default)]
pub(super) struct Links {
    pub(super) ends: Vec<Ends>,
    /// Rows before and behind, by row of the log.
    pub(super) before: Vec<u32>,
    pub(super) behind: Vec<u32>,
}

/// Least values, by a rank of values; the greatest are the least of turned ranks.
pub(super) struct Least<'a, V, F> {
    pub(super) values: &'a [V],
    pub(super) nulls: Option<&'a [bool]>,
    pub(super) rank: F,
    /// Number of the log's first row.
    pub(super) base: u32,
    pub(super) before: &'a mut [u32],
    pub(super) behind: &'a mut [u32],
    /// The row that holds the answer; `u32::MAX`: none.
    pub(super) out: &'a mut [u32],
}

impl<V: Copy, K: Ord, F: Fn(V) -> K> Least<'_, V, F> {
    #[inline]
    fn row(&self, number: u32) -> usize {
        number.wrapping_sub(self.base) as usize
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls[row])
    }
}

impl<V: Copy, K: Ord, F: Fn(V) -> K> Running for Least<'_, V, F> {
    type State = Ends;

    fn enter(&mut self, state: &mut Ends, row: usize) {
        if self.is_null(row) {
            return;
        }
        let rank = (self.rank)(self.values[row]);
        let number = self.base.wrapping_add(row as u32);
        while state.rows > 0 && (self.rank)(self.values[self.row(state.back)]) >= rank {
            state.rows -= 1;
            state.back = self.before[self.row(state.back)];
        }
        if state.rows == 0 {
            state.front = number;
        } else {
            self.before[row] = state.back;
            let back = self.row(state.back);
            self.behind[back] = number;
        }
        state.back = number;
        state.rows += 1;
    }

    fn leave(&mut self, state: &mut Ends, row: usize) {
        if state.rows > 0 && self.row(state.front) == row {
            state.rows -= 1;
            state.front = self.behind[row];
        }
    }

    fn answer(&mut self, state: &Ends, i: usize) {
        self.out[i] = if state.rows == 0 { u32::MAX } else { state.front.wrapping_sub(self.base) };
    }
}
