//! Just enough of Rust's lexis to count code: comments, strings and character literals are
//! blanked (their line ends stay), so that braces and words that remain are code.
//!
//! Nested block comments, raw strings (`r#"…"#`), byte strings, escapes, and the difference
//! between a lifetime and a character are understood; macros are read as the code they look
//! like.

/// The text with comments and literals replaced by spaces. Line ends stay where they are.
pub fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let length = blank_length(bytes, at);
        if length == 0 {
            code.push(bytes[at]);
            at += 1;
        } else {
            let end = (at + length).min(bytes.len());
            code.extend(bytes[at..end].iter().map(|&b| if b == b'\n' { b'\n' } else { b' ' }));
            at = end;
        }
    }
    String::from_utf8_lossy(&code).into_owned()
}

/// Length of the comment or literal that starts at `at`; 0 where none does.
fn blank_length(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let after_word = at > 0 && is_word(bytes[at - 1]);
    match rest {
        [b'/', b'/', ..] => rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment_length(rest),
        [b'"', ..] => string_length(rest),
        [b'b' | b'c', b'"', ..] if !after_word => 1 + string_length(&rest[1..]),
        [b'b', b'\'', ..] if !after_word => 1 + char_length(&rest[1..]),
        [b'r', ..] if !after_word => raw_string_length(rest, 1),
        [b'b' | b'c', b'r', ..] if !after_word => raw_string_length(rest, 2),
        [b'\'', ..] => char_length(rest),
        _ => 0,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn block_comment_length(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// A string with escapes that starts with its quote.
fn string_length(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// `r"…"` or `r##"…"##` whose letters are `prefix` long; 0 where it is a word or `r#name`.
fn raw_string_length(rest: &[u8], prefix: usize) -> usize {
    let hashes = rest[prefix..].iter().take_while(|&&b| b == b'#').count();
    let start = prefix + hashes;
    if rest.get(start) != Some(&b'"') {
        return 0;
    }
    let mut end = vec![b'"'];
    end.resize(1 + hashes, b'#');
    let body = &rest[start + 1..];
    body.windows(end.len())
        .position(|window| window == end)
        .map_or(rest.len(), |position| start + 1 + position + end.len())
}

/// A character literal that starts with its quote; 0 for a lifetime or a label.
fn char_length(rest: &[u8]) -> usize {
    match rest {
        [_, b'\\', _, tail @ ..] => {
            tail.iter().position(|&b| b == b'\'').map_or(rest.len(), |position| position + 4)
        }
        [_, b'\'', ..] | [] | [_] => 0,
        [_, tail @ ..] => {
            let wide = tail.iter().take_while(|&&b| b & 0xC0 == 0x80 || b >= 0xC0).count();
            let width = wide.max(1);
            if tail.get(width) == Some(&b'\'') { width + 2 } else { 0 }
        }
    }
}

/// Number of lines of `code` (see [`code_only`]) that hold more than space.
pub fn code_lines(code: &str) -> usize {
    code.lines().filter(|line| !line.trim().is_empty()).count()
}

/// A function and the size of its body.
#[derive(Debug, PartialEq, Eq)]
pub struct Function<'a> {
    /// Its name.
    pub name: &'a str,
    /// The line on which it starts, from 1.
    pub line: usize,
    /// Lines of code from `fn` to the closing brace.
    pub code_lines: usize,
}

/// The functions of `code` that have a body; one inside another counts for both.
pub fn functions(code: &str) -> Vec<Function<'_>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = code[from..].find("fn ").map(|offset| from + offset) {
        from = at + 3;
        if at > 0 && is_word(code.as_bytes()[at - 1]) {
            continue;
        }
        let signature = code[from..].trim_start();
        let name_length = signature.bytes().take_while(|&b| is_word(b)).count();
        let Some(length) = body_end(&code.as_bytes()[from..]) else { continue };
        if name_length > 0 {
            found.push(Function {
                name: &signature[..name_length],
                line: code[..at].matches('\n').count() + 1,
                code_lines: code_lines(&code[at..from + length]),
            });
        }
    }
    found
}

/// Where the body that starts at the first brace ends; `None` for a declaration without one.
fn body_end(bytes: &[u8]) -> Option<usize> {
    let (mut braces, mut brackets) = (0_usize, 0_usize);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets = brackets.saturating_sub(1),
            b';' if braces == 0 && brackets == 0 => return None,
            b'{' => braces += 1,
            b'}' if braces <= 1 => return (braces == 1).then_some(at + 1),
            b'}' => braces -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked() {
        for (text, code) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"f("a\"{", 1)"#, "f(      , 1)"),
            ("r#\"{\"# x", "       x"),
            ("br\"{\" x", "      x"),
            ("'{' b'}' '\\'' '\\u{7b}' 'é'", &" ".repeat(27)),
            ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
            ("'outer: loop {}", "'outer: loop {}"),
            ("for r in bar {}", "for r in bar {}"),
            ("r#type", "r#type"),
            ("\"unclosed {", "           "),
        ] {
            assert_eq!(code_only(text), code, "{text}");
        }
    }

    #[test]
    fn functions_are_measured_without_comments_and_blank_lines() {
        let text = "\
fn one() { 1 }
trait T { fn declared(&self) -> [u8; 2]; }
impl X {
    // fn no() {}
    fn two(
        a: [u8; 3],
    ) {

        // a comment }
        f(\"}\");
    }
}
";
        let code = code_only(text);
        let found = functions(&code);
        assert_eq!(
            found,
            [
                Function { name: "one", line: 1, code_lines: 1 },
                Function { name: "two", line: 5, code_lines: 5 },
            ]
        );
    }

    #[test]
    fn any_bytes_end() {
        for text in ["'", "b'", "r#", "/*", "\"\\", "'\\", "fn", "fn ", "fn f(", "fn f() {", "}"] {
            let code = code_only(text);
            assert!(functions(&code).is_empty(), "{text}");
        }
    }
}
