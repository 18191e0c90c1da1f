//! Ctrl-C: the first one asks the run to end cleanly, the second ends the process.
//!
//! A run polls the flag between batches, finishes what it has begun, keeps what is complete and
//! says so in its report; the exit code is 130. SIGTERM does the same.

use std::sync::atomic::{AtomicBool, Ordering};

use pelton::{Error, Result};

static STOP: AtomicBool = AtomicBool::new(false);

/// Catches Ctrl-C from here on, and gives the flag that a run polls.
///
/// # Errors
/// When the handler cannot be installed, which leaves Ctrl-C ending the process at once.
pub fn install() -> Result<&'static AtomicBool> {
    let handler = || {
        if STOP.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(crate::EXIT_INTERRUPTED));
        }
        eprintln!("\nstopping: what is complete is kept (Ctrl-C again to leave at once)");
    };
    match ctrlc::set_handler(handler) {
        Ok(()) | Err(ctrlc::Error::MultipleHandlers) => Ok(&STOP),
        Err(error) => Err(Error::run(format!("cannot catch Ctrl-C: {error}"))),
    }
}
