//! A wall around the libraries that decode bytes nobody vouches for.
//!
//! The Arrow and Parquet crates check much, and panic in places that they do not check. A
//! damaged file is the user's misfortune and not a bug of ours: the panic becomes an error.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::error::{Error, Result};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `decode`; a panic in it becomes an error about `file`, which is said to be damaged.
///
/// # Contract
/// What `decode` was changing when it panicked must not be used again.
pub(in crate::decode) fn guarded<T>(
    file: &str,
    format: &str,
    decode: impl FnOnce() -> Result<T>,
) -> Result<T> {
    quieten();
    let outer = GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(decode));
    GUARDED.set(outer);
    result.unwrap_or_else(|panic| {
        let reason = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("unknown");
        Err(Error::run(format!("damaged {format} data ({reason})"))
            .at(file)
            .advise("make or copy the file again"))
    })
}

/// Keeps panics behind the wall from being printed; all others go on to the hook that was set.
fn quieten() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                before(info);
            }
        }));
    });
}
