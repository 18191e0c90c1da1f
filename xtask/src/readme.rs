//! `cargo xtask readme`: holds the README to what it shows.
//!
//! A fenced block that stands after a line `<!-- check -->` is checked: `sh` blocks run in the
//! workspace root, line after line, stopping at the first failure; `rust` blocks become the
//! examples of a throw-away crate that links Pelton and are compiled. `<!-- check: run -->`
//! also runs a `rust` block. A word that a reader replaces (FILE) has no place in a checked
//! block.

use std::fmt::Write as _;
use std::path::Path;

use crate::command::CommandLine;

/// The crates that the README's Rust may name: package and folder.
const CRATES: [(&str, &str); 3] =
    [("pelton", "engine"), ("pelton-pipelines", "pipelines"), ("pelton-datasets", "datasets")];

/// The throw-away crate, inside the build folder that git ignores.
const FOLDER: &str = "target/xtask-readme";

/// A block to check.
#[derive(Debug, PartialEq, Eq)]
struct Block<'a> {
    language: &'a str,
    /// Line of the fence, from 1.
    line: usize,
    runs: bool,
    text: String,
}

/// Checks the README's marked blocks; `--list` prints them.
pub fn run(root: &Path, arguments: &[String]) -> Result<(), String> {
    let path = root.join("README.md");
    if !path.exists() {
        println!("there is no README.md");
        return Ok(());
    }
    let text = std::fs::read_to_string(&path).map_err(|error| format!("README.md: {error}"))?;
    let blocks = blocks(&text)?;
    if arguments.iter().any(|argument| argument == "--list") {
        for block in &blocks {
            println!("README.md:{}: {}\n{}", block.line, block.language, block.text);
        }
        return Ok(());
    }
    let rust: Vec<&Block> = blocks.iter().filter(|block| block.language == "rust").collect();
    if !rust.is_empty() {
        check_rust(root, &rust)?;
    }
    let shell: Vec<&Block> = blocks.iter().filter(|block| block.language == "sh").collect();
    for block in &shell {
        run_shell(root, block)?;
    }
    println!("README.md: {} rust and {} sh blocks are well", rust.len(), shell.len());
    Ok(())
}

/// The marked blocks of the text.
fn blocks(text: &str) -> Result<Vec<Block<'_>>, String> {
    let mut found = Vec::new();
    let mut mark: Option<bool> = None;
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        match line.trim() {
            "<!-- check -->" => mark = Some(false),
            "<!-- check: run -->" => mark = Some(true),
            "" => {}
            fence if fence.starts_with("```") => {
                let body = lines.by_ref().map(|(_, line)| line);
                let body: Vec<&str> = body.take_while(|line| line.trim() != "```").collect();
                let language = fence.trim_start_matches('`');
                let Some(runs) = mark.take() else { continue };
                if !["sh", "rust"].contains(&language) {
                    return Err(format!(
                        "README.md:{}: a block of `{language}` cannot be checked; sh and rust can",
                        index + 1
                    ));
                }
                let text = body.join("\n") + "\n";
                found.push(Block { language, line: index + 1, runs, text });
            }
            _ if mark.is_some() => {
                return Err(format!("README.md:{}: no block follows the mark", index + 1));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// The block as a program: lines that start with `# ` are hidden in documentation, and a block
/// without `main` is the inside of one that may use `?`.
fn program(block: &Block) -> String {
    let mut text = String::new();
    for line in block.text.lines() {
        let line = if line == "#" { "" } else { line.strip_prefix("# ").unwrap_or(line) };
        text.push_str(line);
        text.push('\n');
    }
    if text.contains("fn main(") {
        return text;
    }
    format!(
        "fn main() -> Result<(), Box<dyn std::error::Error>> {{\n{text}#[allow(unreachable_code)]\n\
         Ok(())\n}}\n"
    )
}

fn check_rust(root: &Path, blocks: &[&Block]) -> Result<(), String> {
    let folder = root.join(FOLDER);
    let failed = |error: std::io::Error| format!("{FOLDER}: {error}");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(failed)?;
    }
    std::fs::create_dir_all(folder.join("examples")).map_err(failed)?;
    std::fs::create_dir_all(folder.join("src")).map_err(failed)?;
    std::fs::write(folder.join("src/lib.rs"), "").map_err(failed)?;
    let mut manifest = String::from(
        "[package]\nname = \"readme\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\n",
    );
    for (package, folder) in CRATES {
        let _ = writeln!(manifest, "{package} = {{ path = \"../../{folder}\" }}");
    }
    std::fs::write(folder.join("Cargo.toml"), manifest).map_err(failed)?;
    // The workspace's own choice of versions, so that nothing is built or fetched again.
    std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).map_err(failed)?;
    for block in blocks {
        let path = folder.join(format!("examples/{}.rs", example_name(block)));
        std::fs::write(path, program(block)).map_err(failed)?;
    }
    let cargo = |words: &str| {
        CommandLine::new(words)
            .argument("--manifest-path")
            .argument(format!("{FOLDER}/Cargo.toml"))
            .argument("--target-dir")
            .argument("target")
    };
    let line = cargo("cargo check --quiet --examples");
    println!("{line}");
    line.run(root)?;
    for block in blocks.iter().filter(|block| block.runs) {
        let line = cargo("cargo run --quiet").argument("--example").argument(example_name(block));
        println!("{line}");
        line.run(root).map_err(|error| format!("README.md:{}: {error}", block.line))?;
    }
    Ok(())
}

fn example_name(block: &Block) -> String {
    format!("readme_line_{}", block.line)
}

/// `pelton` on the path is the one that `cargo build --release` made, so that a block may use
/// it as a reader would after installing it.
fn run_shell(root: &Path, block: &Block) -> Result<(), String> {
    println!("README.md:{}\n{}", block.line, block.text.trim_end());
    let built = root.join("target/release").display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    let line = CommandLine::new("bash -euo pipefail -c")
        .argument(block.text.clone())
        .variable("PATH", format!("{built}:{path}"));
    line.run(root).map_err(|error| format!("README.md:{}: {error}", block.line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_marked_blocks_are_taken() {
        let text = "# A\n```sh\nrm x\n```\n\n<!-- check -->\n\n```sh\necho a\necho b\n```\n\
                    <!-- check: run -->\n```rust\nf();\n```\n";
        let expected = [
            Block { language: "sh", line: 8, runs: false, text: "echo a\necho b\n".to_owned() },
            Block { language: "rust", line: 13, runs: true, text: "f();\n".to_owned() },
        ];
        assert_eq!(blocks(text).unwrap(), expected);
    }

    #[test]
    fn a_mark_without_a_block_that_can_be_checked_is_an_error() {
        for text in ["<!-- check -->\ntext\n", "<!-- check -->\n```text\na\n```\n"] {
            assert!(blocks(text).unwrap_err().starts_with("README.md:2"), "{text}");
        }
    }

    #[test]
    fn a_block_becomes_a_program() {
        let block =
            |text: &str| Block { language: "rust", line: 1, runs: false, text: text.into() };
        let wrapped = program(&block("# use a::b;\n#\nb()?;\n"));
        assert!(
            wrapped.starts_with("fn main() -> Result<") && wrapped.contains("use a::b;\n\nb()?;")
        );
        let whole = "fn main() {\n    f();\n}\n";
        assert_eq!(program(&block(whole)), whole);
    }

    #[test]
    fn a_failing_command_names_its_block() {
        let block = Block { language: "sh", line: 7, runs: false, text: "true\nfalse\n".into() };
        let error = run_shell(Path::new("."), &block).unwrap_err();
        assert!(error.starts_with("README.md:7"), "{error}");
    }
}
