//! A file fits in a head, a function on a screen.

use super::{Finding, Tree};
use crate::rust_text;

/// Lines of code (without comments and blank lines) that a file may have.
const FILE_LINES_MAX: usize = 400;
/// The same for a file of tests, which is read a test at a time.
const TEST_FILE_LINES_MAX: usize = 800;
/// Lines of code that a function may have; the aim is 70.
const FUNCTION_LINES_MAX: usize = 100;

/// Files that may be longer: path, limit, reason.
const LONG_FILES: [(&str, usize, &str); 2] = [
    ("engine/src/decode/text/column.rs", 450, "one arm a type in each of four functions"),
    ("engine/src/sink/json.rs", 450, "one arm a type: splitting would part the arms"),
];

/// Functions that may be longer: path, name, limit, reason.
const LONG_FUNCTIONS: [(&str, &str, usize, &str); 0] = [];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = check_files(tree, &LONG_FILES);
    findings.extend(check_functions(tree, &LONG_FUNCTIONS));
    findings
}

fn check_files(tree: &Tree, exceptions: &[(&str, usize, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for entry in tree.entries.iter().filter(|entry| entry.is_rust()) {
        let lines = rust_text::code_lines(&entry.code);
        let usual = if entry.is_test() { TEST_FILE_LINES_MAX } else { FILE_LINES_MAX };
        let listed = exceptions.iter().find(|(path, ..)| *path == entry.path);
        let limit = listed.map_or(usual, |(_, limit, _)| *limit);
        if lines > limit {
            let message = format!("{lines} lines of code, over {limit}: split it by what it does");
            findings.push(Finding::new(entry, 0, message));
        } else if listed.is_some() && lines <= usual {
            let message = format!("{lines} lines of code: drop it from LONG_FILES");
            findings.push(Finding::new(entry, 0, message));
        }
    }
    findings
}

fn check_functions(tree: &Tree, exceptions: &[(&str, &str, usize, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for entry in tree.entries.iter().filter(|entry| entry.is_rust() && !entry.is_test()) {
        for function in rust_text::functions(&entry.code) {
            let limit = exceptions
                .iter()
                .find(|(path, name, ..)| *path == entry.path && *name == function.name)
                .map_or(FUNCTION_LINES_MAX, |(_, _, limit, _)| *limit);
            if function.code_lines > limit {
                let message = format!(
                    "fn {} has {} lines of code, over {limit}: name its parts",
                    function.name, function.code_lines
                );
                findings.push(Finding::new(entry, function.line, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::Entry;
    use super::*;

    fn tree_of(path: &str, text: String) -> Tree {
        Tree::new(vec![Entry::new(path, text)])
    }

    #[test]
    fn long_files_are_found_and_exceptions_have_to_be_needed() {
        let long = tree_of("engine/src/a.rs", "x();\n// no code\n\n".repeat(401));
        assert_eq!(check_files(&long, &[]).len(), 1);
        assert_eq!(check_files(&long, &[("engine/src/a.rs", 500, "a table")]), []);
        assert_eq!(check_files(&long, &[("engine/src/a.rs", 400, "a table")]).len(), 1);
        let short = tree_of("engine/src/a.rs", "x();\n".repeat(400));
        assert_eq!(check_files(&short, &[]), []);
        assert_eq!(check_files(&short, &[("engine/src/a.rs", 500, "a table")]).len(), 1);
        assert_eq!(check_files(&tree_of("engine/src/tests.rs", "x();\n".repeat(800)), &[]), []);
    }

    #[test]
    fn long_functions_are_found_unless_listed() {
        let text = format!("\nfn long() {{\n{}}}\n", "x();\n".repeat(99));
        let tree = tree_of("engine/src/a.rs", text);
        let found = check_functions(&tree, &[]);
        assert_eq!((found.len(), found[0].line), (1, 2));
        assert_eq!(check_functions(&tree, &[("engine/src/a.rs", "long", 101, "a match")]), []);
    }
}
