//! Arrow: any bytes are read or refused.
#![no_main]
#![allow(dead_code)] // Each target uses its part of `common`.

mod common;

use libfuzzer_sys::fuzz_target;
use pelton::decode::Format;

fuzz_target!(|data: &[u8]| common::survives(Format::Arrow, data));
