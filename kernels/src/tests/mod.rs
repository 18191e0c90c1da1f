//! The suite: every kernel, for every type, at every level, against the scalar level.
//!
//! A case is a way to make an input of so many rows and a way to compute an answer from it, as
//! words that are compared one by one. The macro makes of it a test for each level above scalar,
//! `tests::<kernel>::<case>::<level>`, and, where the case also says what the answer is in one
//! line, `definition` for scalar itself. A level that this processor lacks is reported as
//! skipped, on standard error.
//!
//! A new kernel needs an entry in [`KERNELS`](crate::simd::KERNELS) and a block of `suite!`; two
//! tests below fail as long as one of them is missing.

mod batch;
mod floats;
mod forest;
#[cfg(feature = "gpu")]
mod gpu;
#[cfg(feature = "gpu")]
mod gpu_scores;
mod inputs;
mod keys;
mod operations;
mod scores;
mod text;
mod windows;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::io::Write;

use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};

use crate::simd::{KERNELS, Level, tests::at_level};

/// What a kernel has computed, in words.
pub(super) type Answer = Vec<u64>;

/// Rows of the inputs: none, one, and one fewer and more than what any level takes at once.
const ROWS: [usize; 24] =
    [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 192, 257, 513];

/// Random inputs of each number of rows.
const INPUTS: usize = 6;

/// Makes the tests of a kernel.
macro_rules! suite {
    ($kernel:ident { $($case:ident: $inputs:expr => $run:expr $(, $definition:expr)?;)* }) => {
        mod $kernel {
            #[allow(unused_imports)]
            use super::*;
            $(
                mod $case {
                    #[allow(unused_imports)]
                    use super::*;
                    use crate::simd::Level;
                    use crate::tests;

                    #[test]
                    fn neon() {
                        tests::compare(Level::Neon, $inputs, $run);
                    }

                    #[test]
                    fn avx2() {
                        tests::compare(Level::Avx2, $inputs, $run);
                    }

                    #[test]
                    fn avx512() {
                        tests::compare(Level::Avx512, $inputs, $run);
                    }

                    $(
                        #[test]
                        fn definition() {
                            tests::define($inputs, $run, $definition);
                        }
                    )?
                }
            )*
        }
    };
}
pub(super) use suite;

/// Calls `check` with random inputs of every number of rows.
fn each_input<I: Debug>(inputs: impl Fn(usize) -> BoxedStrategy<I>, mut check: impl FnMut(&I)) {
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    for rows in ROWS {
        let strategy = inputs(rows);
        for _ in 0..INPUTS {
            let tree = strategy.new_tree(&mut runner).expect("an input");
            check(&tree.current());
        }
    }
}

/// The answers at `level` are those of the scalar level.
pub(super) fn compare<I: Debug>(
    level: Level,
    inputs: impl Fn(usize) -> BoxedStrategy<I>,
    run: impl Fn(&I) -> Answer,
) {
    if !level.is_available() {
        return;
    }
    each_input(inputs, |input| {
        let scalar = at_level(Level::Scalar, || run(input));
        let answer = at_level(level, || run(input));
        same(&answer, &scalar, &level.to_string(), input);
    });
}

/// The answers of the scalar level are those of the definition.
pub(super) fn define<I: Debug>(
    inputs: impl Fn(usize) -> BoxedStrategy<I>,
    run: impl Fn(&I) -> Answer,
    definition: impl Fn(&I) -> Answer,
) {
    each_input(inputs, |input| {
        same(&at_level(Level::Scalar, || run(input)), &definition(input), "scalar", input);
    });
}

#[track_caller]
pub(super) fn same(answer: &[u64], wanted: &[u64], level: &str, input: &impl Debug) {
    let differs = answer.iter().zip(wanted).position(|(a, b)| a != b);
    assert!(
        answer.len() == wanted.len() && differs.is_none(),
        "{level}: {} words for {}; word {differs:?} differs: {answer:x?} for {wanted:x?} of {input:?}",
        answer.len(),
        wanted.len(),
    );
}

#[test]
fn levels_that_this_processor_lacks_are_reported() {
    let missing: Vec<String> =
        Level::ALL.iter().filter(|l| !l.is_available()).map(Level::to_string).collect();
    if !missing.is_empty() {
        // Not `eprintln!`, which the test harness swallows.
        let line = format!("kernels: skipped, not on this processor: {}\n", missing.join(", "));
        std::io::stderr().write_all(line.as_bytes()).expect("standard error");
    }
}

/// The kernels that have a block of `suite!`: this folder's text says so itself.
fn suites() -> BTreeSet<&'static str> {
    let files = [
        include_str!("batch.rs"),
        include_str!("floats.rs"),
        include_str!("forest.rs"),
        include_str!("keys.rs"),
        include_str!("operations.rs"),
        include_str!("scores.rs"),
        include_str!("text.rs"),
        include_str!("windows.rs"),
    ];
    let lines = files.into_iter().flat_map(str::lines);
    let after = lines.scan(false, |after, line| {
        let named = std::mem::replace(after, line == "suite! {").then(|| line.trim());
        Some(named.and_then(|line| line.split(' ').next()))
    });
    after.flatten().collect()
}

#[test]
fn every_kernel_has_its_suite() {
    let kernels: BTreeSet<&str> = KERNELS.iter().map(|kernel| kernel.name).collect();
    assert_eq!(kernels, suites());
}

#[test]
fn every_folder_is_a_kernel() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let folders = std::fs::read_dir(source).expect("the sources").filter_map(|entry| {
        let entry = entry.expect("an entry");
        let is_folder = entry.file_type().expect("a type").is_dir();
        is_folder.then(|| entry.file_name().into_string().expect("a name"))
    });
    let no_kernels = ["gpu", "simd", "tests"];
    let folders: BTreeSet<String> = folders.filter(|f| !no_kernels.contains(&&**f)).collect();
    let kernels: BTreeSet<String> = KERNELS.iter().map(|kernel| kernel.name.into()).collect();
    assert_eq!(kernels, folders);
}

#[test]
fn a_kernel_runs_the_best_that_it_has() {
    for kernel in KERNELS {
        assert_eq!(kernel.levels.first(), Some(&Level::Scalar), "{}", kernel.name);
        assert!(kernel.levels.is_sorted_by(|a, b| a < b), "{}", kernel.name);
        for level in Level::ALL {
            let chosen = kernel.chosen(level);
            assert!(chosen <= level && kernel.levels.contains(&chosen), "{}", kernel.name);
        }
    }
}
