//! The `pelton` command. All of it lives in the library beside this file, so that tests and
//! examples can reach the report without starting a process.

use std::process::ExitCode;

use libmimalloc_sys::{mi_option_get, mi_option_set, mi_option_set_default};

/// Logs grow by many small aligned steps: the system's allocator took a tenth of all
/// instructions for them. It is built not to ask for pages of 2 MB (`no_thp`): on a virtual machine
/// whose host has taken memory back, clearing one takes up to 4 ms.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of `mimalloc.h`, which the bindings do not name: for how long freed
/// memory is kept before it goes back to the system, and what it is unless set.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
const PURGE_DELAY_MS: std::ffi::c_long = 1000;

/// Logs that grow free what they outgrow, and ask for as much again soon after.
const KEPT_MS: std::ffi::c_long = 10_000;

/// A delay after which nothing goes back.
const NEVER: std::ffi::c_long = -1;

fn main() -> ExitCode {
    keep_freed_memory();
    let code = pelton_cli::main();
    leave_memory_as_it_is();
    code
}

/// Freed memory is kept for ten seconds instead of one, unless `MIMALLOC_PURGE_DELAY` says
/// otherwise. Memory that goes to the system and comes back is cleared each time: 18 GB of it for
/// the 0.7 GB that the fraud pipeline holds at ten million payments, a sixth of its time.
fn keep_freed_memory() {
    // SAFETY: both take any number of an option, change no memory but the allocator's own table of
    // options, and may be called at any time; no other thread runs yet.
    unsafe {
        // A later version may have another option under this number: its default gives it away.
        if mi_option_get(PURGE_DELAY) == PURGE_DELAY_MS {
            mi_option_set_default(PURGE_DELAY, KEPT_MS);
        }
    }
}

/// Memory goes back with the process: the allocator need not give it back on its way out.
fn leave_memory_as_it_is() {
    // SAFETY: as in `keep_freed_memory`; other threads only read the table, word by word.
    unsafe {
        if mi_option_get(PURGE_DELAY) > 0 {
            mi_option_set(PURGE_DELAY, NEVER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number is that of the delay in the allocator that is linked.
    #[test]
    fn freed_memory_is_kept_for_ten_seconds() {
        keep_freed_memory();
        let set = std::env::var("MIMALLOC_PURGE_DELAY").ok().and_then(|ms| ms.parse().ok());
        // SAFETY: reads the allocator's table of options.
        assert_eq!(unsafe { mi_option_get(PURGE_DELAY) }, set.unwrap_or(KEPT_MS));
    }
}
