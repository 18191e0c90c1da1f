use std::cell::Cell;

use super::{Level, choose};

thread_local! {
    /// What [`super::level`] answers on this thread in place of the process's choice, which is
    /// made once: so that one test can run a kernel at every level.
    pub(crate) static FORCED: Cell<Option<Level>> = const { Cell::new(None) };
}

/// Runs `work` with kernels of this thread at `level`.
pub(crate) fn at_level<T>(level: Level, work: impl FnOnce() -> T) -> T {
    struct Restore(Option<Level>);
    impl Drop for Restore {
        fn drop(&mut self) {
            FORCED.set(self.0);
        }
    }
    let _restore = Restore(FORCED.replace(Some(level)));
    work()
}

#[test]
fn a_forced_level_lasts_as_long_as_its_work() {
    let before = super::level();
    for level in Level::ALL {
        assert_eq!(at_level(level, super::level), level);
    }
    assert_eq!(super::level(), before);
}

#[test]
fn a_wish_is_granted_or_refused_with_a_reason() {
    assert_eq!(choose(None), Ok(Level::best()));
    assert_eq!(choose(Some("".into())), Ok(Level::best()));
    assert_eq!(choose(Some("scalar".into())), Ok(Level::Scalar));
    let unknown = choose(Some("sse9".into())).unwrap_err();
    assert!(unknown.contains("PELTON_SIMD") && unknown.contains("sse9"), "{unknown}");
    for level in Level::ALL {
        let answer = choose(Some(level.to_string().into()));
        if level.is_available() {
            assert_eq!(answer, Ok(level));
        } else {
            let refusal = answer.unwrap_err();
            assert!(refusal.contains(&format!("no {level}")), "{refusal}");
            assert!(refusal.contains("scalar"), "{refusal}");
        }
    }
}

#[test]
fn names_read_back() {
    for level in Level::ALL {
        assert_eq!(level.to_string().parse(), Ok(level));
    }
    assert!(Level::available().contains(&Level::Scalar));
}
