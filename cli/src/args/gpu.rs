//! Options of `pelton bench gpu`.

use std::path::PathBuf;

use clap::Args;

use super::parse::parse_count;

/// `pelton bench gpu`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pelton bench gpu --out benches/record
  PELTON_GPU=cpu pelton bench gpu --rows 16k --kernel forest,nearest

Which GPU: PELTON_GPU=name|number|cpu|off, as `pelton doctor` lists them; without it the best
hardware. Rows a second of each kernel by batch size: scalar code, SIMD on one core, the GPU from
host memory and back, and its passes alone. Every answer is compared with the CPU's. Sizes that
would take long are left out, so that all of it takes some minutes on any device.")]
pub struct BenchGpuArgs {
    /// Rows of the largest batch (k, M and G are understood)
    #[arg(long, value_name = "N", default_value = "1048576", value_parser = parse_count)]
    pub rows: u64,

    /// Only these kernels, by their names or parts of them
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub kernel: Vec<String>,

    /// Also write the figures and a plot to DIR/ADAPTER/DATE.json and .svg
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// No progress: only the figures
    #[arg(short, long)]
    pub quiet: bool,
}
