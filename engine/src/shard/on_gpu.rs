//! Hashes of keys by a GPU, where everything is asked of it: the same bits.
//!
//! What a value's word is (of text, decimals, floats, dictionaries) the core finds as ever; the
//! device folds the words into the hashes. The rows of a batch are hashed at once.

use arrow::array::types::*;
use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use pelton_kernels::gpu::{Gpu, GpuError};
use pelton_kernels::shard_hash::gpu::hash_integers;
use pelton_kernels::shard_hash::{SEED, gpu};
use pelton_kernels::simd::Level;

use super::{WordSource, Words};
use crate::accel::{Accelerator, Kernel};
use crate::error::Result;

/// The hashes of all rows; `None`: they are the core's to find.
///
/// # Errors
/// When a column's type cannot be a key.
pub(super) fn hashes(
    level: Level,
    columns: &[ArrayRef],
    rows: usize,
    accelerator: Option<&Accelerator>,
) -> Result<Option<Vec<u64>>> {
    let Some(accelerator) = accelerator.filter(|_| !columns.is_empty()) else { return Ok(None) };
    let Some(gpu) = accelerator.gpu_for(Kernel::Hash, rows) else { return Ok(None) };
    let mut hashes = vec![SEED; rows];
    for column in columns {
        if let Err(error) = fold(gpu, level, column, &mut hashes)? {
            accelerator.failed(Kernel::Hash, &error);
            return Ok(None);
        }
    }
    Ok(Some(hashes))
}

/// Folds a column into the hashes of its rows.
fn fold(
    gpu: &Gpu,
    level: Level,
    column: &ArrayRef,
    hashes: &mut [u64],
) -> Result<std::result::Result<(), GpuError>> {
    if let Some(words) = text(gpu, column) {
        let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
        let valid = nulls.map(super::bits_of);
        return Ok(words.and_then(|words| hash_integers(gpu, &words, valid.as_deref(), hashes)));
    }
    let Words { values, valid } = Words::new(level, column, hashes.len())?;
    let valid = valid.as_deref();
    Ok(match &values {
        WordSource::Array(array) => {
            macro_rules! hash {
                ($type:ty) => {
                    hash_integers(gpu, array.as_primitive::<$type>().values(), valid, hashes)
                };
            }
            super::for_integer_type!(array.data_type(), hash, Ok(()))
        }
        WordSource::Ready(words) => hash_integers(gpu, words, valid, hashes),
        WordSource::Coded(codes, words) => {
            let words: Vec<u64> = codes.iter().map(|&code| words[code]).collect();
            hash_integers(gpu, &words, valid, hashes)
        }
    })
}

/// The words of text, which the device finds as well; `None`: it is no text.
fn text(gpu: &Gpu, column: &ArrayRef) -> Option<std::result::Result<Vec<u64>, GpuError>> {
    let mut words = vec![0; column.len()];
    let done = match column.data_type() {
        DataType::Utf8 => {
            let text = column.as_string::<i32>();
            gpu::hash_bytes(gpu, text.value_offsets(), text.value_data(), &mut words)
        }
        DataType::LargeUtf8 => {
            let text = column.as_string::<i64>();
            gpu::hash_bytes(gpu, text.value_offsets(), text.value_data(), &mut words)
        }
        _ => return None,
    };
    Some(done.map(|()| words))
}
