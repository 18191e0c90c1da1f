//! # The `pelton` command
//!
//! Everything of Pelton that a person at a terminal meets, and nothing that computes:
//!
//! [`args`] (what was asked) → [`replay`], [`window`], [`detect`], [`mod@profile`], [`recommend`],
//! [`score`], [`train`], [`features`], [`compare`], [`generate`], [`mod@bench`], [`doctor`] (one module a subcommand) → [`report`] (what is shown:
//! terminal table, `report.json`, `report.html`).
//!
//! Beside them: [`progress`] (bars while a run goes on), [`interrupt`] (Ctrl-C), [`memory`]
//! (the peak of this process), [`terminal`] (colours and writing to standard output).
//!
//! The engine is reached from three places only: [`replay::run`] (plain data goes in, a
//! [`report::FraudReport`] comes out), [`window`] (options become a pipeline, a
//! [`window::WindowReport`] comes out), [`detect`] (likewise, a [`detect::DetectReport`]), and its
//! decoders alone from [`compare`] (alerts) and [`table`] (whole files). Whoever changes the engine looks there and nowhere else.
//!
//! Exit codes: 0 done, 1 the run failed, 2 wrong usage, 130 interrupted.

use std::process::ExitCode;

use clap::Parser;
use pelton::{Error, ErrorKind};

pub mod args;
pub mod backend;
pub mod bench;
pub mod compare;
pub mod detect;
pub mod doctor;
pub mod features;
pub mod generate;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod growth;
pub mod interrupt;
pub mod memory;
pub mod profile;
pub mod progress;
pub mod recommend;
pub mod replay;
pub mod report;
pub mod score;
pub mod table;
pub mod terminal;
pub mod train;
pub mod window;

use args::{
    BenchCommand, Cli, Command, GenerateCommand, ReplayCommand, ScoreCommand, TrainCommand,
};

/// Exit code of a run that failed.
pub const EXIT_FAILED: u8 = 1;
/// Exit code of a wrong command line.
pub const EXIT_USAGE: u8 = 2;
/// Exit code of a run that the user stopped.
pub const EXIT_INTERRUPTED: u8 = 130;

/// Reads the command line, does what it says, and gives the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage_error(&error),
    };
    let done = match cli.command {
        Command::Replay { what: ReplayCommand::Fraud(args) } => replay::fraud(&args),
        Command::Window(args) => window::run(&args),
        Command::Train { what: TrainCommand::Fraud(args) } => train::fraud(&args),
        Command::Train { what: TrainCommand::Rul(args) } => train::rul::run(&args),
        Command::Features(args) => features::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Detect(args) => detect::run(&args),
        Command::Profile(args) => profile::run(&args),
        Command::Recommend(args) => recommend::run(&args),
        Command::Score { what: ScoreCommand::Nab(args) } => score::nab(&args),
        Command::Score { what: ScoreCommand::Skab(args) } => score::skab(&args),
        Command::Score { what: ScoreCommand::Tep(args) } => score::tep(&args),
        Command::Generate { what: GenerateCommand::Payments(args) } => generate::payments(&args),
        Command::Bench { what: BenchCommand::Fraud(args) } => bench::fraud(&args),
        Command::Bench { what: BenchCommand::Window(args) } => bench::window(&args),
        Command::Bench { what: BenchCommand::Growth(args) } => growth::run(&args),
        #[cfg(feature = "gpu")]
        Command::Bench { what: BenchCommand::Gpu(args) } => gpu::bench(&args),
        Command::Doctor(args) => doctor::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = match error.kind() {
                ErrorKind::Usage => EXIT_USAGE,
                ErrorKind::Run => EXIT_FAILED,
                ErrorKind::Interrupted => EXIT_INTERRUPTED,
            };
            print_error(&error);
            ExitCode::from(code)
        }
    }
}

/// `error: what` in red where the terminal has colours, then the advice that the error holds.
fn print_error(error: &Error) {
    let paint = terminal::Paint::for_stderr();
    if error.kind() == ErrorKind::Interrupted {
        eprintln!("{}", paint.yellow(error.to_string()));
    } else {
        eprintln!("{} {error}", paint.red("error:"));
    }
}

/// Help and version go to standard output and are no error; the rest is a wrong command line,
/// shown by clap with its "tip" lines under the name that all our errors use.
fn usage_error(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // A closed pipe (`pelton --help | head -1`) is no reason to fail.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let rendered = error.render();
    let text = if terminal::Paint::for_stderr().is_on() {
        rendered.ansi().to_string()
    } else {
        rendered.to_string()
    };
    eprint!("{}", text.replacen("tip:", "help:", 1));
    ExitCode::from(EXIT_USAGE)
}
