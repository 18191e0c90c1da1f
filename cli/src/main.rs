//! The `pelton` command. All of it lives in the library beside this file, so that tests and
//! examples can reach the report without starting a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    pelton_cli::main()
}
