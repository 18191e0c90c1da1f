//! An expression as text, with as few parentheses as its meaning allows; alerts and `explain`
//! show it.

use std::fmt;

use super::{BinaryOp, Expr, Literal, UnaryOp};

/// How tightly the outermost operator of a text binds; an operand that binds less tightly than
/// its place asks for goes into parentheses.
mod binding {
    pub const OR: u8 = 1;
    pub const AND: u8 = 2;
    pub const NOT: u8 = 3;
    pub const COMPARE: u8 = 4;
    pub const SUM: u8 = 5;
    pub const PRODUCT: u8 = 6;
    pub const NEG: u8 = 7;
    pub const ATOM: u8 = 8;
}

impl BinaryOp {
    /// The sign between the operands, or the function's name.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Eq => "=",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Min => "min",
            Self::Max => "max",
            Self::Coalesce => "coalesce",
        }
    }

    fn binding(self) -> u8 {
        match self {
            Self::Or => binding::OR,
            Self::And => binding::AND,
            Self::Eq | Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge => binding::COMPARE,
            Self::Add | Self::Sub => binding::SUM,
            Self::Mul | Self::Div => binding::PRODUCT,
            Self::Min | Self::Max | Self::Coalesce => binding::ATOM,
        }
    }
}

impl UnaryOp {
    /// The operator's name.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Not => "not",
            Self::IsNull => "is null",
            Self::IsNotNull => "is not null",
            Self::Neg => "-",
            Self::Abs => "abs",
            Self::Ln => "ln",
            Self::Sqrt => "sqrt",
            Self::CastF64 => "f64",
        }
    }
}

impl Expr {
    fn binding(&self) -> u8 {
        match self {
            Self::Binary { op, .. } => op.binding(),
            Self::Unary { op: UnaryOp::Not, .. } => binding::NOT,
            Self::Unary { op: UnaryOp::IsNull | UnaryOp::IsNotNull, .. } => binding::COMPARE,
            Self::Unary { op: UnaryOp::Neg, .. } => binding::NEG,
            _ => binding::ATOM,
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, at_least: u8) -> fmt::Result {
        let enclosed = self.binding() < at_least;
        if enclosed {
            f.write_str("(")?;
        }
        match self {
            Self::Column(name) => write_name(f, name)?,
            Self::Literal(literal) => write!(f, "{literal}")?,
            Self::Unary { op, input } => write_unary(f, *op, input)?,
            Self::Binary { op, left, right } => write_binary(f, *op, left, right)?,
            Self::When { condition, then, otherwise } => {
                write!(f, "case when {condition} then {then} else {otherwise} end")?;
            }
        }
        if enclosed {
            f.write_str(")")?;
        }
        Ok(())
    }
}

fn write_unary(f: &mut fmt::Formatter<'_>, op: UnaryOp, input: &Expr) -> fmt::Result {
    match op {
        UnaryOp::Not => {
            f.write_str("not ")?;
            input.write(f, binding::NOT)
        }
        UnaryOp::Neg => {
            f.write_str("-")?;
            input.write(f, binding::ATOM)
        }
        UnaryOp::IsNull | UnaryOp::IsNotNull => {
            input.write(f, binding::SUM)?;
            write!(f, " {}", op.text())
        }
        UnaryOp::Abs | UnaryOp::Ln | UnaryOp::Sqrt | UnaryOp::CastF64 => {
            write!(f, "{}({input})", op.text())
        }
    }
}

fn write_binary(
    f: &mut fmt::Formatter<'_>,
    op: BinaryOp,
    left: &Expr,
    right: &Expr,
) -> fmt::Result {
    let own = op.binding();
    let (left_at_least, right_at_least) = match own {
        binding::ATOM => return write!(f, "{}({left}, {right})", op.text()),
        // Comparisons do not chain; and, or read the same either way.
        binding::COMPARE => (own + 1, own + 1),
        binding::AND | binding::OR => (own, own),
        _ => (own, own + 1),
    };
    left.write(f, left_at_least)?;
    write!(f, " {} ", op.text())?;
    right.write(f, right_at_least)
}

const KEYWORDS: [&str; 13] = [
    "and", "or", "not", "is", "null", "true", "false", "case", "when", "then", "else", "end", "f64",
];

/// A plain name as it is, any other between double quotes.
fn write_name(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
        && !KEYWORDS.contains(&name);
    if plain { f.write_str(name) } else { write!(f, "\"{}\"", name.replace('"', "\"\"")) }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => f.write_str(ryu::Buffer::new().format(*value)),
            Self::Decimal { unscaled, scale } => write_decimal(f, *unscaled, *scale),
            Self::Text(value) => write!(f, "'{}'", value.replace('\'', "''")),
        }
    }
}

/// `unscaled / 10^scale` with all its digits.
pub(crate) fn write_decimal(f: &mut impl fmt::Write, unscaled: i128, scale: i8) -> fmt::Result {
    if unscaled < 0 {
        f.write_char('-')?;
    }
    let digits = unscaled.unsigned_abs().to_string();
    let Ok(places) = usize::try_from(scale) else {
        let zeros = if unscaled == 0 { 0 } else { usize::from(scale.unsigned_abs()) };
        return write!(f, "{digits}{}", "0".repeat(zeros));
    };
    if places == 0 {
        return f.write_str(&digits);
    }
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places);
    write!(f, "{whole}.{fraction}")
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}
