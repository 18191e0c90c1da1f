//! From a pass and its flags to plain WGSL.
//!
//! Three kinds of lines, each alone on its line, are not WGSL:
//!
//! ```text
//! #import wide          the text of shared/wide.wgsl, at most once in a module
//! #if int64             kept where the flag is set (#if !int64: where it is not)
//! #else
//! #endif
//! ```
//!
//! That is all that the passes need, so it is 60 lines here rather than a preprocessor that
//! brings its own language.

use std::fmt;

use crate::{Flags, Pass};

/// Why a source cannot be expanded: a mistake in a `.wgsl`, found by this crate's tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpandError {
    /// The file, without its ending.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for ExpandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.wgsl:{}: {}", self.file, self.line, self.what)
    }
}

impl std::error::Error for ExpandError {}

/// The import-only files.
pub(crate) const IMPORTS: [(&str, &str); 4] = [
    ("float64", include_str!("../wgsl/shared/float64.wgsl")),
    ("hash", include_str!("../wgsl/shared/hash.wgsl")),
    ("scan", include_str!("../wgsl/shared/scan.wgsl")),
    ("wide", include_str!("../wgsl/shared/wide.wgsl")),
];

/// The WGSL of a pass for a device and a form.
///
/// # Errors
/// A line that cannot be expanded: none of the catalogue's does, as tests show.
///
/// ```
/// use pelton_shaders::{Flags, Pass, expand};
/// let text = expand(Pass::ShardHashIntegers, Flags::NONE).unwrap();
/// assert!(text.contains("fn multiply_folded") && !text.contains("u64("));
/// ```
pub fn expand(pass: Pass, flags: Flags) -> Result<String, ExpandError> {
    let entry = pass.entry();
    let mut out = String::with_capacity(2 * entry.source.len());
    let flags = entry.permutation(flags);
    append(entry.name, entry.source, flags, &mut Vec::new(), &mut out)?;
    Ok(out)
}

/// Appends a file, its imports in front of what follows them.
fn append<'a>(
    file: &str,
    text: &'a str,
    flags: Flags,
    imported: &mut Vec<&'a str>,
    out: &mut String,
) -> Result<(), ExpandError> {
    // For each open #if whether its lines are kept.
    let mut open: Vec<bool> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let fault =
            |what: String| Err(ExpandError { file: file.to_owned(), line: index + 1, what });
        let kept = open.iter().all(|kept| *kept);
        let Some(directive) = line.strip_prefix('#') else {
            if kept {
                out.push_str(line);
                out.push('\n');
            }
            continue;
        };
        let (word, rest) = directive.split_once(' ').unwrap_or((directive, ""));
        match word {
            "import" if kept => {
                let found = IMPORTS.iter().find(|(name, _)| *name == rest);
                let Some((name, text)) = found else { return fault(format!("no import {rest}")) };
                if !imported.contains(name) {
                    imported.push(name);
                    append(name, text, flags, imported, out)?;
                }
            }
            "import" => {}
            "if" => {
                let (name, wanted) = rest.strip_prefix('!').map_or((rest, true), |n| (n, false));
                let Some(flag) = Flags::named(name) else {
                    return fault(format!("no flag {name}"));
                };
                open.push(flags.contains(flag) == wanted);
            }
            "else" => match open.last_mut() {
                Some(kept) => *kept = !*kept,
                None => return fault("#else without #if".to_owned()),
            },
            "endif" => {
                if open.pop().is_none() {
                    return fault("#endif without #if".to_owned());
                }
            }
            _ => return fault(format!("no directive #{word}")),
        }
    }
    if open.is_empty() {
        return Ok(());
    }
    let line = text.lines().count();
    Err(ExpandError { file: file.to_owned(), line, what: "#if without #endif".to_owned() })
}
