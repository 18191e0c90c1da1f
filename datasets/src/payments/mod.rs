//! A simulated recording of card payments, with labelled frauds of five kinds.
//!
//! Customers live in up to 84 cities, pay mostly at a few favourite terminals near home
//! after their own daily rhythm, spend log-normal amounts around their own median, and now and
//! then make a trip (never faster than 700 km/h from door to door), a big purchase, or the same
//! payment twice: genuine rows that look odd are part of the recording.
//!
//! # Columns
//! | column | type | unit, meaning |
//! |---|---|---|
//! | `ts` | timestamp (µs, UTC) | time of the payment; text formats: integer µs since the epoch |
//! | `card` | int64 | id, dense from 0 |
//! | `terminal` | int64 | id, dense from 0 |
//! | `amount` | decimal(12, 2) | money, in one currency; text formats: two places |
//! | `country` | dictionary (int32, utf8) | ISO 3166 alpha-2, of the place of payment |
//! | `lat` | float64 | degrees north (WGS84) of the terminal, five decimals |
//! | `lon` | float64 | degrees east (WGS84) of the terminal, five decimals |
//! | `is_fraud` | boolean | label |
//! | `fraud_kind` | dictionary (int32, utf8) | see below; null (CSV: empty) where legitimate |
//!
//! # Kinds of fraud
//! About 1 % of the rows; the shares below are of the frauds.
//!
//! | `fraud_kind` | share | what happens |
//! |---|---|---|
//! | `large_amount` | 12 % | a single payment of 8 to 20 times the card's median |
//! | `compromised_terminal` | 30 % | for 24 to 35 days, 90 % of the payments at a terminal are frauds of ordinary amounts |
//! | `multiplied_amount` | 25 % | for 10 to 16 days a card's amounts are 4 to 8 times as large and its payments a third more frequent; 3 in 10 of its usual payments stay genuine |
//! | `impossible_travel` | 13 % | 1 to 3 payments more than 2,000 km away in another country, 5 to 60 minutes after a genuine payment; genuine payments go on |
//! | `card_testing` | 20 % | 12 to 30 payments of 0.50 to 3.00 within 10 minutes at one or two of the customer's own terminals |
//!
//! # Order
//! Rows come in order of arrival: up to 2 s after their time, and one in 2,000 up to 10 minutes
//! after it. So no row is more than 2 s (10 minutes) behind the largest time before it.
//!
//! # Same seed, same bytes
//! See `draws`: no result of a platform's own mathematics, no hash map's order and no clock
//! gets into a recording. A slice of time at a time is held: memory grows with cards, terminals
//! and planned frauds, not with rows.
//!
//! ```
//! use pelton_datasets::payments::{Payments, PaymentsConfig};
//!
//! let payments = Payments::new(PaymentsConfig::new(10_000, 42))?;
//! assert_eq!(payments.map(|batch| batch.num_rows()).sum::<usize>(), 10_000);
//! # Ok::<(), pelton_datasets::Error>(())
//! ```

mod alias;
mod cities;
mod columns;
mod config;
mod frauds;
mod moments;
mod rows;
mod skew;
mod trips;
mod world;

use std::path::Path;

use arrow::array::RecordBatch;

use self::columns::Columns;
pub use self::columns::schema;
pub(crate) use self::columns::{MONEY, dictionary, dictionary_type, fraud_kind_values, time_field};
pub use self::config::{DAYS_MIN, PaymentsConfig, START_US};
pub use self::frauds::FRAUD_KINDS;
pub(crate) use self::frauds::kind;
use self::frauds::plan_frauds;
use self::moments::Slices;
use self::rows::{Row, Rows};
use self::world::World;
use crate::error::Result;
use crate::write::{FileFormat, Written, write_batches};

/// Rows in each batch but the last. Batch borders mean nothing.
pub const BATCH_ROWS: usize = 8_192;

/// The rows of a recording, in order of arrival, as batches of [`schema`].
#[derive(Debug)]
pub struct Payments {
    rows: Rows,
    columns: Columns,
    /// Rows that have arrived, of which the first `taken` are given out.
    arrived: Vec<Row>,
    taken: usize,
}

impl Payments {
    /// Prepares the recording: customers, terminals, and the plan of the frauds.
    ///
    /// # Errors
    /// When the configuration makes no sense; the error names the field.
    pub fn new(config: PaymentsConfig) -> Result<Self> {
        let sizes = config.sizes()?;
        let (mut world, shares) = World::new(&sizes, config.seed);
        let plan = plan_frauds(&sizes, &mut world, &shares, config.seed);
        let own = sizes.rows - plan.rows.len() as u64;
        let slices = Slices::new(&sizes, own, &shares.hour);
        Ok(Self {
            rows: Rows::new(world, plan, slices, sizes.late_millionths, config.seed),
            columns: Columns::new(),
            arrived: Vec::new(),
            taken: 0,
        })
    }
}

impl Iterator for Payments {
    type Item = RecordBatch;

    fn next(&mut self) -> Option<RecordBatch> {
        while self.arrived.len() - self.taken < BATCH_ROWS {
            self.arrived.drain(..self.taken);
            self.taken = 0;
            if !self.rows.next_slice(&mut self.arrived) {
                break;
            }
        }
        let ready = &self.arrived[self.taken..];
        let rows = &ready[..ready.len().min(BATCH_ROWS)];
        if rows.is_empty() {
            return None;
        }
        self.taken += rows.len();
        Some(self.columns.batch(rows, &self.rows.world))
    }
}

/// Writes a recording to `path`. Text formats are compressed where the name ends in `.gz` or
/// `.zst`. The file appears under its name only when it is complete. `progress` is called with
/// the number of rows written so far, and says whether to go on.
///
/// # Errors
/// When the configuration makes no sense, the file cannot be written, or `progress` said no.
pub fn write(
    config: PaymentsConfig,
    format: FileFormat,
    path: &Path,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<Written> {
    let batches = Payments::new(config)?.map(Ok);
    write_batches(&schema(), batches, format, path, progress)
}
