//! Conditions as text, for `--filter` and `filter (where …)`: a small part of SQL.
//!
//! ```text
//! condition  = and {"or" and}          and = not {"and" not}          not = {"not"} test
//! test       = sum [("=" | "!=" | "<>" | "<" | "<=" | ">" | ">=") sum
//!                  | "is" ["not"] "null" | ["not"] "in" "(" sum {"," sum} ")"
//!                  | ["not"] "between" sum "and" sum]
//! sum        = product {("+" | "-") product}    product = value {("*" | "/") value}
//! value      = "-" value | "(" condition ")" | column | "column" | number | 'text' | true | false | null
//! ```
//! Words are read in any case, columns as they are; `''` in a text is one quote. What the
//! operators mean (nulls, NaN, decimals) is written down in `pelton::expr`.

use arrow::datatypes::DataType;
use pelton::expr::{Expr, Literal, col, lit, null};
use pelton::{Error, Result};

use super::aggregates::Guessed;

/// Brackets, `not` and `-` may nest so deep.
const DEPTH_MAX: usize = 64;

/// The condition, and the columns that it reads.
///
/// # Errors
/// When the text is no condition; the message says at which character. `option`: where the text
/// stood.
pub fn parse(text: &str, option: &str) -> Result<(Expr, Vec<Guessed>)> {
    let tokens = tokens(text).map_err(|(at, what)| wrong(option, at, &what))?;
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, columns: Vec::new() };
    let parsed = parser.any().and_then(|expr| match parser.peek() {
        Token::End => Ok(expr),
        _ => Err(parser.expected("an operator, and, or, or the end")),
    });
    let expr = parsed.map_err(|(at, what)| wrong(option, at, &what))?;
    if let Expr::Column(name) = &expr {
        parser.guess(name, DataType::Boolean);
    }
    Ok((expr, parser.columns))
}

fn wrong(option: &str, at: usize, what: &str) -> Error {
    Error::usage(what)
        .at(format!("{option}, character {}", at + 1))
        .advise("write for example: event_type = 'view' and (amount > 10 or country is null)")
}

/// A mistake: the character at which it stands (from 0), and what it is.
type Wrong = (usize, String);

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// A column, or a word of the grammar.
    Word(String),
    /// A column in double quotes.
    Quoted(String),
    Text(String),
    Int(i64),
    Float(f64),
    Sign(&'static str),
    End,
}

/// The longer ones first.
const SIGNS: [&str; 14] =
    ["<=", ">=", "!=", "<>", "==", "=", "<", ">", "(", ")", ",", "+", "-", "*"];

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, Wrong> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let start = at;
        let run = |from: usize, part: &dyn Fn(char) -> bool| {
            from + chars[from..].iter().take_while(|c| part(**c)).count()
        };
        let token = match c {
            c if c.is_whitespace() => {
                at += 1;
                continue;
            }
            '\'' | '"' => {
                let (inner, end) = quoted(&chars, at)?;
                at = end;
                if c == '"' { Token::Quoted(inner) } else { Token::Text(inner) }
            }
            c if c.is_alphabetic() || c == '_' => {
                at = run(at, &|c| c.is_alphanumeric() || c == '_' || c == '.');
                Token::Word(chars[start..at].iter().collect())
            }
            c if c.is_ascii_digit() || c == '.' => {
                at = run(at, &|c| c.is_ascii_digit() || c == '.');
                if chars.get(at).is_some_and(|c| matches!(c, 'e' | 'E')) {
                    let sign = chars.get(at + 1).is_some_and(|c| matches!(c, '+' | '-'));
                    at = run(at + 1 + usize::from(sign), &|c| c.is_ascii_digit());
                }
                number(chars[start..at].iter().collect(), start)?
            }
            '/' => {
                at += 1;
                Token::Sign("/")
            }
            _ => {
                let rest: String = chars[at..chars.len().min(at + 2)].iter().collect();
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
                let sign = sign.ok_or_else(|| (at, format!("{c:?} means nothing here")))?;
                at += sign.len();
                Token::Sign(sign)
            }
        };
        tokens.push((start, token));
    }
    tokens.push((chars.len(), Token::End));
    Ok(tokens)
}

/// What stands between the quote at `at` and its other one, and where that ends.
fn quoted(chars: &[char], at: usize) -> Result<(String, usize), Wrong> {
    let quote = chars[at];
    let mut inner = String::new();
    let mut next = at + 1;
    loop {
        match (chars.get(next), chars.get(next + 1)) {
            (None, _) => return Err((at, "this quote is not closed".into())),
            (Some(c), Some(d)) if *c == quote && *d == quote => next += 1,
            (Some(c), _) if *c == quote => return Ok((inner, next + 1)),
            _ => {}
        }
        inner.push(chars[next]);
        next += 1;
    }
}

fn number(text: String, at: usize) -> Result<Token, Wrong> {
    match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(whole), _) => Ok(Token::Int(whole)),
        (_, Ok(float)) if float.is_finite() => Ok(Token::Float(float)),
        _ => Err((at, format!("{text} is no number"))),
    }
}

struct Parser<'a> {
    tokens: &'a [(usize, Token)],
    at: usize,
    depth: usize,
    columns: Vec<Guessed>,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].1
    }

    /// Takes a word of the grammar, or a sign, if it is next.
    fn takes(&mut self, word: &str) -> bool {
        let found = match self.peek() {
            Token::Word(found) => found.eq_ignore_ascii_case(word),
            Token::Sign(sign) => *sign == word,
            _ => false,
        };
        // The end, the last token, is neither.
        self.at += usize::from(found);
        found
    }

    fn needs(&mut self, word: &str) -> Result<(), Wrong> {
        if self.takes(word) { Ok(()) } else { Err(self.expected(&format!("`{word}`"))) }
    }

    fn expected(&self, what: &str) -> Wrong {
        let (at, token) = &self.tokens[self.at];
        let found = match token {
            Token::Word(word) => format!("`{word}`"),
            Token::Quoted(name) => format!("\"{name}\""),
            Token::Text(text) => format!("'{text}'"),
            Token::Int(value) => value.to_string(),
            Token::Float(value) => value.to_string(),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::End => "the end".to_owned(),
        };
        (*at, format!("expected {what}, found {found}"))
    }

    /// Goes a level deeper.
    fn nested(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<Expr, Wrong>,
    ) -> Result<Expr, Wrong> {
        if self.depth == DEPTH_MAX {
            return Err((self.tokens[self.at].0, format!("nested deeper than {DEPTH_MAX}")));
        }
        self.depth += 1;
        let expr = parse(self);
        self.depth -= 1;
        expr
    }

    fn any(&mut self) -> Result<Expr, Wrong> {
        let mut left = self.all()?;
        while self.takes("or") {
            left = left.or(self.all()?);
        }
        Ok(left)
    }

    fn all(&mut self) -> Result<Expr, Wrong> {
        let mut left = self.not()?;
        while self.takes("and") {
            left = left.and(self.not()?);
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expr, Wrong> {
        if self.takes("not") { Ok(self.nested(Self::not)?.not()) } else { self.test() }
    }

    fn test(&mut self) -> Result<Expr, Wrong> {
        let left = self.sum()?;
        if self.takes("is") {
            let not = self.takes("not");
            self.needs("null")?;
            return Ok(if not { left.is_not_null() } else { left.is_null() });
        }
        let not = self.takes("not");
        if self.takes("in") {
            let found = self.one_of(&left)?;
            return Ok(if not { found.not() } else { found });
        }
        if self.takes("between") {
            let low = self.sum()?;
            self.needs("and")?;
            let high = self.sum()?;
            self.compared(&left, &low);
            let within = left.clone().ge(low).and(left.le(high));
            return Ok(if not { within.not() } else { within });
        }
        if not {
            return Err(self.expected("`in` or `between`"));
        }
        let Token::Sign(sign) = *self.peek() else { return Ok(left) };
        if !matches!(sign, "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">=") {
            return Ok(left);
        }
        self.at += 1;
        let right = self.sum()?;
        self.compared(&left, &right);
        Ok(match sign {
            "=" | "==" => left.eq(right),
            "!=" | "<>" => left.ne(right),
            "<" => left.lt(right),
            "<=" => left.le(right),
            ">" => left.gt(right),
            _ => left.ge(right),
        })
    }

    fn one_of(&mut self, left: &Expr) -> Result<Expr, Wrong> {
        self.needs("(")?;
        let mut found: Option<Expr> = None;
        loop {
            let value = self.sum()?;
            self.compared(left, &value);
            let is = left.clone().eq(value);
            found = Some(match found {
                Some(found) => found.or(is),
                None => is,
            });
            if !self.takes(",") {
                self.needs(")")?;
                return Ok(found.unwrap_or_else(|| lit(false)));
            }
        }
    }

    fn sum(&mut self) -> Result<Expr, Wrong> {
        let mut left = self.product()?;
        loop {
            if self.takes("+") {
                left = left + self.product()?;
            } else if self.takes("-") {
                left = left - self.product()?;
            } else {
                return Ok(left);
            }
        }
    }

    fn product(&mut self) -> Result<Expr, Wrong> {
        let mut left = self.value()?;
        loop {
            if self.takes("*") {
                left = left * self.value()?;
            } else if self.takes("/") {
                left = left / self.value()?;
            } else {
                return Ok(left);
            }
        }
    }

    fn value(&mut self) -> Result<Expr, Wrong> {
        if self.takes("(") {
            let inner = self.nested(Self::any)?;
            self.needs(")")?;
            return Ok(inner);
        }
        if self.takes("-") {
            return Ok(match self.nested(Self::value)? {
                Expr::Literal(Literal::Int(value)) => lit(value.wrapping_neg()),
                Expr::Literal(Literal::Float(value)) => lit(-value),
                value => -value,
            });
        }
        let value = match self.peek() {
            Token::Int(value) => lit(*value),
            Token::Float(value) => lit(*value),
            Token::Text(text) => lit(text.as_str()),
            Token::Quoted(name) => self.column(name.clone()),
            Token::Word(word) => match word.to_ascii_lowercase().as_str() {
                "true" => lit(true),
                "false" => lit(false),
                "null" => null(),
                "and" | "or" | "not" | "in" | "is" | "between" => {
                    return Err(self.expected("a column or a value"));
                }
                _ => self.column(word.clone()),
            },
            _ => return Err(self.expected("a column or a value")),
        };
        self.at += 1;
        Ok(value)
    }

    fn column(&mut self, name: String) -> Expr {
        if !self.columns.iter().any(|(known, _)| *known == name) {
            self.columns.push((name.clone(), None));
        }
        col(name)
    }

    /// A column that is compared with a value has the value's type, where nothing else says.
    fn compared(&mut self, left: &Expr, right: &Expr) {
        let (Expr::Column(name), Expr::Literal(literal)) = (left, right) else { return };
        match literal {
            Literal::Bool(_) => self.guess(name, DataType::Boolean),
            Literal::Int(_) => self.guess(name, DataType::Int64),
            Literal::Float(_) => self.guess(name, DataType::Float64),
            Literal::Text(_) => self.guess(name, DataType::Utf8),
            _ => {}
        }
    }

    fn guess(&mut self, name: &str, data_type: DataType) {
        if let Some((_, guess)) = self.columns.iter_mut().find(|(known, _)| known == name) {
            guess.get_or_insert(data_type);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        parse(text, "--filter").expect(text).0.to_string().replace('\'', "\"")
    }

    #[test]
    fn conditions_are_read_as_sql_reads_them() {
        for (text, says) in [
            ("a", "a"),
            ("event_type = 'view' and amount > 10", "event_type = \"view\" and amount > 10"),
            ("a=1 or b=2 AND not c<>3", "a = 1 or b = 2 and not c != 3"),
            ("(a=1 or b=2) and c", "(a = 1 or b = 2) and c"),
            ("\"a b\" is null", "\"a b\" is null"),
            ("x IS NOT NULL", "x is not null"),
            ("a in (1, 2,-3)", "a = 1 or a = 2 or a = -3"),
            ("a not in ('x')", "not a = \"x\""),
            ("a between 1 and 2 and b", "a >= 1 and a <= 2 and b"),
            ("a + 2 * b - 1.5 >= -c / 2", "a + 2 * b - 1.5 >= -c / 2"),
            ("1e3 < a", "1000.0 < a"),
            ("a == true", "a = true"),
        ] {
            assert_eq!(shown(text), says, "{text}");
        }
        let columns = parse("b > 1 and a = 'x' and \"b\" < c", "--filter").expect("a condition").1;
        let guessed = [
            ("b".to_owned(), Some(DataType::Int64)),
            ("a".to_owned(), Some(DataType::Utf8)),
            ("c".to_owned(), None),
        ];
        assert_eq!(columns, guessed);
        let quotes = parse("a = 'it''s'", "--filter").expect("a condition").0;
        assert!(format!("{quotes:?}").contains("it's"), "{quotes:?}");
    }

    #[test]
    fn mistakes_name_the_character() {
        for (text, at, says) in [
            ("", 1, "expected a column or a value, found the end"),
            ("a >", 4, "found the end"),
            ("a > > 1", 5, "found `>`"),
            ("ä = 'x", 5, "this quote is not closed"),
            ("a = 1 b", 7, "expected an operator, and, or, or the end, found `b`"),
            ("a in 1", 6, "expected `(`, found 1"),
            ("a in (1", 8, "expected `)`"),
            ("a is 1", 6, "expected `null`"),
            ("a not 1", 7, "`in` or `between`"),
            ("(a = 1", 7, "expected `)`"),
            ("a = 1.2.3", 5, "1.2.3 is no number"),
            ("a ; b", 3, "means nothing here"),
            ("and", 1, "found `and`"),
        ] {
            let error = parse(text, "--filter").expect_err(text).to_string();
            assert!(error.contains(says), "{text}: {error}");
            assert!(error.contains(&format!("--filter, character {at}:")), "{text}: {error}");
        }
        let deep = format!("{}a{}", "(".repeat(100), ")".repeat(100));
        assert!(parse(&deep, "--filter").expect_err("deep").to_string().contains("deeper than 64"));
    }
}
