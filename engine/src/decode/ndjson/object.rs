//! Where the members of a JSON object lie: a scanner that checks the grammar of RFC 8259 and
//! copies nothing.
//!
//! Values that nobody asked for are checked as well (a line that is no JSON is a rejected row,
//! whichever columns the plan reads), but their strings are not decoded: UTF-8 and surrogates
//! are looked at only where a value is used.

/// Deepest nesting that is followed, as in other readers of JSON.
const DEPTH_MAX: u32 = 128;

/// What is wrong with a line, and at which byte of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub at: usize,
    pub what: &'static str,
}

/// A place in a line.
struct Scanner<'a> {
    line: &'a [u8],
    at: usize,
}

type Scanned<T = ()> = Result<T, Wrong>;

/// Calls `member` with the number, the name and the value of each member: the name is what
/// stands between its quotes, escapes as written; the value is a range of `line`.
pub(super) fn members(
    line: &[u8],
    mut member: impl FnMut(usize, &[u8], std::ops::Range<usize>),
) -> Scanned {
    let mut scanner = Scanner { line, at: 0 };
    scanner.spaces();
    scanner.expect(b'{', "expected a JSON object")?;
    scanner.spaces();
    if scanner.take(b'}') {
        return scanner.end();
    }
    for number in 0.. {
        let name = scanner.name()?;
        let start = scanner.at;
        scanner.value()?;
        member(number, &line[name], start..scanner.at);
        scanner.spaces();
        if !scanner.take(b',') {
            break;
        }
        scanner.spaces();
    }
    scanner.expect(b'}', "expected ',' or '}'")?;
    scanner.end()
}

impl Scanner<'_> {
    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    #[inline(always)]
    fn take(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    #[inline(always)]
    fn expect(&mut self, byte: u8, what: &'static str) -> Scanned {
        if self.take(byte) { Ok(()) } else { Err(self.wrong(what)) }
    }

    #[cold]
    fn wrong(&self, what: &'static str) -> Wrong {
        Wrong { at: self.at, what }
    }

    #[inline(always)]
    fn spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn end(&mut self) -> Scanned {
        self.spaces();
        if self.at == self.line.len() { Ok(()) } else { Err(self.wrong("text follows the object")) }
    }

    /// A name and its colon; gives where the name lies between its quotes.
    #[inline(always)]
    fn name(&mut self) -> Scanned<std::ops::Range<usize>> {
        self.expect(b'"', "expected the name of a member")?;
        let start = self.at;
        self.string()?;
        let name = start..self.at - 1;
        self.spaces();
        self.expect(b':', "expected ':'")?;
        self.spaces();
        Ok(name)
    }

    /// A value of any kind.
    #[inline(always)]
    fn value(&mut self) -> Scanned {
        match self.peek() {
            Some(b'{' | b'[') => self.nested(),
            _ => self.simple(),
        }
    }

    /// A value that holds no other.
    #[inline(always)]
    fn simple(&mut self) -> Scanned {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                self.string()
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => Err(self.wrong("expected a value")),
        }
    }

    fn word(&mut self, word: &[u8]) -> Scanned {
        if !self.line[self.at..].starts_with(word) {
            return Err(self.wrong("expected a value"));
        }
        self.at += word.len();
        Ok(())
    }

    /// An object or array with all that it holds. Which of the two each level is, is a bit.
    fn nested(&mut self) -> Scanned {
        let (mut objects, mut depth) = (0u128, 0);
        loop {
            // At a value.
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    if depth == DEPTH_MAX {
                        return Err(self.wrong("values are nested too deep"));
                    }
                    self.at += 1;
                    depth += 1;
                    let object = open == b'{';
                    objects = objects << 1 | u128::from(object);
                    self.spaces();
                    if !self.take(if object { b'}' } else { b']' }) {
                        if object {
                            self.name()?;
                        }
                        continue;
                    }
                    objects >>= 1;
                    depth -= 1;
                }
                _ => self.simple()?,
            }
            // Behind a value: close what ends here, then go to the next.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                self.spaces();
                let object = objects & 1 == 1;
                if self.take(b',') {
                    self.spaces();
                    if object {
                        self.name()?;
                    }
                    break;
                }
                if object {
                    self.expect(b'}', "expected ',' or '}'")?;
                } else {
                    self.expect(b']', "expected ',' or ']'")?;
                }
                objects >>= 1;
                depth -= 1;
            }
        }
    }

    /// The rest of a string, its closing quote included.
    #[inline(always)]
    fn string(&mut self) -> Scanned {
        loop {
            self.at = plain_end(self.line, self.at);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.wrong("a control character in a string")),
                None => return Err(self.wrong("a string is not closed")),
            }
        }
    }

    fn escape(&mut self) -> Scanned {
        let known = match self.line.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => match self.line.get(self.at + 2..self.at + 6) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => 6,
                _ => 0,
            },
            _ => 0,
        };
        if known == 0 {
            return Err(self.wrong("an escape that JSON does not have"));
        }
        self.at += known;
        Ok(())
    }

    /// `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`
    #[inline(always)]
    fn number(&mut self) -> Scanned {
        self.take(b'-');
        if !self.take(b'0') && self.digits() == 0 {
            return Err(self.wrong("expected a digit"));
        }
        if self.take(b'.') && self.digits() == 0 {
            return Err(self.wrong("expected a digit behind the point"));
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.wrong("expected a digit in the exponent"));
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }
}

/// The first byte from `at` on that is a quote, a backslash or a control character; eight at a
/// time.
#[inline(always)]
fn plain_end(line: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    while let Some(bytes) = line.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*bytes);
        // A byte below `n` (n <= 128) sets its top bit in `(word - n) & !word`; a borrow can set
        // more above it, never below, so the lowest one set is right.
        let quote =
            (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES) & !(word ^ (ONES * b'"' as u64));
        let slash =
            (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES) & !(word ^ (ONES * b'\\' as u64));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let found = (quote | slash | control) & TOPS;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while line.get(at).is_some_and(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)) {
        at += 1;
    }
    at
}
