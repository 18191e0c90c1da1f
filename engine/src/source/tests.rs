//! Every way to read gives the same bytes, and says what is wrong in the same words.

use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tempfile::TempDir;

use super::file::{Choice, choose};
use super::memory::{MemoryBlocks, MemoryRandom};
use super::*;

const BLOCK: usize = 4096;

fn options(io: Io, direct: bool) -> SourceOptions {
    SourceOptions { io, direct, block_bytes: BLOCK, depth: 3 }
}

/// Every way that this machine has to read a file.
fn ways() -> Vec<SourceOptions> {
    let mut ways = vec![options(Io::Plain, false), options(Io::Plain, true)];
    if uring_available().is_ok() {
        ways.extend([options(Io::Uring, false), options(Io::Uring, true)]);
        ways.push(SourceOptions { depth: 1, ..options(Io::Uring, false) });
        ways.push(SourceOptions { block_bytes: 1, depth: 40, ..options(Io::Uring, false) });
    } else {
        println!("io_uring is not available: only plain reads are tested");
    }
    ways
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 31 + index / 251) as u8).collect()
}

fn write(folder: &TempDir, name: &str, bytes: &[u8]) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

fn all(reader: &mut dyn BlockReader) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(block) = reader.next_block()? {
        assert!(!block.bytes.is_empty(), "blocks are never empty");
        bytes.extend_from_slice(&block.bytes);
    }
    Ok(bytes)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    // With a checksum, as the command `zstd` writes them.
    let mut encoder = ::zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_way_gives_the_same_bytes_around_block_borders() {
    let folder = TempDir::new().unwrap();
    let sizes =
        [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 7, 40 * BLOCK + 513, 300_000];
    for size in sizes {
        let bytes = pattern(size);
        let path = write(&folder, "pattern.bin", &bytes);
        let mut memory = MemoryBlocks::new("pattern.bin", bytes.clone(), BLOCK);
        assert_eq!(all(&mut memory).unwrap(), bytes);
        for way in ways() {
            let mut reader = open_blocks(&path, &way).unwrap();
            assert_eq!(reader.name(), "pattern.bin");
            assert_eq!(all(&mut *reader).unwrap(), bytes, "{size} bytes, {way:?}");
            assert_eq!(reader.progress().0, size as u64);
            assert!(reader.next_block().unwrap().is_none(), "the end is the end");
        }
    }
}

#[test]
fn blocks_that_are_kept_stay_as_they_were() {
    let folder = TempDir::new().unwrap();
    let bytes = pattern(64 * BLOCK);
    let path = write(&folder, "kept.bin", &bytes);
    for way in ways() {
        let mut reader = open_blocks(&path, &way).unwrap();
        let mut kept = Vec::new();
        while let Some(block) = reader.next_block().unwrap() {
            kept.push(block.bytes);
        }
        drop(reader);
        assert_eq!(kept.concat(), bytes, "{way:?}");
    }
}

#[test]
fn a_reader_can_be_dropped_with_reads_in_flight() {
    let folder = TempDir::new().unwrap();
    let path = write(&folder, "dropped.bin", &pattern(100 * BLOCK));
    for way in ways() {
        for blocks in 0..4 {
            let mut reader = open_blocks(&path, &way).unwrap();
            for _ in 0..blocks {
                reader.next_block().unwrap();
            }
        }
    }
}

#[test]
fn ranges_are_the_same_every_way() {
    let folder = TempDir::new().unwrap();
    let bytes = pattern(200_001);
    let path = write(&folder, "ranges.bin", &bytes);
    let memory = MemoryRandom::new("ranges.bin", bytes.clone());
    for way in ways() {
        let reader = open_random(&path, &way).unwrap();
        assert_eq!(reader.len(), 200_001);
        for (offset, len) in
            [(0, 0), (0, 1), (4095, 2), (1, 100_000), (0, 200_001), (200_000, 1), (200_001, 0)]
        {
            let range = reader.read_at(offset, len).unwrap();
            assert_eq!(range, memory.read_at(offset, len).unwrap(), "{offset} {len} {way:?}");
        }
        for (offset, len) in [(200_001, 1), (0, 200_002), (u64::MAX, 1), (1, usize::MAX)] {
            let error = reader.read_at(offset, len).unwrap_err().to_string();
            assert!(error.contains("ranges.bin") && error.contains("truncated"), "{error}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn random_sizes_blocks_and_ranges(
        size in 0usize..100_000, block_bytes in 1usize..40_000, depth in 1usize..9,
        at in 0.0f64..1.0, part in 0.0f64..1.0,
    ) {
        let folder = TempDir::new().unwrap();
        let bytes = pattern(size);
        let path = write(&folder, "random.bin", &bytes);
        for way in ways() {
            let way = SourceOptions { block_bytes, depth, ..way };
            prop_assert_eq!(all(&mut *open_blocks(&path, &way).unwrap()).unwrap(), bytes.clone());
            let start = (size as f64 * at) as usize;
            let len = ((size - start) as f64 * part) as usize;
            let range = open_random(&path, &way).unwrap().read_at(start as u64, len).unwrap();
            prop_assert_eq!(&range[..], &bytes[start..start + len]);
        }
    }
}

#[test]
fn compressed_files_are_decompressed_whatever_they_are_made_of() {
    let folder = TempDir::new().unwrap();
    for size in [0, 1, BLOCK, 100_003] {
        let bytes = pattern(size);
        let (a, b) = bytes.split_at(size / 3);
        for (name, file) in [
            ("one.csv.gz", gzip(&bytes)),
            ("two.csv.gz", [gzip(a), gzip(b)].concat()),
            ("one.csv.zst", zstd(&bytes)),
            ("two.csv.zstd", [zstd(a), zstd(b), zstd(&[])].concat()),
        ] {
            let path = write(&folder, name, &file);
            for way in ways() {
                let mut reader = open_blocks(&path, &way).unwrap();
                assert_eq!(all(&mut *reader).unwrap(), bytes, "{name} {size} {way:?}");
                assert_eq!(reader.progress().0, file.len() as u64);
                assert_eq!(open_random(&path, &way).unwrap().len(), size as u64);
            }
        }
    }
}

#[test]
fn truncated_and_broken_compression_is_an_error_after_the_bytes_before_it() {
    let folder = TempDir::new().unwrap();
    let bytes: Vec<u8> =
        (0u64..60_000).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    for (ending, file) in [("gz", gzip(&bytes)), ("zst", zstd(&bytes))] {
        for cut in [1, 5, file.len() / 2, file.len() - 1] {
            let path = write(&folder, &format!("cut.csv.{ending}"), &file[..cut]);
            let mut reader = open_blocks(&path, &options(Io::Auto, false)).unwrap();
            let error = all(&mut *reader).unwrap_err().to_string();
            assert!(error.starts_with(&format!("cut.csv.{ending}: ")), "{error}");
            assert!(error.contains("truncated") || error.contains("broken"), "{error}");
            assert!(error.contains(&format!("byte {cut}")), "cut at {cut}: {error}");
            assert!(reader.next_block().is_err(), "an error stays an error");
        }
        let mut bad = file.clone();
        let middle = bad.len() / 2;
        bad[middle..middle + 64].fill(0xa5);
        let path = write(&folder, &format!("bad.csv.{ending}"), &bad);
        let mut reader = open_blocks(&path, &options(Io::Auto, false)).unwrap();
        let error = all(&mut *reader).unwrap_err().to_string();
        assert!(error.contains("broken") && error.contains("near byte"), "{error}");
        let path = write(&folder, &format!("plain.csv.{ending}"), b"ts,card\n1,2\n");
        let mut reader = open_blocks(&path, &options(Io::Auto, false)).unwrap();
        assert!(all(&mut *reader).is_err());
        let path = write(&folder, &format!("empty.csv.{ending}"), b"");
        let mut reader = open_blocks(&path, &options(Io::Auto, false)).unwrap();
        let error = all(&mut *reader).unwrap_err().to_string();
        assert!(error.contains("it is empty"), "{error}");
    }
}

#[test]
fn what_cannot_be_read_is_said_with_its_path_and_advice() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("missing.csv");
    for path in [folder.path().to_owned(), missing] {
        let path = path.to_str().unwrap();
        for way in ways() {
            let blocks = open_blocks(path, &way).map(|_| ()).unwrap_err();
            let random = open_random(path, &way).map(|_| ()).unwrap_err();
            for error in [blocks, random] {
                assert_eq!(error.kind(), crate::ErrorKind::Run);
                let error = error.to_string();
                assert!(error.contains(path) && error.contains("help:"), "{error}");
            }
        }
    }
}

#[test]
fn a_file_that_shrinks_is_an_error_and_one_that_grows_is_not() {
    let folder = TempDir::new().unwrap();
    for way in ways() {
        let way = SourceOptions { depth: 1, block_bytes: BLOCK, ..way };
        let path = write(&folder, "shrinks.bin", &pattern(20 * BLOCK));
        let mut reader = open_blocks(&path, &way).unwrap();
        reader.next_block().unwrap();
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(2 * 4096).unwrap();
        let error = all(&mut *reader).unwrap_err().to_string();
        assert!(error.contains("when it was opened"), "{error}");

        let path = write(&folder, "grows.bin", &pattern(3 * BLOCK + 9));
        let mut reader = open_blocks(&path, &way).unwrap();
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&pattern(5 * BLOCK)).unwrap();
        assert_eq!(all(&mut *reader).unwrap(), pattern(3 * BLOCK + 9), "{way:?}");
    }
}

#[test]
fn io_uring_falls_back_only_where_it_may() {
    let forbidden = || Err("the system forbids it".to_owned());
    assert_eq!(choose(Ok(Io::Auto), Ok(())).unwrap(), Choice::Uring);
    assert_eq!(choose(Ok(Io::Uring), Ok(())).unwrap(), Choice::Uring);
    assert_eq!(choose(Ok(Io::Plain), Ok(())).unwrap(), Choice::Plain);
    assert_eq!(choose(Ok(Io::Plain), forbidden()).unwrap(), Choice::Plain);
    let fallback = choose(Ok(Io::Auto), forbidden()).unwrap();
    assert_eq!(fallback, Choice::Fallback("the system forbids it".to_owned()));
    let error = choose(Ok(Io::Uring), forbidden()).unwrap_err().to_string();
    assert!(error.contains("forbids") && error.contains("PELTON_IO=plain"), "{error}");
    assert_eq!(io_in_use(&options(Io::Plain, false)), "plain");
    if uring_available().is_ok() {
        assert_eq!(io_in_use(&options(Io::Uring, false)), "io_uring");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn files_without_a_size_and_devices_are_read_as_they_come() {
    let mut reader = open_blocks("/proc/self/status", &options(Io::Auto, false)).unwrap();
    assert!(all(&mut *reader).unwrap().starts_with(b"Name:"));
    let mut reader = open_blocks("/dev/null", &options(Io::Auto, false)).unwrap();
    assert!(all(&mut *reader).unwrap().is_empty());
}

#[test]
fn names_have_no_folders() {
    assert_eq!(base_name("-"), "stdin");
    assert_eq!(base_name("a/b/c.csv"), "c.csv");
    assert_eq!(Path::new(&base_name("c.csv.gz")), PathBuf::from("c.csv.gz"));
    assert_eq!(Compression::of("a/c.csv.GZ"), Some(Compression::Gzip));
    assert_eq!(Compression::of("c.csv"), None);
    let mut blocks = MemoryBlocks::new("m", Bytes::from_static(b"abcde"), 2);
    assert_eq!(read_all(&mut blocks).unwrap(), "abcde");
}
