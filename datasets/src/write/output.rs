//! The file being written: beside its final name until complete, compressed where its ending
//! says so.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use zstd::stream::write::Encoder as ZstdEncoder;

use crate::error::{Error, Result};

/// Fast levels: recordings are written once and read a few times.
const GZIP_LEVEL: u32 = 3;
const ZSTD_LEVEL: i32 = 3;

/// A file under a temporary name in its final folder; removed unless committed.
#[derive(Debug)]
pub(crate) struct Output {
    path: PathBuf,
    beside: PathBuf,
    committed: bool,
}

impl Output {
    /// Creates the temporary file of `path`.
    pub(crate) fn create(path: &Path) -> Result<(Self, File)> {
        let Some(name) = path.file_name() else {
            return Err(Error::file("write", path, "it names no file"));
        };
        if path.is_dir() {
            return Err(Error::file("write", path, "it is a directory; name a file in it"));
        }
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.partial", std::process::id()));
        let beside = path.with_file_name(hidden);
        let file = File::create(&beside).map_err(|error| Error::file("write", path, error))?;
        Ok((Self { path: path.to_path_buf(), beside, committed: false }, file))
    }

    /// Gives the file its final name; its size in bytes.
    pub(crate) fn commit(mut self) -> Result<u64> {
        fs::rename(&self.beside, &self.path)
            .map_err(|error| Error::file("rename to", &self.path, error))?;
        self.committed = true;
        let metadata = fs::metadata(&self.path)
            .map_err(|error| Error::file("read back", &self.path, error))?;
        Ok(metadata.len())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.committed {
            // The error that brought us here is the one worth telling.
            let _ = fs::remove_file(&self.beside);
        }
    }
}

/// How a text file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    None,
    Gzip,
    Zstd,
}

impl Packing {
    /// By the ending of the file's name.
    pub(crate) fn of(path: &Path) -> Self {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("gz") => Self::Gzip,
            Some("zst") => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// A writer that may compress.
pub(crate) enum Compressed<W: Write> {
    Plain(W),
    Gzip(GzEncoder<W>),
    Zstd(ZstdEncoder<'static, W>),
}

impl<W: Write> Compressed<W> {
    pub(crate) fn new(packing: Packing, output: W) -> io::Result<Self> {
        Ok(match packing {
            Packing::None => Self::Plain(output),
            Packing::Gzip => {
                Self::Gzip(GzEncoder::new(output, flate2::Compression::new(GZIP_LEVEL)))
            }
            Packing::Zstd => Self::Zstd(ZstdEncoder::new(output, ZSTD_LEVEL)?),
        })
    }

    /// Writes what is still held back.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut output) => output.flush(),
            Self::Gzip(encoder) => encoder.finish()?.flush(),
            Self::Zstd(encoder) => encoder.finish()?.flush(),
        }
    }
}

impl<W: Write> Write for Compressed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(output) => output.write(bytes),
            Self::Gzip(output) => output.write(bytes),
            Self::Zstd(output) => output.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(output) => output.flush(),
            Self::Gzip(output) => output.flush(),
            Self::Zstd(output) => output.flush(),
        }
    }
}
