//! How much memory this process has used at most.

/// Largest resident set of this process so far, in bytes, as the kernel counts it (`VmHWM`);
/// `None` where it cannot be read (anywhere but Linux).
pub fn peak_rss_bytes() -> Option<u64> {
    if cfg!(target_os = "linux") {
        field_bytes(&std::fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
    } else {
        None
    }
}

/// Starts the count of [`peak_rss_bytes`] again at what is resident now, so that a step before
/// the one to be measured (making a recording) does not count; `false` where that is not to be
/// had, and the peak stays that of the whole process.
pub fn reset_peak_rss() -> bool {
    // "5" resets the peak of the process that writes it (proc(5), clear_refs).
    cfg!(target_os = "linux") && std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// The value of a `Name:   123 kB` line of `/proc/self/status` or `/proc/meminfo`, in bytes.
pub fn field_bytes(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    let mut words = rest.split_whitespace();
    let value: u64 = words.next()?.parse().ok()?;
    match words.next() {
        Some("kB") => value.checked_mul(1024),
        None => Some(value),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_in_bytes() {
        let text = "VmPeak:\t  10 kB\nVmHWM:\t     2048 kB\nHugePages_Total:       3\n";
        assert_eq!(field_bytes(text, "VmHWM:"), Some(2048 * 1024));
        assert_eq!(field_bytes(text, "HugePages_Total:"), Some(3));
        assert_eq!(field_bytes(text, "VmRSS:"), None);
        assert_eq!(field_bytes("VmHWM: x kB", "VmHWM:"), None);
    }

    #[test]
    fn the_peak_can_start_again() {
        let before = peak_rss_bytes();
        if reset_peak_rss() {
            assert!(peak_rss_bytes().is_some() && before.is_some());
        }
    }

    #[test]
    fn this_process_has_a_peak_on_linux() {
        assert_eq!(peak_rss_bytes().is_some(), cfg!(target_os = "linux"));
    }
}
