//! The right decoder by ending or by content, plain or compressed.

use std::io::Write;

use tempfile::TempDir;

use super::*;
use crate::source::{Io, SourceOptions};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn open_bytes(name: &str, bytes: &[u8], format: Option<Format>) -> Result<Box<dyn Decoder>> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let source = SourceOptions { io: Io::Auto, ..SourceOptions::default() };
    open(path.to_str().unwrap(), format, &DecodeOptions::default(), &source)
}

#[test]
fn formats_are_told_by_ending_or_content() {
    let rows = payments(3000);
    let parts = std::slice::from_ref(&rows);
    let parquet = parquet(parts, 1000, Compression::SNAPPY);
    let (file, stream) = (ipc_file(parts, false), ipc_stream(parts));
    for (name, bytes, format) in [
        ("p.parquet", parquet.clone(), None),
        ("p.PARQUET", parquet.clone(), None),
        ("p.bin", parquet.clone(), None),
        ("p", parquet.clone(), Some(Format::Parquet)),
        ("p.parquet.gz", gzip(&parquet), None),
        ("p.gz", gzip(&parquet), None),
        ("p.arrow", file.clone(), None),
        ("p.arrow", stream.clone(), None),
        ("p.feather", file.clone(), None),
        ("p.bin", file.clone(), None),
        ("p.bin", stream.clone(), None),
        ("p.ipc.zst", ::zstd::encode_all(&file[..], 1).unwrap(), None),
        ("p.zst", ::zstd::encode_all(&stream[..], 1).unwrap(), None),
    ] {
        let mut decoder = open_bytes(name, &bytes, format).unwrap();
        assert_eq!(drain(&mut *decoder, 4096).unwrap().0, rows, "{name}");
    }
    assert_eq!(format_of("a/b.csv.gz"), Some(Format::Csv));
    assert_eq!(format_of("b.tsv"), Some(Format::Csv));
    assert_eq!(format_of("b.jsonl.zst"), Some(Format::NdJson));
    assert_eq!(format_of("-"), None);
}

#[test]
fn what_cannot_be_opened_is_said_with_advice() {
    for (name, bytes, words) in [
        ("p.parquet", &b""[..], "not a Parquet file: it is empty"),
        ("p.arrow", b"", "not an Arrow file: it is empty"),
        ("p.parquet", b"ts,card\n1,2\n3,4\n", "not a Parquet file"),
        ("p.arrow", b"ts,card\n1,2\n3,4\n", "not an Arrow"),
        ("p.dat", b"ts,card\n1,2\n", "--format"),
        ("p.dat", b"", "--format"),
    ] {
        let error = open_bytes(name, bytes, None).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Run);
        let error = error.to_string();
        assert!(error.contains(name) && error.contains(words), "{error}");
        assert!(error.contains("help:"), "{error}");
    }
}
