//! Rules: conditions with a name and a sentence that says why.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::column::{schema_with, with_column};
use super::template::{BoundTemplate, Template, is_renderable};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::expr::{BindCache, BoundExpr, Expr, bind_condition, column_index, without_nulls};
use crate::operator::MapOperator;

/// How many rules a set may hold: one bit each.
pub const RULES_MAX: usize = 64;

/// A condition with a name and a sentence.
///
/// ```
/// use pelton::expr::col;
/// use pelton::score::Rule;
/// let rule = Rule::new("impossible_travel", col("speed_kmh").gt(900))
///     .because("two places {distance_km:.0} km apart within {since_last_s} s");
/// assert_eq!(rule.to_string(), "impossible_travel: speed_kmh > 900");
/// ```
#[derive(Debug, Clone)]
pub struct Rule {
    name: String,
    condition: Expr,
    because: Option<String>,
}

impl Rule {
    /// A rule that holds where the condition is true (not false, not null).
    pub fn new(name: impl Into<String>, condition: impl Into<Expr>) -> Self {
        Self { name: name.into(), condition: condition.into(), because: None }
    }

    /// The sentence that a reader of the alert sees. `{column}` stands for the row's value,
    /// `{column:.1}` for a number with one digit behind the point, `{{` for a brace; null reads
    /// as `unknown`. Without a sentence the condition's text stands in for it.
    #[must_use]
    pub fn because(mut self, sentence: impl Into<String>) -> Self {
        self.because = Some(sentence.into());
        self
    }

    /// The rule's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rule's condition.
    pub fn condition(&self) -> &Expr {
        &self.condition
    }

    /// The columns that the condition and the sentence read, each once.
    ///
    /// # Errors
    /// When the sentence has a brace without its counterpart.
    pub fn columns(&self) -> Result<Vec<String>> {
        let mut columns = self.condition.columns();
        for name in self.template()?.columns() {
            if !columns.iter().any(|known| known == name) {
                columns.push(name.to_owned());
            }
        }
        Ok(columns)
    }

    fn template(&self) -> Result<Template> {
        match &self.because {
            Some(sentence) => Template::parse(sentence),
            None => Ok(Template::plain(self.condition.to_string())),
        }
    }

    pub(super) fn bind(&self, schema: &Schema) -> Result<BoundRule> {
        let bind = || -> Result<BoundRule> {
            let mut columns = Vec::new();
            for name in self.columns()? {
                let index = column_index(schema, &name)?;
                if is_renderable(schema.field(index).data_type()) {
                    columns.push((index, name));
                }
            }
            Ok(BoundRule {
                name: self.name.clone(),
                condition: bind_condition(&self.condition, schema)?,
                because: self.template()?.bind(schema)?,
                columns,
            })
        };
        bind().map_err(|error| error.at(format!("rule `{}`", self.name)))
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.condition)
    }
}

/// A rule that knows where its columns stand.
#[derive(Debug)]
pub(super) struct BoundRule {
    pub(super) name: String,
    condition: BoundExpr,
    pub(super) because: BoundTemplate,
    /// What condition and sentence read and a text can show: index and name.
    pub(super) columns: Vec<(usize, String)>,
}

impl BoundRule {
    /// Where the rule holds; null counts as false.
    pub(super) fn holds(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        Ok(without_nulls(&self.condition.evaluate_bool(batch)?))
    }
}

/// Checks that the rules fit one mask and have names of their own.
pub(super) fn check_rules(rules: &[Rule]) -> Result<()> {
    if rules.len() > RULES_MAX {
        let count = rules.len();
        return Err(Error::usage(format!("{count} rules, but a set holds {RULES_MAX}"))
            .advise("join conditions with `or`, or use two sets"));
    }
    for (i, rule) in rules.iter().enumerate() {
        if rules[..i].iter().any(|other| other.name == rule.name) {
            return Err(Error::usage(format!("two rules are named `{}`", rule.name)));
        }
    }
    Ok(())
}

/// Adds a UInt64 column of bits: bit `i` is set where the `i`-th rule holds.
#[derive(Debug)]
pub struct RuleSet {
    column: String,
    rules: Vec<Rule>,
    bound: BindCache<BoundSet>,
}

#[derive(Debug)]
struct BoundSet {
    rules: Vec<BoundRule>,
    schema: SchemaRef,
}

impl RuleSet {
    /// The rules, at most [`RULES_MAX`]; their bits go to the column `rules`.
    ///
    /// # Errors
    /// When there are too many rules or two have one name.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Result<Self> {
        let rules: Vec<Rule> = rules.into_iter().collect();
        check_rules(&rules)?;
        Ok(Self { column: "rules".to_owned(), rules, bound: BindCache::default() })
    }

    /// Another name for the column.
    #[must_use]
    pub fn column(mut self, name: impl Into<String>) -> Self {
        self.column = name.into();
        self
    }

    /// The rules, in the order of their bits.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    fn bind(&self, input: &Schema) -> Result<BoundSet> {
        let rules = self.rules.iter().map(|rule| rule.bind(input)).collect::<Result<_>>()?;
        let schema = schema_with(input, Field::new(&self.column, DataType::UInt64, false))?;
        Ok(BoundSet { rules, schema })
    }
}

impl MapOperator for RuleSet {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        Ok(self.bind(input)?.schema)
    }

    fn map(&self, batch: Batch) -> Result<Batch> {
        let bound = self.bound.get(batch.rows.schema_ref(), |schema| self.bind(schema))?;
        let mut bits = vec![0_u64; batch.len()];
        for (i, rule) in bound.rules.iter().enumerate() {
            // Rules hold rarely: the set bits are found a word at a time.
            for row in rule.holds(&batch.rows)?.values().set_indices() {
                bits[row] |= 1 << i;
            }
        }
        with_column(&batch, &bound.schema, Arc::new(UInt64Array::from(bits)))
    }

    fn reads(&self) -> Option<Vec<String>> {
        Some(self.rules.iter().flat_map(|rule| rule.condition().columns()).collect())
    }

    fn describe(&self) -> String {
        let rules: Vec<String> = self.rules.iter().map(ToString::to_string).collect();
        format!("rules {}: {}", self.column, rules.join("; "))
    }
}
