//! Every link from one document to another leads somewhere: the file or folder exists, and so
//! does the heading; and where a document names a path of the project in `code`, it is there.
//! Links to the outside are not followed.

use super::{Entry, Finding, Tree};

pub fn check(tree: &Tree) -> Vec<Finding> {
    let documents = tree.entries.iter().filter(|entry| entry.is_markdown());
    documents.flat_map(|entry| check_document(tree, entry)).collect()
}

fn check_document(tree: &Tree, entry: &Entry) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, target) in links(&entry.text) {
        let is_outside = target.contains("://") || target.starts_with("mailto:");
        if is_outside {
            continue;
        }
        let (path, heading) = target.split_once('#').map_or((target, None), |(p, h)| (p, Some(h)));
        let Some(path) = resolve(&entry.path, path) else {
            findings.push(Finding::new(entry, line, format!("{target} leads out of the project")));
            continue;
        };
        if !tree.has(&path) {
            findings.push(Finding::new(entry, line, format!("{target} leads nowhere")));
        } else if let Some(heading) = heading {
            let known = tree.get(&path).map(|other| anchors(&other.text)).unwrap_or_default();
            if !known.iter().any(|anchor| anchor == heading) {
                let message = format!("{target}: there is no heading #{heading}");
                findings.push(Finding::new(entry, line, message));
            }
        }
    }
    for (line, path) in named_paths(tree, &entry.text) {
        if !tree.has(path) {
            findings.push(Finding::new(entry, line, format!("there is no `{path}`")));
        }
    }
    findings
}

/// What stands in `code` and looks like a path from the root: its first part is a folder there.
fn named_paths<'a>(tree: &'a Tree, text: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    let is_path = move |word: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        word.chars().all(plain) && word.split_once('/').is_some_and(|(top, _)| tree.has(top))
    };
    prose(text)
        .flat_map(|(number, line)| line.split('`').skip(1).step_by(2).map(move |w| (number, w)))
        .filter(move |(_, word)| is_path(word))
}

/// Lines outside fenced code, with their numbers from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then_some((index + 1, line))
    })
}

/// Targets of `[text](target)`, with their lines; those inside `code` are none.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        for (at, _) in line.match_indices("](") {
            let in_code = line[..at].matches('`').count() % 2 == 1;
            let target = &line[at + 2..];
            if let (false, Some(end)) = (in_code, target.find([')', ' '])) {
                found.push((number, &target[..end]));
            }
        }
    }
    found
}

/// The path of `target` seen from the file `from`; `None` where it leaves the tree.
fn resolve(from: &str, target: &str) -> Option<String> {
    if target.is_empty() {
        return Some(from.to_owned());
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for (_, line) in prose(text).filter(|(_, line)| line.starts_with('#')) {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let same = anchors.iter().filter(|known| **known == anchor).count();
        anchors.push(if same == 0 { anchor } else { format!("{anchor}-{same}") });
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        Tree::new(vec![
            Entry::new("README.md", "# Pelton\n## Why, and how?\n## Twice\n## Twice\n"),
            Entry::new("docs/A.md", "```sh\n# no heading\n```\n"),
            Entry::new("engine/src/lib.rs", "//! x\n"),
        ])
    }

    fn check_text(path: &str, text: &str) -> Vec<String> {
        check_document(&tree(), &Entry::new(path, text)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        let text = "[a](../README.md#why-and-how) [b](A.md) [c](../engine/src) [d](#here)\n\
                    [e](https://example.org/x) `[f](gone.md)` [g](../README.md#twice-1)\n\
                    `engine/src/lib.rs` `engine/src/` `other/x.rs` `a / b`\n\
                    ```\n[h](gone.md)\n```\n";
        let tree = Tree::new(
            [tree().entries, vec![Entry::new("docs/B.md", format!("# Here\n{text}"))]].concat(),
        );
        assert_eq!(check(&tree), []);
    }

    #[test]
    fn dead_links_are_found() {
        for (text, expected) in [
            ("[a](gone.md)\n", "docs/B.md:1: gone.md leads nowhere"),
            ("x\n[a](../../x)\n", "docs/B.md:2: ../../x leads out of the project"),
            ("[a](A.md#no-heading)\n", "no heading #no-heading"),
            ("`docs/A.md` `engine/src/gone.rs`\n", "docs/B.md:1: there is no `engine/src/gone.rs`"),
        ] {
            let found = check_text("docs/B.md", text);
            assert!(found.len() == 1 && found[0].contains(expected), "{found:?}");
        }
    }
}
