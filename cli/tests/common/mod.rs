//! What the tests from the outside share.

use std::process::Command;

/// The command, without what the tester's environment may force on it.
pub fn pelton() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pelton"));
    command.env_remove("PELTON_SIMD").env_remove("PELTON_IO").env_remove("CLICOLOR_FORCE");
    command
}
