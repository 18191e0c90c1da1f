//! Files as a user names them: `Csv::file("payments.csv")`, for reading and for writing.

use arrow::datatypes::{DataType, SchemaRef};

use crate::decode::{self, ColumnRequest, DecodeOptions, Decoder, Format};
use crate::error::Result;
use crate::source::{self, SourceOptions};

/// A file, standard input or standard output (`-`), and how to read or write it.
#[derive(Debug, Clone)]
pub struct File {
    pub(crate) path: String,
    pub(crate) format: Option<Format>,
    pub(crate) decode: DecodeOptions,
    pub(crate) source: SourceOptions,
}

impl File {
    /// The format is told by the file's ending, or by its first bytes.
    pub fn any(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            format: None,
            decode: DecodeOptions::default(),
            source: SourceOptions::default(),
        }
    }

    /// A file of this format, whatever its name.
    pub fn of(format: Format, path: impl Into<String>) -> Self {
        Self { format: Some(format), ..Self::any(path) }
    }

    /// Column that the plan needs, with its type; it must be there.
    #[must_use]
    pub fn column(self, name: &str, data_type: DataType) -> Self {
        self.request(name, Some(data_type), true)
    }

    /// Column that the plan uses if it is there.
    #[must_use]
    pub fn optional_column(self, name: &str, data_type: DataType) -> Self {
        self.request(name, Some(data_type), false)
    }

    /// Column that the plan needs, of the type that the file has (inferred from text).
    #[must_use]
    pub fn column_as_it_is(self, name: &str) -> Self {
        self.request(name, None, true)
    }

    /// Column that the plan uses if it is there, of the type that the file has.
    #[must_use]
    pub fn optional_column_as_it_is(self, name: &str) -> Self {
        self.request(name, None, false)
    }

    fn request(mut self, name: &str, data_type: Option<DataType>, required: bool) -> Self {
        self.decode.columns.get_or_insert_default().push(ColumnRequest {
            name: name.to_owned(),
            data_type,
            required,
        });
        self
    }

    /// The columns asked for, with their types.
    pub fn requested(&self) -> impl Iterator<Item = (&str, &DataType)> {
        let columns = self.decode.columns.as_deref().unwrap_or_default();
        columns.iter().filter_map(|c| Some((c.name.as_str(), c.data_type.as_ref()?)))
    }

    /// Field separator of a CSV file.
    #[must_use]
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.decode.delimiter = delimiter;
        self
    }

    /// The text that means null in a CSV file, besides the empty field.
    #[must_use]
    pub fn null(mut self, text: &str) -> Self {
        self.decode.null = Some(text.to_owned());
        self
    }

    /// Whether the first record of a CSV file names the columns.
    #[must_use]
    pub fn header(mut self, header: bool) -> Self {
        self.decode.header = header;
        self
    }

    /// Largest number of rows in a batch. No result depends on it.
    #[must_use]
    pub fn batch_rows(mut self, rows: usize) -> Self {
        self.decode.batch_rows = rows.max(1);
        self
    }

    /// Opens the file, so that its columns can be looked at before the plan is made.
    ///
    /// # Errors
    /// When it cannot be read or is not what its format says.
    pub fn open(self) -> Result<Opened> {
        let decoder = decode::open(&self.path, self.format, &self.decode, &self.source)?;
        let name = source::base_name(&self.path);
        Ok(Opened { decoder, name, io: source::io_in_use(&self.source) })
    }

    /// How bytes are read.
    #[must_use]
    pub fn source(mut self, source: SourceOptions) -> Self {
        self.source = source;
        self
    }
}

/// A file that has been opened for reading.
pub struct Opened {
    pub(crate) decoder: Box<dyn Decoder>,
    pub(crate) name: String,
    pub(crate) io: &'static str,
}

impl Opened {
    /// The columns that its batches have: those asked for that it holds.
    pub fn schema(&self) -> SchemaRef {
        self.decoder.schema()
    }
}

macro_rules! format_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl $name {
            /// The file at this path; `-` is standard input or output.
            pub fn file(path: impl Into<String>) -> File {
                File::of(Format::$name, path)
            }
        }
    };
}

format_type!(
    /// Comma-separated values.
    Csv
);
format_type!(
    /// One JSON object a line.
    NdJson
);
format_type!(
    /// Apache Parquet.
    Parquet
);
format_type!(
    /// Arrow IPC.
    Arrow
);
