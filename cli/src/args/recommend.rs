//! Options of `pelton recommend`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{BackendArg, FormatArg};

/// `pelton recommend`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pelton recommend --items items.parquet --queries users.parquet --top 10 --out best.parquet
  pelton recommend --items items.csv --queries users.csv --item-id sku --query-id user
  pelton recommend --items i.parquet --queries q.parquet --vector embedding --backend gpu
  pelton recommend --items ordinary.csv --queries today.csv --by distance --top 1

For each query the items whose vectors have the greatest dot products with its own: factors of a
recommender, or embeddings (bring those to length 1 for cosines). Or the nearest ones (--by
distance): look-alikes, and rows far from all of a reference are odd. A vector is a column of lists
(--vector), or all columns of numbers but the id, the same names in both files. Products are those
of numbers rounded to f32, added in f64; distances are f64; equal ones go to the earlier item: the
same answer on every backend. A number that is missing, not finite or beyond f32 is an error.

Output: the query's id, the rank from 1, the item's id, the product (or distance); queries in their
order.")]
pub struct RecommendArgs {
    /// The items
    #[arg(long, value_name = "FILE")]
    pub items: PathBuf,

    /// The queries (users, sessions, other items)
    #[arg(long, value_name = "FILE")]
    pub queries: PathBuf,

    /// The column that names an item [default: the first]
    #[arg(long, value_name = "COLUMN")]
    pub item_id: Option<String>,

    /// The column that names a query [default: the first]
    #[arg(long, value_name = "COLUMN")]
    pub query_id: Option<String>,

    /// The column of vectors, in both files, where it is one of lists
    #[arg(long, value_name = "COLUMN")]
    pub vector: Option<String>,

    /// What is compared
    #[arg(long, value_enum, value_name = "MEASURE", default_value_t)]
    pub by: MeasureArg,

    /// Items a query
    #[arg(long, value_name = "N", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub top: u32,

    /// Format of both files [default: told by their endings]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub format: Option<FormatArg>,

    /// Where the answer goes; `-`: standard output, as NDJSON
    #[arg(short, long, value_name = "FILE", default_value = "-", help_heading = "Results")]
    pub out: PathBuf,

    /// Format of the output [default: told by its ending]
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Results")]
    pub out_format: Option<FormatArg>,

    /// Also write the account of the run, as JSON
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub report: Option<PathBuf>,

    /// Field separator of CSV
    #[arg(long, value_name = "CHAR")]
    pub delimiter: Option<char>,

    /// What the kernels run on; the answer is the same
    #[arg(long, value_enum, value_name = "BACKEND", default_value_t)]
    pub backend: BackendArg,

    /// No account: only errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// How items are compared with queries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum MeasureArg {
    /// The dot product: the greatest first
    #[default]
    Product,
    /// The Euclidean distance: the smallest first
    Distance,
}
