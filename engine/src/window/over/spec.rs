//! What an over operator computes: horizons, and aggregates of them, in the units of the data.

use crate::error::{Error, Result};

/// An interval that ends at (or `delay` before) each row's time: `(t − delay − length, t − delay]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Horizon {
    /// Length, in units of the time column; above 0.
    pub length: i64,
    /// How long before the row's time it ends; 0 or more.
    pub delay: i64,
}

/// How the values of a measure are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeasureKind {
    /// Integers and timestamps; sums in 64 bits (overflow is an error).
    Integer,
    /// Decimals of this precision and scale, by their unscaled value; sums widen to 38 digits.
    Decimal(u8, i8),
    /// Floats; sums within [`FLOAT_SUM_TOLERANCE`] of the exact value.
    Float,
    /// Booleans: false is 0 and true is 1.
    Boolean,
}

/// Relative error bound of float sums and means over windows: the running value is a
/// double-double (about 106 bits), so what is left is the rounding to f64, unless more than
/// half of those bits cancel.
pub const FLOAT_SUM_TOLERANCE: f64 = 1e-15;

/// A column whose values are summed.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// The column.
    pub column: String,
    /// How its values are held.
    pub kind: MeasureKind,
}

/// One computed column. `h`, `m` and `c` index the plan's horizons, measures and codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Rows in the window.
    Count {
        /// Horizon.
        h: usize,
    },
    /// Rows in the window whose measure is not null.
    CountValid {
        /// Horizon.
        h: usize,
        /// Measure.
        m: usize,
    },
    /// Sum of a measure; null where no value is.
    Sum {
        /// Horizon.
        h: usize,
        /// Measure.
        m: usize,
    },
    /// Mean of a measure as f64; null where no value is.
    Mean {
        /// Horizon.
        h: usize,
        /// Measure.
        m: usize,
    },
    /// Sample standard deviation of a measure as f64; null below two values.
    StdDev {
        /// Horizon.
        h: usize,
        /// Measure.
        m: usize,
    },
    /// As `Mean`, without the current row.
    OwnMean {
        /// Horizon.
        h: usize,
        /// Measure.
        m: usize,
    },
    /// As `StdDev`, without the current row.
    OwnStdDev {
        /// Horizon.
        h: usize,
        /// Measure.
        m: usize,
    },
    /// Different non-null values of a code column.
    Distinct {
        /// Horizon.
        h: usize,
        /// Code column.
        c: usize,
    },
    /// Rows of the window that have the current row's value of a code column.
    CountSame {
        /// Horizon.
        h: usize,
        /// Code column.
        c: usize,
    },
    /// Time since the key's previous row, in seconds (f64); null on the first.
    SincePrevious,
    /// Great-circle distance to the key's previous place, km; null on the first.
    DistanceKm,
    /// Speed from the key's previous place, km/h; null on the first, and where no time passed.
    SpeedKmh,
}

impl Output {
    /// Whether it is about the key's previous row, however long ago that was.
    pub(super) fn is_history(self) -> bool {
        matches!(self, Self::SincePrevious | Self::DistanceKm | Self::SpeedKmh)
    }
}

type Indices<'a> = (Option<&'a mut usize>, Option<&'a mut usize>, Option<&'a mut usize>);

impl Output {
    /// Horizon, measure and code that it needs.
    fn indices(&self) -> (Option<usize>, Option<usize>, Option<usize>) {
        let mut copy = *self;
        let (h, m, c) = copy.indices_mut();
        (h.copied(), m.copied(), c.copied())
    }

    fn indices_mut(&mut self) -> Indices<'_> {
        match self {
            Self::Count { h } => (Some(h), None, None),
            Self::CountValid { h, m }
            | Self::Sum { h, m }
            | Self::Mean { h, m }
            | Self::StdDev { h, m }
            | Self::OwnMean { h, m }
            | Self::OwnStdDev { h, m } => (Some(h), Some(m), None),
            Self::Distinct { h, c } | Self::CountSame { h, c } => (Some(h), None, Some(c)),
            Self::SincePrevious | Self::DistanceKm | Self::SpeedKmh => (None, None, None),
        }
    }
}

/// All that one over operator computes for one key.
#[derive(Debug, Clone, Default)]
pub struct OverPlan {
    /// The key columns.
    pub keys: Vec<String>,
    /// Columns summed.
    pub measures: Vec<Measure>,
    /// Columns whose distinct values are counted.
    pub codes: Vec<String>,
    /// Latitude and longitude columns, in degrees.
    pub place: Option<(String, String)>,
    /// The horizons.
    pub horizons: Vec<Horizon>,
    /// The computed columns and their names.
    pub outputs: Vec<(String, Output)>,
    /// Units of the time column in a second.
    pub units_per_second: i64,
    /// The watermark's delay, in units: rows later than it may find their history forgotten.
    pub delay: i64,
    /// A row that comes so much, or more, after its key's row before it has no previous row, and
    /// keys that have been idle so long are forgotten; in units, at least the longest length +
    /// delay. `None`: where a column is about the previous row, every key is known for ever.
    pub key_ttl: Option<i64>,
}

impl OverPlan {
    /// How much longer than the longest horizon rows are remembered for the sake of late ones:
    /// the delay, or a sixteenth of the reach, whichever is more.
    pub fn memory_slack(&self) -> i64 {
        self.delay.max(self.reach() / 16)
    }

    /// Longest length + delay.
    pub fn reach(&self) -> i64 {
        self.horizons.iter().map(|h| h.length.saturating_add(h.delay)).max().unwrap_or(0)
    }

    /// Whether a horizon keeps a measure's sum, and its sum of squares.
    pub(super) fn needs(&self, horizon: usize, measure: usize) -> (bool, bool) {
        let mut sum = false;
        let mut squares = false;
        for (_, output) in &self.outputs {
            match *output {
                Output::CountValid { h, m }
                | Output::Sum { h, m }
                | Output::Mean { h, m }
                | Output::OwnMean { h, m }
                    if (h, m) == (horizon, measure) =>
                {
                    sum = true;
                }
                Output::StdDev { h, m } | Output::OwnStdDev { h, m }
                    if (h, m) == (horizon, measure) =>
                {
                    sum = true;
                    squares = true;
                }
                _ => {}
            }
        }
        (sum, squares)
    }

    /// Takes out horizons, measures, codes and places that no output needs.
    pub(crate) fn drop_unused(&mut self) {
        let used = |of: &dyn Fn(&Output) -> Option<usize>, n: usize| -> Vec<usize> {
            let mut kept = vec![false; n];
            self.outputs.iter().filter_map(|(_, o)| of(o)).for_each(|i| kept[i] = true);
            (0..n).filter(|&i| kept[i]).collect()
        };
        let horizons = used(&|o| o.indices().0, self.horizons.len());
        let measures = used(&|o| o.indices().1, self.measures.len());
        let codes = used(&|o| o.indices().2, self.codes.len());
        let places = [Output::DistanceKm, Output::SpeedKmh];
        if !self.outputs.iter().any(|(_, output)| places.contains(output)) {
            self.place = None;
        }
        self.horizons = horizons.iter().map(|&h| self.horizons[h]).collect();
        self.measures = measures.iter().map(|&m| self.measures[m].clone()).collect();
        self.codes = codes.iter().map(|&c| self.codes[c].clone()).collect();
        let place = |kept: &[usize], i: usize| kept.iter().position(|&k| k == i).unwrap_or(0);
        for (_, output) in &mut self.outputs {
            let (h, m, c) = output.indices_mut();
            for (index, kept) in [(h, &horizons), (m, &measures), (c, &codes)] {
                if let Some(index) = index {
                    *index = place(kept, *index);
                }
            }
        }
    }

    /// Checks what the layout and the arithmetic rely on.
    ///
    /// # Errors
    /// Where a length is not positive, a delay negative, keys would be forgotten that a horizon
    /// still reaches, or there are more measures than fit.
    pub fn validate(&self) -> Result<()> {
        if self.measures.len() > super::layout::MEASURES_MAX {
            return Err(Error::usage(format!(
                "{} columns are aggregated over one key; at most {} fit",
                self.measures.len(),
                super::layout::MEASURES_MAX
            )));
        }
        for horizon in &self.horizons {
            if horizon.length <= 0 || horizon.delay < 0 {
                return Err(Error::usage(format!(
                    "a horizon of length {} and delay {}: the length must be above 0 and the \
                     delay not below 0",
                    horizon.length, horizon.delay
                )));
            }
        }
        if self.key_ttl.is_some_and(|key_ttl| key_ttl <= 0 || key_ttl < self.reach()) {
            return Err(Error::usage("keys would be forgotten that a horizon still reaches")
                .advise(
                    "give keys a time to live of at least the longest horizon, its delay included",
                ));
        }
        let words = super::layout::Layout::new(self, false).entry_words;
        if words > super::layout::ENTRY_WORDS_MAX {
            return Err(Error::usage(format!(
                "a row of one key's log would take {words} words; at most {} are possible",
                super::layout::ENTRY_WORDS_MAX
            ))
            .advise("aggregate fewer columns over this key"));
        }
        Ok(())
    }
}
