//! Opening an input by its name, and choosing how to read it.
//!
//! ```text
//! path ─▶ "-" or a pipe ───────────────▶ stream ─┐
//!      └▶ file ─▶ io_uring allowed? ─▶ uring ────┼─▶ .gz / .zst ─▶ decompress ─▶ blocks
//!                        └ no ───────▶ plain ────┘
//! ```
//! What was chosen never changes the bytes, only the speed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Once;

use bytes::{Bytes, BytesMut};

use super::buffer::ALIGN_BYTES;
use super::compress::{Compression, decompress};
use super::memory::MemoryRandom;
use super::plain::{PlainBlocks, PlainRandom};
use super::stream::StreamBlocks;
use super::{BlockReader, RandomReader};
use crate::error::{Error, Result};

/// How files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Io {
    /// Through io_uring where the system allows it, otherwise plainly, saying so once. The
    /// environment variable `PELTON_IO` (`uring` or `plain`) decides in place of the system.
    #[default]
    Auto,
    /// Through io_uring, or not at all.
    Uring,
    /// By plain reads.
    Plain,
}

/// How to read inputs.
#[derive(Debug, Clone)]
pub struct SourceOptions {
    /// io_uring or plain reads.
    pub io: Io,
    /// Bypass the page cache (O_DIRECT) where the file system allows it.
    pub direct: bool,
    /// Size of a block in bytes; rounded up to a multiple of 4,096.
    pub block_bytes: usize,
    /// Reads in flight at a time.
    pub depth: usize,
}

impl Default for SourceOptions {
    fn default() -> Self {
        // One MiB in flight. Out of the page cache larger blocks lose (they leave the cache before
        // they are decoded): io_uring 4.0 GB/s here, 256 KiB 3.6, 1 MiB 3.0 to 3.5, plain 3.8.
        Self { io: Io::Auto, direct: false, block_bytes: 128 << 10, depth: 8 }
    }
}

impl SourceOptions {
    /// The same, with sizes that the readers can work with.
    fn sound(&self) -> Self {
        let block_bytes = self.block_bytes.clamp(1, 64 << 20).next_multiple_of(ALIGN_BYTES);
        Self { block_bytes, depth: self.depth.clamp(1, 256), ..self.clone() }
    }
}

/// A regular file with bytes in it.
#[derive(Debug)]
pub(super) struct OpenedFile {
    pub(super) file: File,
    /// The same file opened with O_DIRECT, if asked for and granted.
    pub(super) direct: Option<File>,
    pub(super) path: PathBuf,
    pub(super) name: String,
    /// Size when it was opened: what is read.
    pub(super) bytes: u64,
}

/// What a path names.
enum Opened {
    Sized(OpenedFile),
    Stream(File),
}

/// Bytes of `path` in order; `-` is standard input; `.gz` and `.zst` are decompressed.
///
/// # Errors
/// When the path is missing, a directory or unreadable, or io_uring was insisted on in vain.
pub fn open_blocks(path: &str, options: &SourceOptions) -> Result<Box<dyn BlockReader>> {
    let options = options.sound();
    let name = base_name(path);
    let raw: Box<dyn BlockReader> = if path == "-" {
        Box::new(StreamBlocks::new(std::io::stdin(), name, options.block_bytes, options.depth))
    } else {
        match open_file(path, &options)? {
            Opened::Stream(file) => {
                Box::new(StreamBlocks::new(file, name, options.block_bytes, options.depth))
            }
            Opened::Sized(opened) => file_blocks(opened, &options)?,
        }
    };
    match Compression::of(path) {
        Some(compression) => decompress(raw, compression, options.block_bytes),
        None => Ok(raw),
    }
}

/// Bytes of `path` by offset. Standard input, pipes and compressed files are read into memory.
///
/// # Errors
/// As [`open_blocks`].
pub fn open_random(path: &str, options: &SourceOptions) -> Result<Arc<dyn RandomReader>> {
    let sound = options.sound();
    if path != "-"
        && Compression::of(path).is_none()
        && let Opened::Sized(opened) = open_file(path, &sound)?
    {
        return file_random(opened, &sound);
    }
    let mut blocks = open_blocks(path, options)?;
    let bytes = read_all(&mut *blocks)?;
    Ok(Arc::new(MemoryRandom::new(base_name(path), bytes)))
}

/// All that is left of an input, in one piece.
///
/// # Errors
/// When the input cannot be read to its end.
pub fn read_all(blocks: &mut dyn BlockReader) -> Result<Bytes> {
    let Some(first) = blocks.next_block()? else { return Ok(Bytes::new()) };
    let Some(second) = blocks.next_block()? else { return Ok(first.bytes) };
    let mut all = BytesMut::from(&first.bytes[..]);
    all.extend_from_slice(&second.bytes);
    while let Some(block) = blocks.next_block()? {
        all.extend_from_slice(&block.bytes);
    }
    Ok(all.freeze())
}

/// What would read a file with these options: "io_uring" or "plain".
pub fn io_in_use(options: &SourceOptions) -> &'static str {
    match choose(wanted(options.io), uring_available()) {
        Ok(Choice::Uring) => "io_uring",
        _ => "plain",
    }
}

/// Whether io_uring can be used here, and if not, why.
///
/// # Errors
/// The reason in words.
pub fn uring_available() -> std::result::Result<(), String> {
    #[cfg(target_os = "linux")]
    return super::uring::available();
    #[cfg(not(target_os = "linux"))]
    Err("io_uring exists on Linux only".to_owned())
}

/// An input's name without its folders; standard input is `stdin`.
pub fn base_name(path: &str) -> String {
    if path == "-" {
        return "stdin".to_owned();
    }
    let name = Path::new(path).file_name().unwrap_or(path.as_ref());
    name.to_string_lossy().into_owned()
}

/// The decision, apart from the system that it is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Uring,
    Plain,
    /// Plain in place of io_uring, for this reason.
    Fallback(String),
}

/// What the options ask for, or the environment where they leave it open.
fn wanted(io: Io) -> Result<Io> {
    match std::env::var("PELTON_IO") {
        Ok(value) if io == Io::Auto => match value.as_str() {
            "uring" => Ok(Io::Uring),
            "plain" => Ok(Io::Plain),
            "auto" | "" => Ok(Io::Auto),
            _ => Err(Error::usage(format!("PELTON_IO is {value:?}"))
                .advise("use PELTON_IO=uring, plain or auto")),
        },
        _ => Ok(io),
    }
}

pub(super) fn choose(
    wanted: Result<Io>,
    available: std::result::Result<(), String>,
) -> Result<Choice> {
    Ok(match (wanted?, available) {
        (Io::Plain, _) => Choice::Plain,
        (Io::Auto | Io::Uring, Ok(())) => Choice::Uring,
        (Io::Auto, Err(reason)) => Choice::Fallback(reason),
        (Io::Uring, Err(reason)) => {
            return Err(Error::run(format!("io_uring is not available ({reason})"))
                .advise("read with plain reads: PELTON_IO=plain"));
        }
    })
}

fn open_file(path: &str, options: &SourceOptions) -> Result<Opened> {
    let path = Path::new(path);
    let file = File::open(path).map_err(|error| {
        let advice = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path; `-` reads standard input",
            std::io::ErrorKind::PermissionDenied => "you may not read it; see `ls -l`",
            _ => "check the path and what it names",
        };
        Error::io("open", path, &error).advise(advice)
    })?;
    let metadata = file.metadata().map_err(|error| Error::io("open", path, &error))?;
    if metadata.is_dir() {
        return Err(Error::run(format!("cannot read {}: it is a directory", path.display()))
            .advise("name a file in it"));
    }
    // Files under /proc say that they hold 0 bytes and hold some: read them as they come.
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok(Opened::Stream(file));
    }
    let direct = if options.direct { open_direct(path) } else { None };
    let (path, name) = (path.to_owned(), base_name(&path.to_string_lossy()));
    Ok(Opened::Sized(OpenedFile { file, direct, path, name, bytes: metadata.len() }))
}

#[cfg(target_os = "linux")]
fn open_direct(path: &Path) -> Option<File> {
    use std::fs::OpenOptions;
    use std::os::unix::fs::OpenOptionsExt;
    match OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(path) {
        Ok(file) => Some(file),
        Err(error) => {
            note_direct_refused(&error);
            None
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn open_direct(_path: &Path) -> Option<File> {
    note_direct_refused(&std::io::Error::from(std::io::ErrorKind::Unsupported));
    None
}

fn file_blocks(opened: OpenedFile, options: &SourceOptions) -> Result<Box<dyn BlockReader>> {
    match choose(wanted(options.io), uring_available())? {
        Choice::Plain => {}
        Choice::Fallback(reason) => note_fallback(&reason),
        Choice::Uring =>
        {
            #[cfg(target_os = "linux")]
            match super::uring::Ring::new(options) {
                Ok(ring) => {
                    return Ok(Box::new(super::uring::UringBlocks::new(opened, ring, options)));
                }
                Err(error) => ring_failed(options, &error)?,
            }
        }
    }
    Ok(Box::new(PlainBlocks::new(opened, options)))
}

fn file_random(opened: OpenedFile, options: &SourceOptions) -> Result<Arc<dyn RandomReader>> {
    match choose(wanted(options.io), uring_available())? {
        Choice::Plain => {}
        Choice::Fallback(reason) => note_fallback(&reason),
        Choice::Uring =>
        {
            #[cfg(target_os = "linux")]
            match super::uring::Ring::new(options) {
                Ok(ring) => {
                    return Ok(Arc::new(super::uring::UringRandom::new(opened, ring, options)));
                }
                Err(error) => ring_failed(options, &error)?,
            }
        }
    }
    Ok(Arc::new(PlainRandom::new(opened)))
}

/// io_uring works in principle but a further ring cannot be had (too many open files, memory).
#[cfg(target_os = "linux")]
fn ring_failed(options: &SourceOptions, error: &std::io::Error) -> Result<()> {
    if wanted(options.io)? == Io::Uring {
        return Err(Error::run(format!("cannot set up an io_uring: {error}"))
            .advise("read with plain reads: PELTON_IO=plain"));
    }
    note_fallback(&error.to_string());
    Ok(())
}

/// A file that got shorter than it was when it was opened.
pub(super) fn shrank(opened: &OpenedFile, end: u64) -> Error {
    Error::run(format!(
        "the file had {} bytes when it was opened and now ends at byte {end}",
        opened.bytes
    ))
    .at(&*opened.name)
    .advise("do not change a recording while it is read; run again")
}

fn note_fallback(reason: &str) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        eprintln!("note: io_uring is not available ({reason}); reading with plain reads");
    });
}

/// Says once that O_DIRECT was refused and that the page cache is used.
pub(super) fn note_direct_refused(error: &std::io::Error) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        eprintln!("note: O_DIRECT is refused here ({error}); reading through the page cache");
    });
}
