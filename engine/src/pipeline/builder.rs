//! The pipeline as a user writes it: a list of steps, checked when it is run or opened.

use std::sync::Arc;

use arrow::datatypes::{SchemaRef, TimeUnit};

use super::aggregate::Aggregate;
use super::files::{File, Opened};
use super::join::Lookup;
use super::marks::RowMarks;
use super::window::{History, Last, Window};
use crate::batch::Batch;
use crate::expr::{Expr, Filter, Select, WithColumn};
use crate::operator::MapOperator;
use crate::score::alert::AlertPolicy;
use crate::score::detect::Feedback;
use crate::score::{Explain, RuleSet, ScoreColumn, Scorer};
use crate::sink::Sink;
use crate::time::{Span, days};

/// How far behind the largest time a row may come without being late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermark {
    pub(crate) delay: Span,
    pub(crate) ahead: Option<Span>,
    pub(crate) idle: Option<Span>,
}

impl Watermark {
    /// Rows come out of order by at most `delay`; those that come later are late.
    pub fn bounded(delay: Span) -> Self {
        Self { delay, ahead: Some(days(1)), idle: None }
    }

    /// A row whose time is more than `bound` ahead of the largest so far is rejected as
    /// implausible (default 1 day), so that one bad clock cannot make all others late; `None`
    /// turns the check off.
    #[must_use]
    pub fn implausible_after(mut self, bound: Option<Span>) -> Self {
        self.ahead = bound;
        self
    }

    /// Live runs: a partition that has been silent this long holds no window back.
    #[must_use]
    pub fn idle_after(mut self, idle: Span) -> Self {
        self.idle = Some(idle);
        self
    }
}

/// Where rows come from.
pub(crate) enum Input {
    Files(Vec<File>),
    Opened(Vec<Opened>),
    /// Rows are pushed, or come from an iterator; their schema.
    Pushed(SchemaRef),
}

/// What each batch is shown to, on its way, by [`Pipeline::inspect`].
pub type Inspector = Arc<dyn Fn(&Batch) + Send + Sync>;

#[derive(Clone)]
pub(crate) enum Step {
    Over {
        keys: Vec<String>,
        horizons: Vec<Last>,
        aggregates: Vec<Aggregate>,
        waits: bool,
        key_ttl: Option<Span>,
    },
    History {
        keys: Vec<String>,
        history: History,
        key_ttl: Option<Span>,
    },
    Window {
        keys: Vec<String>,
        window: Window,
        aggregates: Vec<Aggregate>,
    },
    Lookup(Arc<Lookup>),
    ByTime,
    Detect {
        keys: Vec<String>,
        name: String,
        columns: Vec<String>,
        method: String,
        feedback: Option<Feedback>,
    },
    Alerts {
        keys: Vec<String>,
        name: String,
        policy: AlertPolicy,
    },
    Column(Arc<WithColumn>),
    Rules(Arc<RuleSet>),
    Map(Arc<dyn MapOperator>),
    Inspect(Inspector, Option<Vec<String>>),
}

/// Where rows go.
pub(crate) enum Output {
    File(File),
    Sink(Box<dyn Sink>),
}

/// The column of event times.
pub(crate) struct EventTime {
    pub(crate) column: String,
    /// Of integers.
    pub(crate) unit: Option<TimeUnit>,
    pub(crate) watermark: Watermark,
}

/// A plan from input to output. Nothing happens until [`Pipeline::run`] or [`Pipeline::open`].
pub struct Pipeline {
    pub(crate) input: Input,
    pub(crate) time: Option<EventTime>,
    pub(crate) steps: Vec<Step>,
    pub(crate) keys: Vec<String>,
    /// Of the over windows that follow.
    key_ttl: Option<Span>,
    pub(crate) output: Option<Output>,
    pub(crate) late: Option<File>,
    pub(crate) dead_letters: Option<File>,
}

impl Pipeline {
    /// Reads a file.
    pub fn read(file: File) -> Self {
        Self::read_all([file])
    }

    /// Reads several files, one after the other, in the order given: each is a partition.
    pub fn read_all(files: impl IntoIterator<Item = File>) -> Self {
        Self::new(Input::Files(files.into_iter().collect()))
    }

    /// Reads a file that has been opened.
    pub fn read_opened(file: Opened) -> Self {
        Self::new(Input::Opened(vec![file]))
    }

    /// Reads several files that have been opened, one after the other: each is a partition.
    pub fn read_all_opened(files: impl IntoIterator<Item = Opened>) -> Self {
        Self::new(Input::Opened(files.into_iter().collect()))
    }

    /// Takes rows that are pushed ([`Pipeline::open`]) or iterated ([`Pipeline::run_rows`]).
    pub fn rows(schema: SchemaRef) -> Self {
        Self::new(Input::Pushed(schema))
    }

    fn new(input: Input) -> Self {
        Self {
            input,
            time: None,
            steps: Vec::new(),
            keys: Vec::new(),
            key_ttl: None,
            output: None,
            late: None,
            dead_letters: None,
        }
    }

    /// The column that says when each row happened (a timestamp column), and how disorderly
    /// the rows come.
    #[must_use]
    pub fn event_time(mut self, column: &str, watermark: Watermark) -> Self {
        self.time = Some(EventTime { column: column.to_owned(), unit: None, watermark });
        self
    }

    /// As [`Pipeline::event_time`], for a column of integers that count in this unit.
    #[must_use]
    pub fn event_time_in(mut self, column: &str, unit: TimeUnit, watermark: Watermark) -> Self {
        self.time = Some(EventTime { column: column.to_owned(), unit: Some(unit), watermark });
        self
    }

    /// The key of the windows that follow, until the next `key_by`.
    #[must_use]
    pub fn key_by<'a>(mut self, columns: impl IntoIterator<Item = &'a str>) -> Self {
        self.keys = columns.into_iter().map(str::to_owned).collect();
        self
    }

    /// Forgets keys that have been idle for so long, in what follows about previous rows
    /// ([`Pipeline::with`]) and in over windows of the same keys: a row that comes so much, or
    /// more, after its key's row before it has no previous row. Memory then depends on the keys of
    /// that time, and not on all that ever came. At least as long as the longest horizon, its
    /// delay included; nothing else can tell when a key is forgotten. Over windows without
    /// columns about the previous row forget keys that no horizon reaches unasked. For windows:
    /// [`Window::forget_keys_after`].
    #[must_use]
    pub fn forget_keys_after(mut self, idle: Span) -> Self {
        self.key_ttl = Some(idle);
        self
    }

    /// Adds to each row the aggregates of its key's rows, for each horizon, exact and at
    /// arrival. May be called again for the same key with other horizons: all are computed from
    /// one log in one pass.
    #[must_use]
    pub fn over(
        self,
        horizons: impl IntoIterator<Item = Last>,
        aggregates: impl IntoIterator<Item = Aggregate>,
    ) -> Self {
        self.over_answered(false, horizons, aggregates)
    }

    /// As [`Pipeline::over`], answered once the watermark has passed the row's time: exact by
    /// event time, whatever the disorder, rows of the same time counting for each other. Any
    /// aggregate of windows is possible, filters and `distinct` too, and horizons by rows
    /// ([`last_n`](super::last_n)). Rows come out by (time, position); late rows are set aside;
    /// dictionaries come out as their values. Windows may follow
    /// ([`Pipeline::window`]), given out once.
    #[must_use]
    pub fn over_at_watermark(
        self,
        horizons: impl IntoIterator<Item = Last>,
        aggregates: impl IntoIterator<Item = Aggregate>,
    ) -> Self {
        self.over_answered(true, horizons, aggregates)
    }

    fn over_answered(
        mut self,
        waits: bool,
        horizons: impl IntoIterator<Item = Last>,
        aggregates: impl IntoIterator<Item = Aggregate>,
    ) -> Self {
        self.steps.push(Step::Over {
            keys: self.keys.clone(),
            horizons: horizons.into_iter().collect(),
            aggregates: aggregates.into_iter().collect(),
            waits,
            key_ttl: self.key_ttl,
        });
        self
    }

    /// Adds to each row something about its key's previous row.
    #[must_use]
    pub fn with(mut self, history: History) -> Self {
        let (keys, key_ttl) = (self.keys.clone(), self.key_ttl);
        self.steps.push(Step::History { keys, history, key_ttl });
        self
    }

    /// Replaces the rows by windows of them: `window_start`, `window_end`, the keys, the
    /// aggregates. Late rows are set aside.
    #[must_use]
    pub fn window(
        mut self,
        window: Window,
        aggregates: impl IntoIterator<Item = Aggregate>,
    ) -> Self {
        let aggregates = aggregates.into_iter().collect();
        self.steps.push(Step::Window { keys: self.keys.clone(), window, aggregates });
        self
    }

    /// Adds the columns of a static table's row to each row that has its key.
    #[must_use]
    pub fn lookup(mut self, table: Lookup) -> Self {
        self.steps.push(Step::Lookup(Arc::new(table)));
        self
    }

    /// Adds a computed column.
    #[must_use]
    pub fn column(mut self, name: &str, expr: Expr) -> Self {
        self.steps.push(Step::Column(Arc::new(WithColumn::new(name, expr))));
        self
    }

    /// Keeps the rows for which the condition is true.
    #[must_use]
    pub fn filter(self, condition: Expr) -> Self {
        self.map(Filter::new(condition))
    }

    /// Keeps these columns, in this order.
    #[must_use]
    pub fn select<'a>(self, columns: impl IntoIterator<Item = &'a str>) -> Self {
        self.map(Select::new(columns))
    }

    /// Adds the column `rules`: which rules hold, a bit each.
    #[must_use]
    pub fn rules(mut self, rules: RuleSet) -> Self {
        self.steps.push(Step::Rules(Arc::new(rules)));
        self
    }

    /// Adds a model's score of each row as the column `name` (Float64); of a model of several
    /// classes a column each (`name_0`, `name_1`, …).
    #[must_use]
    pub fn score(self, name: &str, scorer: impl Scorer + 'static) -> Self {
        self.map(ScoreColumn::new(name, scorer))
    }

    /// Rows wait until the watermark has passed them, and go on by (time, position): behind this,
    /// what learns from rows in the order in which they come learns by event time, whatever the
    /// disorder. Late rows are set aside; dictionaries come out as their values.
    #[must_use]
    pub fn by_time(mut self) -> Self {
        self.steps.push(Step::ByTime);
        self
    }

    /// Adds what a detector that learns from the stream thinks of each row, one state a key:
    /// `NAME_score`, `NAME_probability`, `NAME_flag`, `NAME_warming_up`, and, of several columns,
    /// `NAME_contribution_COLUMN` where the method can tell (see [`crate::score::detect`]; an empty
    /// name: without `NAME_`). `method` is `auto` or another name of
    /// [`pelton_scoring::detect::METHODS`]. Rows are learned from as they arrive, or, behind
    /// [`Pipeline::by_time`], by event time.
    ///
    /// ```
    /// use pelton::pipeline::{Csv, Pipeline, Watermark};
    /// use pelton::score::alert::AlertPolicy;
    /// use pelton::time::{days, seconds};
    ///
    /// let alerts = Pipeline::read(Csv::file("machines.csv"))
    ///     .event_time("ts", Watermark::bounded(seconds(2)))
    ///     .key_by(["machine"])
    ///     .by_time()
    ///     .detect("load", ["cpu", "memory"], "auto")
    ///     .alerts("load", AlertPolicy::default().budget(5, days(1)));
    /// ```
    #[must_use]
    pub fn detect<'a>(
        self,
        name: &str,
        columns: impl IntoIterator<Item = &'a str>,
        method: &str,
    ) -> Self {
        self.detect_step(name, columns, method, None)
    }

    /// [`Pipeline::detect`] by a method that is told by a column of labels which of its rows were
    /// anomalies, at once or after a while (see [`Feedback`]); a method that has no use for that
    /// is refused.
    ///
    /// ```
    /// use pelton::pipeline::{Csv, Pipeline, Watermark};
    /// use pelton::score::detect::Feedback;
    /// use pelton::time::{days, seconds};
    ///
    /// let scored = Pipeline::read(Csv::file("machines.csv"))
    ///     .event_time("ts", Watermark::bounded(seconds(2)))
    ///     .key_by(["machine"])
    ///     .by_time()
    ///     .detect_with_feedback("load", ["cpu"], "auto", Feedback::from("fault").after(days(1)));
    /// ```
    #[must_use]
    pub fn detect_with_feedback<'a>(
        self,
        name: &str,
        columns: impl IntoIterator<Item = &'a str>,
        method: &str,
        feedback: Feedback,
    ) -> Self {
        self.detect_step(name, columns, method, Some(feedback))
    }

    fn detect_step<'a>(
        mut self,
        name: &str,
        columns: impl IntoIterator<Item = &'a str>,
        method: &str,
        feedback: Option<Feedback>,
    ) -> Self {
        self.steps.push(Step::Detect {
            keys: self.keys.clone(),
            name: name.to_owned(),
            columns: columns.into_iter().map(str::to_owned).collect(),
            method: method.to_owned(),
            feedback,
        });
        self
    }

    /// Adds `NAME_alert` and `NAME_incident`: which rows of the detector of this name raise an
    /// alert, and which belong to one incident (see [`crate::score::alert`]). Incidents are those
    /// of the keys of the last `key_by`; a budget is for all keys.
    #[must_use]
    pub fn alerts(mut self, name: &str, policy: AlertPolicy) -> Self {
        self.steps.push(Step::Alerts { keys: self.keys.clone(), name: name.to_owned(), policy });
        self
    }

    /// Adds the column `reasons`: why each row is what it is (after a filter, as it costs).
    #[must_use]
    pub fn explain(self, explain: Explain) -> Self {
        self.map(explain)
    }

    /// Adds the columns `partition` and `offset` (where the row stands in the input, UInt32 and
    /// UInt64) and `late` (Boolean: it came later than the watermark's delay).
    #[must_use]
    pub fn mark_rows(self) -> Self {
        self.map(RowMarks::default())
    }

    /// Adds a step of one's own.
    #[must_use]
    pub fn map(mut self, operator: impl MapOperator + 'static) -> Self {
        self.steps.push(Step::Map(Arc::new(operator)));
        self
    }

    /// Shows every batch to a function at this point. With several shards it is called from
    /// several threads, in any order.
    #[must_use]
    pub fn inspect(mut self, inspector: impl Fn(&Batch) + Send + Sync + 'static) -> Self {
        self.steps.push(Step::Inspect(Arc::new(inspector), None));
        self
    }

    /// As [`Pipeline::inspect`], for a function that looks at these columns only: what nobody
    /// looks at is not computed.
    #[must_use]
    pub fn inspect_columns<'a>(
        mut self,
        columns: impl IntoIterator<Item = &'a str>,
        inspector: impl Fn(&Batch) + Send + Sync + 'static,
    ) -> Self {
        let columns = columns.into_iter().map(str::to_owned).collect();
        self.steps.push(Step::Inspect(Arc::new(inspector), Some(columns)));
        self
    }

    /// Where the rows go.
    #[must_use]
    pub fn write(mut self, file: File) -> Self {
        self.output = Some(Output::File(file));
        self
    }

    /// Where the rows go, as a sink of one's own.
    #[must_use]
    pub fn write_to(mut self, sink: impl Sink + 'static) -> Self {
        self.output = Some(Output::Sink(Box::new(sink)));
        self
    }

    /// Where late rows go as well.
    #[must_use]
    pub fn late(mut self, file: File) -> Self {
        self.late = Some(file);
        self
    }

    /// Where rejected rows go, as NDJSON.
    #[must_use]
    pub fn dead_letters(mut self, file: File) -> Self {
        self.dead_letters = Some(file);
        self
    }
}
