//! A static table to look rows up in, as a user writes it: `Lookup::file(Csv::file("ads.csv"))
//! .on("ad_id")`.

use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;

use super::files::File;
use crate::decode::{DeadLetter, TextOrigin};
use crate::error::{Error, Result};
use crate::lookup::{LookupJoin, LookupTable};

/// A table whose columns are added to each row that has its key. The file is read once, when the
/// plan is first looked at.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
/// use pelton::pipeline::Lookup;
///
/// let ads = RecordBatch::try_from_iter([
///     ("ad_id", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef),
///     ("campaign", Arc::new(StringArray::from(vec!["spring", "spring"]))),
/// ])?;
/// let ads = Lookup::rows(ads).on("ad_id");
/// assert_eq!(ads.added()?, ["campaign"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Lookup {
    source: Source,
    /// Key columns: the rows' and the table's names.
    on: Vec<(String, String)>,
    /// The columns that are added, by the table's names; `None`: all but the keys.
    columns: Option<Vec<String>>,
    prefix: String,
    inner: bool,
    loaded: OnceLock<Result<Arc<LookupTable>>>,
}

#[derive(Debug)]
enum Source {
    File(File),
    Rows(RecordBatch),
}

impl Lookup {
    /// A table in a file of any format that can be read.
    pub fn file(file: File) -> Self {
        Self::new(Source::File(file))
    }

    /// A table in memory.
    pub fn rows(rows: RecordBatch) -> Self {
        Self::new(Source::Rows(rows))
    }

    fn new(source: Source) -> Self {
        let (on, columns, prefix) = (Vec::new(), None, String::new());
        Self { source, on, columns, prefix, inner: false, loaded: OnceLock::new() }
    }

    /// A key column that the rows and the table both have; several are a key together.
    #[must_use]
    pub fn on(self, column: &str) -> Self {
        self.on_columns(column, column)
    }

    /// A key column that has one name in the rows and another in the table.
    #[must_use]
    pub fn on_columns(mut self, rows: &str, table: &str) -> Self {
        self.on.push((rows.to_owned(), table.to_owned()));
        self
    }

    /// Adds these columns only (by the table's own names).
    #[must_use]
    pub fn columns<'a>(mut self, columns: impl IntoIterator<Item = &'a str>) -> Self {
        self.columns = Some(columns.into_iter().map(str::to_owned).collect());
        self
    }

    /// Puts this before the names of the columns that are added.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// Takes rows without a match out (they are counted as filtered); otherwise they get nulls.
    #[must_use]
    pub fn inner(mut self) -> Self {
        self.inner = true;
        self
    }

    /// Names of the columns that it adds. Reads the file, if that was not done before.
    ///
    /// # Errors
    /// When the table cannot be read, a row of it cannot be used, a column is missing, or two rows
    /// have one key.
    pub fn added(&self) -> Result<Vec<String>> {
        Ok(self.table()?.column_names().filter_map(|column| self.name(column)).collect())
    }

    /// What a column of the table is called where it is added; `None`: it is not.
    fn name(&self, column: &str) -> Option<String> {
        let wanted = self.columns.as_ref().is_none_or(|wanted| wanted.iter().any(|w| w == column));
        wanted.then(|| format!("{}{column}", self.prefix))
    }

    /// The step of a plan.
    pub(super) fn step(&self) -> Result<LookupJoin> {
        let keys = self.on.iter().map(|(own, _)| own.clone()).collect();
        let table = self.table()?;
        let known: Vec<&str> = table.column_names().collect();
        let mut wanted = self.columns.iter().flatten();
        if let Some(missing) = wanted.find(|name| !known.contains(&name.as_str())) {
            return Err(Error::usage(format!("the table has no column \"{missing}\" to add"))
                .advise(format!("its columns beside the key are: {}", known.join(", "))));
        }
        Ok(LookupJoin::new(table, keys, |column| self.name(column), self.inner))
    }

    fn table(&self) -> Result<Arc<LookupTable>> {
        self.loaded.get_or_init(|| self.load().map(Arc::new)).clone()
    }

    fn load(&self) -> Result<LookupTable> {
        let keys: Vec<String> = self.on.iter().map(|(_, theirs)| theirs.clone()).collect();
        match &self.source {
            Source::Rows(rows) => {
                LookupTable::new("in memory", rows, &keys, |row| format!("row {}", row + 1))
            }
            Source::File(file) => {
                let FileRows { name, rows, lines } = FileRows::read(file)?;
                LookupTable::new(&name, &rows, &keys, |row| match lines.get(row) {
                    Some(line) => format!("line {line}"),
                    None => format!("row {}", row + 1),
                })
            }
        }
    }
}

/// All rows of a file.
struct FileRows {
    name: String,
    rows: RecordBatch,
    /// Line of each row, where the file is text.
    lines: Vec<u64>,
}

impl FileRows {
    fn read(file: &File) -> Result<Self> {
        let mut opened = file.clone().open()?;
        let schema = opened.schema();
        let (mut batches, mut lines) = (Vec::new(), Vec::new());
        while let Some(decoded) = opened.decoder.next_batch()? {
            // A table with a hole would answer wrongly for that key, in silence.
            if let Some(DeadLetter { line, column, reason, .. }) = decoded.rejects.first() {
                let column = column.as_ref().map(|c| format!(", column {c}")).unwrap_or_default();
                return Err(Error::run(format!("a row of the table cannot be used: {reason}"))
                    .at(format!("{}, line {line}{column}", opened.name))
                    .advise("mend the row, or take it out"));
            }
            if let Some(origin) = &decoded.origin {
                lines.extend(lines_of(origin));
            }
            batches.push(decoded.rows);
        }
        Ok(Self { name: opened.name, rows: concat_batches(&schema, &batches)?, lines })
    }
}

/// The line of each row of a text, from 1.
fn lines_of(origin: &TextOrigin) -> Vec<u64> {
    let (mut line, mut at) = (origin.line, 0);
    let starts = origin.starts.iter().map(|&start| {
        let start = start as usize;
        line += memchr::memchr_iter(b'\n', &origin.text[at..start]).count() as u64;
        at = start;
        line
    });
    starts.collect()
}
