//! NDJSON: the same answer for two ways of cutting the text into blocks and batches.
#![no_main]
#![allow(dead_code)] // Each target uses its part of `common`.

mod common;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use pelton::decode::{DecodeOptions, NdJsonDecoder};

use common::{agree, cut, drain};

fuzz_target!(|data: &[u8]| {
    let [seed, longest, text @ ..] = data else { return };
    let bytes = Bytes::copy_from_slice(text);
    let options =
        DecodeOptions { field_bytes_max: usize::from(*longest) + 1, ..Default::default() };
    let read = |reader, options: &DecodeOptions| {
        NdJsonDecoder::new(Box::new(reader), options).ok().and_then(drain)
    };
    let small = DecodeOptions { batch_rows: 1 + usize::from(*seed) % 5, ..options.clone() };
    agree(read(cut(&bytes, 60), &options), read(cut(&bytes, *seed), &small));
});
