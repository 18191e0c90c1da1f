//! Developer commands, one file each: `cargo xtask validate` (everything that CI runs),
//! `cargo xtask tidy` (the rules of the house that no other tool checks) and
//! `cargo xtask instructions` (how many instructions a row each kernel takes).
//!
//! No dependencies: what checks the supply chain should add nothing to it, and it is built
//! before anything else.

mod command;
mod instructions;
mod rust_text;
mod tidy;
mod validate;

use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "\
usage: cargo xtask <command>

  validate [--list] [STEP…]   run everything that CI runs, in order; with names, those steps
  tidy                        check the rules of the house (file sizes, imports, links, …)
  instructions [--update]     count the instructions of each kernel, compare with the record
";

/// The names of the commands, for the rule that holds documents to commands that exist.
const COMMANDS: [&str; 3] = ["validate", "tidy", "instructions"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let root = workspace_root();
    let result = match arguments.first().map(String::as_str) {
        Some("validate") => validate::run(&root, &arguments[1..]),
        Some("tidy") => tidy::run(&root),
        Some("instructions") => instructions::run(&root, &arguments[1..]),
        Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Some(other) => Err(format!("no command `{other}`\n\n{HELP}")),
        None => Err(HELP.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// The folder that holds the workspace's Cargo.toml: the parent of this crate's.
fn workspace_root() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().map_or(manifest.clone(), std::path::Path::to_path_buf)
}
