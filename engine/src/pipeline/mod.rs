//! The builder, and running what was built: to the end of a recording ([`Pipeline::run`]) or
//! fed by hand ([`Pipeline::open`]), with the same operators and the same answers.

mod aggregate;
mod budget;
mod builder;
mod compile;
mod compile_detect;
mod compile_lookup;
mod compile_over;
mod compile_picked;
mod driver;
mod explain;
mod facts;
mod files;
mod inspect;
mod join;
mod letters;
mod live;
mod lookup;
mod marks;
mod options;
mod pace;
mod prune;
mod run;
mod split;
mod window;

pub use aggregate::{
    Aggregate, aggregate_by, all_true, any_true, approx_distinct, approx_quantile, approx_top_k,
    arg_max, arg_min, bit_and, bit_or, bit_xor, corr, count, count_same, count_valid, covar,
    covar_pop, distinct, ewma, first_value, histogram, last_value, list, max, mean, median, min,
    own_mean, own_stddev, quantile, stddev, stddev_pop, sum, top_k, var, var_pop,
};
pub use builder::{Inspector, Pipeline, Watermark};
pub use files::{Arrow, Csv, File, NdJson, Opened, Parquet};
pub use join::Lookup;
pub use live::Live;
pub use options::{AtCap, Observer, Options, Pace, Progress, Summary};
pub use window::{
    Early, History, Last, Window, all_rows, cumulate, distance_km, every_rows, hop, last, last_n,
    last_rows, session, session_up_to, since_previous, speed_kmh, tumble, while_true,
};
