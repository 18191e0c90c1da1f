//! The builder, and running what was built: to the end of a recording ([`Pipeline::run`]) or
//! fed by hand ([`Pipeline::open`]), with the same operators and the same answers.

mod aggregate;
mod builder;
mod compile;
mod driver;
mod files;
mod inspect;
mod live;
mod lookup;
mod marks;
mod options;
mod pace;
mod run;

pub use aggregate::{
    Aggregate, History, Last, Window, count, count_same, count_valid, distance_km, distinct, hop,
    last, max, mean, min, own_mean, own_stddev, since_previous, speed_kmh, stddev, sum, tumble,
};
pub use builder::{Inspector, Pipeline, Watermark};
pub use files::{Arrow, Csv, File, NdJson, Opened, Parquet};
pub use live::Live;
pub use options::{Observer, Options, Pace, Progress, Summary};
