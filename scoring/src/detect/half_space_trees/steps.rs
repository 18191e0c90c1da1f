//! One column: the sum over all trees depends on one number, so it is a staircase.
//!
//! ```text
//! window, sorted:   −1.2  −0.4 │ 0.3  0.9 …      a node's rows lie side by side: those on each
//!                            middle              side of a middle take one search
//! ```
//! The stairs' steps are the middles of all trees. Masses are whole numbers, so that sums of them
//! are exact in any order, and a row costs one search among the steps.

use super::Ways;

/// The staircase of the last window.
#[derive(Debug, Clone, Default)]
pub(super) struct Steps {
    /// Work range of each tree.
    ranges: Vec<(f64, f64)>,
    /// Values of the window that fills.
    rows: Vec<f64>,
    /// Middles in ascending order, and the sum from each on.
    steps: Vec<(f64, f64)>,
    /// The sum below the first step.
    lowest: f64,
    // Buffers.
    sorted: Vec<f64>,
}

impl Steps {
    /// Of trees with these work ranges.
    pub(super) fn new(ranges: Vec<(f64, f64)>) -> Self {
        Self { ranges, ..Self::default() }
    }

    /// The sum over the trees of mass·2^level where `value` ends.
    #[inline]
    pub(super) fn sum(&self, value: f64) -> f64 {
        let above = self.steps.partition_point(|(middle, _)| value >= *middle);
        above.checked_sub(1).map_or(self.lowest, |step| self.steps[step].1)
    }

    /// Remembers a value of the window.
    #[inline]
    pub(super) fn take(&mut self, value: f64) {
        // What is missing is below each middle, as the least number is.
        self.rows.push(if value.is_nan() { f64::NEG_INFINITY } else { value });
    }

    /// The window has ended: its rows become the reference.
    pub(super) fn renew(&mut self, ways: &Ways) {
        std::mem::swap(&mut self.sorted, &mut self.rows);
        self.rows.clear();
        self.rows.reserve_exact(self.sorted.len());
        self.sorted.sort_unstable_by(f64::total_cmp);
        self.steps.clear();
        self.lowest = 0.0;
        for range in &self.ranges {
            let mut builder = Builder {
                ways,
                sorted: &self.sorted,
                steps: &mut self.steps,
                lowest: &mut self.lowest,
                mass: 0.0,
                crossed: None,
            };
            builder.build(*range, 0, (0, self.sorted.len()));
        }
        // What each tree's steps add becomes the sum from there on.
        self.steps.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut sum = self.lowest;
        for (_, step) in &mut self.steps {
            sum += *step;
            *step = sum;
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        (self.rows.capacity() + self.sorted.capacity()) * size_of::<f64>()
            + (self.steps.capacity() + self.ranges.capacity()) * size_of::<(f64, f64)>()
    }
}

/// Goes through the leaves of a tree from left to right.
struct Builder<'a> {
    ways: &'a Ways,
    sorted: &'a [f64],
    steps: &'a mut Vec<(f64, f64)>,
    lowest: &'a mut f64,
    /// Mass of the last leaf, and the middle that was crossed since.
    mass: f64,
    crossed: Option<f64>,
}

impl Builder<'_> {
    /// The node of a range that holds the sorted rows from `first` to before `last`.
    fn build(&mut self, (low, high): (f64, f64), level: u32, (first, last): (usize, usize)) {
        if self.ways.ends_at(last - first, level) {
            let mass = Ways::mass(last - first, level);
            match self.crossed {
                Some(middle) => self.steps.push((middle, mass - self.mass)),
                None => *self.lowest += mass,
            }
            self.mass = mass;
            return;
        }
        let middle = 0.5 * (low + high);
        let border = first + self.sorted[first..last].partition_point(|value| *value < middle);
        self.build((low, middle), level + 1, (first, border));
        self.crossed = Some(middle);
        self.build((middle, high), level + 1, (border, last));
    }
}
