//! The `pelton` command. All of it lives in the library beside this file, so that tests and
//! examples can reach the report without starting a process.

use std::process::ExitCode;

/// Logs grow by many small aligned steps: the system's allocator took a tenth of all
/// instructions for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    pelton_cli::main()
}
