//! Where panes and windows lie: integer arithmetic and nothing else.
//!
//! Window k is [offset + k·slide, offset + k·slide + size). All borders of windows cut time into
//! panes: with size = q·slide + rest, they lie at k·slide and, where rest > 0, at k·slide + rest.
//! So there are one or two panes a slide, and each window is a run of whole panes:
//!
//! ```text
//!  slide 60, size 150 (q = 2, rest = 30)
//!  time    0        60        120       180
//!  panes   | 0 | 1  | 2  | 3  | 4  | 5  |
//!  window 0 ├────────────────────────┤        panes 0 to 4
//!  window 1          ├────────────────────────┤   panes 2 to 6
//! ```
//!
//! Cumulating windows have a pane a step, and window k ends with pane k: of those with one start
//! each is a pane longer than the one before.
//!
//! Numbers are 128 bits wide, so that no time of 64 bits overflows; they are needed once a run
//! of rows, not once a row.

/// The panes and windows of one plan, in units of the time column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    size: i128,
    slide: i128,
    offset: i128,
    /// Whole slides in a window.
    whole: i128,
    /// What is left of the window after them.
    rest: i128,
    /// Cumulating windows: how many there are of one start, each a slide longer than the one
    /// before. Otherwise 0.
    steps: i128,
}

impl Grid {
    /// `size` and `slide` are above zero.
    pub(crate) fn new(size: i64, slide: i64, offset: i64) -> Self {
        let (size, slide) = (i128::from(size), i128::from(slide));
        debug_assert!(size > 0 && slide > 0);
        let (whole, rest) = (size / slide, size % slide);
        Self { size, slide, offset: i128::from(offset), whole, rest, steps: 0 }
    }

    /// Windows that start each `size` and end each `step`; `size` is a multiple of `step`.
    pub(crate) fn cumulating(size: i64, step: i64, offset: i64) -> Self {
        debug_assert!(size % step == 0);
        Self { steps: i128::from(size / step), ..Self::new(size, step, offset) }
    }

    /// Whether each window is one pane.
    pub(crate) fn is_tumbling(&self) -> bool {
        self.size == self.slide
    }

    /// Panes that the longest window has.
    pub(crate) fn panes_a_window(&self) -> i128 {
        let longest = (self.steps - 1).max(0);
        let (first, last) = self.panes_of(longest);
        last - first + 1
    }

    /// The pane that holds a time.
    pub(crate) fn pane_of(&self, time: i64) -> i128 {
        let time = i128::from(time) - self.offset;
        let slide = time.div_euclid(self.slide);
        if self.rest == 0 {
            return slide;
        }
        slide * 2 + i128::from(time.rem_euclid(self.slide) >= self.rest)
    }

    /// Start and end (not included) of a pane.
    pub(crate) fn pane_bounds(&self, pane: i128) -> (i128, i128) {
        if self.rest == 0 {
            let start = self.offset + pane * self.slide;
            return (start, start + self.slide);
        }
        let start = self.offset + pane.div_euclid(2) * self.slide;
        match pane.rem_euclid(2) {
            0 => (start, start + self.rest),
            _ => (start + self.rest, start + self.slide),
        }
    }

    /// The first and the last window that hold a pane; none where the first is above the last
    /// (windows shorter than their slide leave gaps).
    pub(crate) fn windows_of(&self, pane: i128) -> (i128, i128) {
        if self.steps > 0 {
            return (pane, self.cycle_start(pane) + self.steps - 1);
        }
        if self.rest == 0 {
            return (pane - self.whole + 1, pane);
        }
        let slide = pane.div_euclid(2);
        (slide - self.whole + pane.rem_euclid(2), slide)
    }

    /// The first and the last pane of a window.
    pub(crate) fn panes_of(&self, window: i128) -> (i128, i128) {
        if self.steps > 0 {
            return (self.cycle_start(window), window);
        }
        if self.rest == 0 {
            return (window, window + self.whole - 1);
        }
        (window * 2, (window + self.whole) * 2)
    }

    /// The first of the windows that start with this one (cumulating): the pane of that number
    /// is their first.
    fn cycle_start(&self, window: i128) -> i128 {
        window.div_euclid(self.steps) * self.steps
    }

    /// Start and end (not included) of a window.
    pub(crate) fn window_bounds(&self, window: i128) -> (i128, i128) {
        if self.steps > 0 {
            let start = self.offset + self.cycle_start(window) * self.slide;
            return (start, self.offset + (window + 1) * self.slide);
        }
        let start = self.offset + window * self.slide;
        (start, start + self.size)
    }

    /// The first window that a watermark leaves open: window [s, e) closes when no row before e
    /// is expected any more, that is when watermark + 1 ≥ e.
    pub(crate) fn first_open_window(&self, watermark: i64) -> i128 {
        let last_end = i128::from(watermark) + 1 - self.offset;
        if self.steps > 0 {
            return last_end.div_euclid(self.slide);
        }
        (last_end - self.size).div_euclid(self.slide) + 1
    }

    /// The first pane that a watermark leaves open.
    pub(crate) fn first_open_pane(&self, watermark: i64) -> i128 {
        match watermark.checked_add(1) {
            Some(next) => self.pane_of(next),
            None => i128::MAX,
        }
    }
}
