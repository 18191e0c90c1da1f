//! Rules: conditions with a name and a sentence that says why.

use arrow::array::{BooleanArray, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};

use super::template::{BoundTemplate, Template, is_renderable, write_json_text};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::expr::{
    BoundExpr, Compute, Computed, Expr, bind_condition, column_index, without_nulls,
};
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
            let mut json_columns = Vec::new();
            for name in self.columns()? {
                let index = column_index(schema, &name)?;
                if is_renderable(schema.field(index).data_type()) {
                    let mut json = String::new();
                    write_json_text(&mut json, &name);
                    json_columns.push((index, json));
                }
            }
            let mut json_head = String::from("{\"rule\":");
            write_json_text(&mut json_head, &self.name);
            json_head.push_str(",\"because\":");
            Ok(BoundRule {
                json_head,
                condition: bind_condition(&self.condition, schema)?,
                because: self.template()?.bind(schema)?,
                json_columns,
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
    /// The beginning of its reasons: `{"rule":"name","because":`.
    pub(super) json_head: String,
    condition: BoundExpr,
    pub(super) because: BoundTemplate,
    /// What condition and sentence read and a text can show: index, and name as JSON.
    pub(super) json_columns: Vec<(usize, String)>,
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
    rules: Vec<Rule>,
    compute: Compute,
}

impl RuleSet {
    /// The rules, at most [`RULES_MAX`]; their bits go to the column `rules`.
    ///
    /// # Errors
    /// When there are too many rules or two have one name.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Result<Self> {
        let rules: Vec<Rule> = rules.into_iter().collect();
        check_rules(&rules)?;
        Ok(Self { rules, compute: Compute::default() }.column("rules"))
    }

    /// Another name for the column.
    #[must_use]
    pub fn column(self, name: impl Into<String>) -> Self {
        let name = name.into();
        let conditions = self.rules.iter().map(|rule| rule.condition.clone()).collect();
        let lines: Vec<String> = self.rules.iter().map(ToString::to_string).collect();
        let text = format!("rules {name}: {}", lines.join("; "));
        Self { compute: Compute::new([Computed::bits(name, conditions, text)]), ..self }
    }

    /// The rules, in the order of their bits.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    pub(crate) fn computed(&self) -> &[Computed] {
        self.compute.columns()
    }
}

impl MapOperator for RuleSet {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        // A sentence that names a column which is not there is a mistake as well.
        self.rules.iter().try_for_each(|rule| rule.bind(input).map(drop))?;
        self.compute.output_schema(input)
    }

    fn map(&self, batch: Batch) -> Result<Batch> {
        self.compute.map(batch)
    }

    fn reads(&self) -> Option<Vec<String>> {
        self.compute.reads()
    }

    fn describe(&self) -> String {
        self.compute.describe()
    }
}
