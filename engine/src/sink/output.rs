//! The file under a sink: written beside its final name, renamed when the run has succeeded.
//!
//! A run that fails, or is killed, leaves under the final name exactly what was there before.
//! Devices and pipes (`/dev/null`, a named pipe) cannot be renamed over and are written in
//! place; `-` is standard output.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// Most bytes that the system is given at once. For a write of many MB it looks for pages of the
/// cache that lie together, which are those that nothing has used for long; on a virtual machine
/// each of these is fetched from the host first: 400 MB in writes of 80 MB took 0.13 to 0.82 s, in
/// writes of 256 KB 0.06 s (`dd`).
const WRITE_BYTES_MAX: usize = 256 << 10;

/// A file that gets its name on [`Output::commit`]; dropped before, it is removed.
#[derive(Debug)]
pub struct Output {
    target: Target,
    path: PathBuf,
}

#[derive(Debug)]
enum Target {
    Beside(NamedTempFile),
    InPlace(File),
    Standard(io::Stdout),
}

impl Output {
    /// Opens `path` for writing; `-` is standard output.
    ///
    /// # Errors
    /// When the path is a directory, or its folder is missing or cannot be written to.
    pub fn create(path: &str) -> Result<Self> {
        if path == "-" {
            let path = PathBuf::from("standard output");
            return Ok(Self { target: Target::Standard(io::stdout()), path });
        }
        let named = Path::new(path);
        // Through a link the file that it points to is replaced, not the link.
        let path = named.canonicalize().unwrap_or_else(|_| named.to_owned());
        let existing = path.metadata().ok();
        if existing.as_ref().is_some_and(std::fs::Metadata::is_dir) {
            return Err(Error::run(format!("cannot write {}: it is a directory", named.display()))
                .advise("name a file in it"));
        }
        let cannot = |error: io::Error| {
            let advice = match error.kind() {
                io::ErrorKind::NotFound => "create its folder first",
                io::ErrorKind::PermissionDenied => "choose a folder that you may write to",
                _ => "choose another place for the output",
            };
            Error::io("write", named, &error).advise(advice)
        };
        let target = match existing {
            Some(metadata) if !metadata.is_file() => {
                Target::InPlace(File::options().write(true).open(&path).map_err(cannot)?)
            }
            existing => {
                let permissions = existing.map(|metadata| metadata.permissions());
                Target::Beside(create_beside(&path, permissions).map_err(cannot)?)
            }
        };
        Ok(Self { target, path })
    }

    /// Whether somebody may be reading along, so that no batch should be held back.
    pub fn is_stream(&self) -> bool {
        !matches!(self.target, Target::Beside(_))
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// When they cannot be written (full disk, closed pipe).
    pub fn put(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.write_all(bytes);
        written.map_err(|error| self.error(&error))
    }

    /// Flushes, and gives the file its name.
    ///
    /// # Errors
    /// When the last bytes cannot be written, or the file cannot get its name.
    pub fn commit(mut self) -> Result<()> {
        let flushed = self.flush();
        flushed.map_err(|error| self.error(&error))?;
        if let Target::Beside(file) = self.target {
            let path = self.path;
            file.persist(&path).map_err(|failed| Error::io("write", &path, &failed.error))?;
        }
        Ok(())
    }

    /// Where it goes, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn error(&self, error: &io::Error) -> Error {
        let advice = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "free some space, or write to another disk"
            }
            io::ErrorKind::BrokenPipe => "the program that reads this output has ended",
            _ => "check the disk and the path",
        };
        Error::io("write", &self.path, error).advise(advice)
    }
}

fn create_beside(path: &Path, permissions: Option<Permissions>) -> io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".part");
    // Temporary files are private by default; an output is as open as any new file, or as
    // the one that it replaces.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder)?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    Ok(file)
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = &bytes[..bytes.len().min(WRITE_BYTES_MAX)];
        match &mut self.target {
            Target::Beside(file) => file.as_file_mut().write(bytes),
            Target::InPlace(file) => file.write(bytes),
            Target::Standard(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::Beside(file) => file.as_file_mut().flush(),
            Target::InPlace(file) => file.flush(),
            Target::Standard(stdout) => stdout.flush(),
        }
    }
}
