//! Bytes that somebody has damaged: an error or other rows, never a panic.

use proptest::prelude::*;

use super::*;

type Open = fn(Vec<u8>, &DecodeOptions) -> Result<Box<dyn Decoder>>;

/// Index of the stream in [`files`].
const STREAM: usize = 4;

fn files() -> Vec<(Vec<u8>, Open)> {
    let rows = [payments(300), payments(20)];
    vec![
        (parquet(&rows, 100, Compression::SNAPPY), parquet_decoder as Open),
        (parquet(&rows, 100, Compression::UNCOMPRESSED), parquet_decoder),
        (ipc_file(&rows, false), file_decoder),
        (ipc_file(&rows, true), file_decoder),
        (ipc_stream(&rows), stream_decoder),
    ]
}

/// Opens and reads to the end or the first error; a panic fails the test.
fn read(bytes: Vec<u8>, open: Open) -> Result<usize> {
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let asked = vec![
        request("ts", Some(DataType::Timestamp(TimeUnit::Microsecond, None))),
        request("amount", Some(DataType::Decimal128(12, 2))),
        request("country", Some(dictionary)),
        request("note", None),
    ];
    let mut decoder = open(bytes, &columns(asked))?;
    let mut rows = 0;
    while let Some(decoded) = decoder.next_batch()? {
        rows += decoded.rows.num_rows() + decoded.rejects.len();
    }
    Ok(rows)
}

#[test]
fn sound_files_are_read() {
    for (bytes, open) in files() {
        assert_eq!(read(bytes, open).unwrap(), 320);
    }
}

#[test]
fn truncated_files_are_errors() {
    for (file, (bytes, open)) in files().into_iter().enumerate() {
        let step = (bytes.len() / 150).max(1);
        for len in (0..bytes.len()).step_by(step) {
            let cut = read(bytes[..len].to_vec(), open);
            // A stream has no length: cut between two messages it is a shorter stream.
            assert!(cut.is_err() || file == STREAM, "{len}");
        }
        let error = read(bytes[..bytes.len() - 1].to_vec(), open);
        if let Err(error) = error {
            let error = error.to_string();
            assert!(error.contains("truncated") && error.starts_with("p."), "{error}");
        }
    }
}

#[test]
fn what_is_no_such_file_is_said_so() {
    for (_, open) in files() {
        let error = read(Vec::new(), open).unwrap_err().to_string();
        assert!(error.contains("it is empty"), "{error}");
        for other in [&b"ts,card,amount\n1,2,3\n1,2,3\n"[..], b"PA", b"{\"ts\":1}\n"] {
            let error = read(other.to_vec(), open).unwrap_err().to_string();
            let clear = error.contains("not a") || error.contains("truncated");
            assert!(clear && error.contains("help:"), "{error}");
        }
    }
}

#[test]
fn one_flipped_bit_anywhere_never_panics_or_allocates_without_end() {
    let rows = [payments(20)];
    for (bytes, open) in [
        (parquet(&rows, 100, Compression::SNAPPY), parquet_decoder as Open),
        (ipc_file(&rows, true), file_decoder),
        (ipc_stream_of(&rows, true), stream_decoder),
    ] {
        for index in (0..bytes.len()).step_by(2) {
            let mut bytes = bytes.clone();
            bytes[index] ^= 0x40;
            let _ = read(bytes, open);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn flipped_bits_never_panic(
        file in 0usize..5,
        flips in prop::collection::vec((0.0f64..1.0, 0u8..8, any::<bool>()), 1..6),
    ) {
        let (mut bytes, open) = files().swap_remove(file);
        for (at, bit, near_end) in flips {
            // Footers decide most: half of the flips go there.
            let span = if near_end { bytes.len().min(1500) } else { bytes.len() };
            let index = bytes.len() - span + (span as f64 * at) as usize;
            bytes[index] ^= 1 << bit;
        }
        let _ = read(bytes, open);
    }

    #[test]
    fn noise_behind_the_magic_never_panics(
        file in 0usize..5, noise in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let (bytes, open) = files().swap_remove(file);
        let mut noisy = bytes[..8].to_vec();
        noisy.extend(noise);
        noisy.extend(&bytes[bytes.len() - 8..]);
        let _ = read(noisy, open);
    }
}
