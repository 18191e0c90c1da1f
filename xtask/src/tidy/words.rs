//! What a file must hold (a text at the top that teaches) and must not (paths of somebody's
//! machine, unfinished code, the wall clock inside operators, stray space).

use super::{Entry, Finding, Tree};

/// Starts of paths that exist on one machine only, in two parts so that this file keeps the rule.
const MACHINE_PATHS: [(&str, &str); 5] =
    [("/ho", "me/"), ("/ro", "ot/"), ("/Us", "ers/"), ("/wo", "rk/"), ("C:\\Us", "ers\\")];

/// Notes to oneself, in two parts for the same reason.
const UNFINISHED: [(&str, &str); 5] =
    [("TO", "DO"), ("FIX", "ME"), ("XX", "X:"), ("todo", "!("), ("unimplemented", "!(")];

/// Where time comes from the data or from a clock that is handed in: a run and its replay must
/// decide alike.
const CLOCKLESS: [&str; 6] = [
    "engine/src/expr/",
    "engine/src/score/",
    "engine/src/state/",
    "engine/src/window/",
    "kernels/src/",
    "pipelines/src/",
];
const CLOCKS: [&str; 2] = ["Instant::now", "SystemTime::now"];

/// Text files by their endings.
const TEXT: [&str; 9] = [".rs", ".md", ".toml", ".sh", ".py", ".sql", ".html", ".yml", ".json"];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let is_text = |entry: &&Entry| {
        TEXT.iter().any(|end| entry.path.ends_with(end)) || entry.path == ".ci/run"
    };
    tree.entries.iter().filter(is_text).flat_map(check_entry).collect()
}

fn check_entry(entry: &Entry) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = |line, message: String| findings.push(Finding::new(entry, line, message));
    if entry.is_rust() && !entry.is_test() && !entry.text.starts_with("//!") {
        found(1, "say at the top (//!) what the file does, why, and where it is from".to_owned());
    }
    if !entry.text.is_empty() && !entry.text.ends_with('\n') {
        found(0, "end the last line".to_owned());
    }
    for (number, line) in entry.lines() {
        for (head, tail) in MACHINE_PATHS {
            if let Some(at) = line.find(&format!("{head}{tail}")) {
                // In the middle of a relative path or an address it is no path of a machine.
                if !line[..at].ends_with(|c: char| c.is_alphanumeric() || "-_.~}".contains(c)) {
                    found(number, format!("{head}{tail}… exists on one machine only"));
                }
            }
        }
        for (head, tail) in UNFINISHED {
            if contains_word(line, &format!("{head}{tail}")) {
                found(number, format!("{head}{tail}: finish it, or open an issue"));
            }
        }
        if line.ends_with([' ', '\t', '\r']) && !entry.is_test() {
            found(number, "space at the end of the line".to_owned());
        }
    }
    findings.extend(check_clocks(entry));
    findings
}

fn contains_word(line: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_word) && !line[at + word.len()..].starts_with(is_word)
    })
}

fn check_clocks(entry: &Entry) -> Vec<Finding> {
    if entry.is_test() || !CLOCKLESS.iter().any(|folder| entry.path.starts_with(folder)) {
        return Vec::new();
    }
    let hits = CLOCKS.iter().flat_map(|clock| entry.code.match_indices(clock));
    hits.map(|(at, clock)| {
        let message = format!("{clock}: time comes from the rows, or as an argument");
        Finding::new(entry, entry.line_of_code(at), message)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        check_entry(&Entry::new(path, text)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_file_passes() {
        let (head, tail) = MACHINE_PATHS[3];
        let text =
            format!("//! What.\nlet a = \"https://host{head}{tail}x\";\nlet todo_list = 1;\n");
        assert_eq!(messages("engine/src/a.rs", &text), [] as [String; 0]);
        assert_eq!(messages("engine/src/a/tests.rs", "use super::*;\n"), [] as [String; 0]);
    }

    #[test]
    fn each_rule_finds_its_breach() {
        let breaches = [
            ("engine/src/a.rs", "fn f() {}\n", "at the top"),
            ("engine/src/a.rs", "//! A.", "end the last line"),
            ("docs/a.md", "see @somebody/x\n", "one machine"),
            ("docs/a.md", &format!("{}{}: later\n", "TO", "DO"), "finish it"),
            ("docs/a.md", "a \n", "space"),
            ("docs/a.md", "a\r\n", "space"),
            ("engine/src/window/a.rs", "//! A.\nfn f() { Instant::now() }\n", "a.rs:2: Instant"),
        ];
        for (path, text, expected) in breaches {
            let text = text.replace('@', &format!("{}{}", "/ho", "me/"));
            let found = messages(path, &text);
            assert!(found.len() == 1 && found[0].contains(expected), "{text:?}: {found:?}");
        }
        let comment = "//! A.\n// Instant::now is banned here\n";
        assert_eq!(messages("engine/src/window/a.rs", comment), [] as [String; 0]);
    }
}
