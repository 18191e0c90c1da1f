//! The expression tree and the methods that build it.

use std::ops;

/// A constant in an expression.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Literal {
    /// No value; takes the type of what it meets.
    Null,
    /// true or false.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A 64-bit float.
    Float(f64),
    /// `unscaled / 10^scale`, exactly.
    Decimal {
        /// The digits.
        unscaled: i128,
        /// How many of them stand behind the point.
        scale: i8,
    },
    /// Text.
    Text(String),
}

/// Operators with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnaryOp {
    /// Three-valued logical not.
    Not,
    /// Whether the value is null.
    IsNull,
    /// Whether the value is not null.
    IsNotNull,
    /// Change of sign.
    Neg,
    /// Absolute value.
    Abs,
    /// Natural logarithm, f64.
    Ln,
    /// Square root, f64.
    Sqrt,
    /// The nearest f64.
    CastF64,
}

/// Operators with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BinaryOp {
    /// Three-valued logical or.
    Or,
    /// Three-valued logical and.
    And,
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// Sum.
    Add,
    /// Difference.
    Sub,
    /// Product.
    Mul,
    /// Quotient; truncates among integers.
    Div,
    /// The smaller; null where one is.
    Min,
    /// The larger; null where one is.
    Max,
    /// The first that is not null.
    Coalesce,
}

/// An expression over named columns; see the [module](super) for what the operators mean.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Expr {
    /// The value of a column.
    Column(String),
    /// A constant.
    Literal(Literal),
    /// An operator with one operand.
    Unary {
        /// The operator.
        op: UnaryOp,
        /// Its operand.
        input: Box<Expr>,
    },
    /// An operator with two operands.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// One value where the condition is true, another where it is false or null.
    When {
        /// The condition.
        condition: Box<Expr>,
        /// The value where it is true.
        then: Box<Expr>,
        /// The value elsewhere.
        otherwise: Box<Expr>,
    },
}

/// The column `name`.
pub fn col(name: impl Into<String>) -> Expr {
    Expr::Column(name.into())
}

/// A constant: an integer, a float, a bool or text.
pub fn lit(value: impl Into<Expr>) -> Expr {
    value.into()
}

/// The exact decimal `unscaled / 10^scale`: `decimal(1999, 2)` is 19.99.
pub fn decimal(unscaled: i128, scale: i8) -> Expr {
    Expr::Literal(Literal::Decimal { unscaled, scale })
}

/// No value; takes the type of what it meets.
pub fn null() -> Expr {
    Expr::Literal(Literal::Null)
}

/// Starts `when(condition).then(a).otherwise(b)`.
pub fn when(condition: impl Into<Expr>) -> When {
    When { condition: condition.into() }
}

/// A condition that waits for its [`then`](When::then).
#[derive(Debug, Clone)]
pub struct When {
    condition: Expr,
}

impl When {
    /// The value where the condition is true.
    pub fn then(self, value: impl Into<Expr>) -> Then {
        Then { condition: self.condition, then: value.into() }
    }
}

/// A condition and a value that wait for their [`otherwise`](Then::otherwise).
#[derive(Debug, Clone)]
pub struct Then {
    condition: Expr,
    then: Expr,
}

impl Then {
    /// The value where the condition is false or null.
    pub fn otherwise(self, value: impl Into<Expr>) -> Expr {
        Expr::When {
            condition: Box::new(self.condition),
            then: Box::new(self.then),
            otherwise: Box::new(value.into()),
        }
    }
}

macro_rules! binary_methods {
    ($($(#[$doc:meta])* $name:ident => $op:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(self, other: impl Into<Expr>) -> Expr {
            self.binary(BinaryOp::$op, other.into())
        }
    )*};
}

macro_rules! unary_methods {
    ($($(#[$doc:meta])* $name:ident => $op:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(self) -> Expr {
            Expr::Unary { op: UnaryOp::$op, input: Box::new(self) }
        }
    )*};
}

// The methods are named as in SQL builders elsewhere; the traits of the same names exist too.
#[allow(clippy::should_implement_trait)]
impl Expr {
    binary_methods! {
        /// `self = other`
        eq => Eq;
        /// `self != other`
        ne => Ne;
        /// `self < other`
        lt => Lt;
        /// `self <= other`
        le => Le;
        /// `self > other`
        gt => Gt;
        /// `self >= other`
        ge => Ge;
        /// `self and other`
        and => And;
        /// `self or other`
        or => Or;
        /// `self + other`
        add => Add;
        /// `self - other`
        sub => Sub;
        /// `self * other`
        mul => Mul;
        /// `self / other`
        div => Div;
        /// The smaller of two values; null where one is null, NaN is greatest.
        min => Min;
        /// The larger of two values; null where one is null, NaN is greatest.
        max => Max;
        /// `self`, or `other` where `self` is null.
        coalesce => Coalesce;
    }

    unary_methods! {
        /// `not self`
        not => Not;
        /// `self is null`
        is_null => IsNull;
        /// `self is not null`
        is_not_null => IsNotNull;
        /// The absolute value.
        abs => Abs;
        /// The natural logarithm as f64: −∞ at 0, NaN below.
        ln => Ln;
        /// The square root as f64: NaN below 0.
        sqrt => Sqrt;
        /// The nearest f64 (a bool becomes 0 or 1).
        cast_f64 => CastF64;
    }

    fn binary(self, op: BinaryOp, right: Expr) -> Expr {
        Expr::Binary { op, left: Box::new(self), right: Box::new(right) }
    }

    /// The columns that the expression reads, each once, in the order of the text.
    pub fn columns(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.collect_columns(&mut names);
        names
    }

    fn collect_columns(&self, names: &mut Vec<String>) {
        match self {
            Self::Column(name) => {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
            Self::Literal(_) => {}
            Self::Unary { input, .. } => input.collect_columns(names),
            Self::Binary { left, right, .. } => {
                left.collect_columns(names);
                right.collect_columns(names);
            }
            Self::When { condition, then, otherwise } => {
                condition.collect_columns(names);
                then.collect_columns(names);
                otherwise.collect_columns(names);
            }
        }
    }
}

macro_rules! literal_from {
    ($($from:ty => $variant:ident as $to:ty;)*) => {$(
        impl From<$from> for Expr {
            fn from(value: $from) -> Self {
                Expr::Literal(Literal::$variant(<$to>::from(value)))
            }
        }
    )*};
}

literal_from! {
    bool => Bool as bool;
    i8 => Int as i64;
    i16 => Int as i64;
    i32 => Int as i64;
    i64 => Int as i64;
    u8 => Int as i64;
    u16 => Int as i64;
    u32 => Int as i64;
    f32 => Float as f64;
    f64 => Float as f64;
    &str => Text as String;
    String => Text as String;
}

macro_rules! std_operators {
    ($($trait:ident $method:ident;)*) => {$(
        impl<R: Into<Expr>> ops::$trait<R> for Expr {
            type Output = Expr;

            fn $method(self, other: R) -> Expr {
                self.binary(BinaryOp::$trait, other.into())
            }
        }
    )*};
}

std_operators! {
    Add add;
    Sub sub;
    Mul mul;
    Div div;
}

impl ops::Not for Expr {
    type Output = Expr;

    fn not(self) -> Expr {
        Expr::Unary { op: UnaryOp::Not, input: Box::new(self) }
    }
}

impl ops::Neg for Expr {
    type Output = Expr;

    fn neg(self) -> Expr {
        Expr::Unary { op: UnaryOp::Neg, input: Box::new(self) }
    }
}
