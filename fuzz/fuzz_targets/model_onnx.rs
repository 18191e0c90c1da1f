//! Models in ONNX: an error or a model that scores, whatever the bytes. Seeds:
//! `scoring/fixtures`.
#![no_main]

mod model_common;

use libfuzzer_sys::fuzz_target;
use pelton_scoring::model::onnx;

fuzz_target!(|data: &[u8]| {
    if let Some(model) = onnx::load_onnx(data).ok() {
        model_common::scores(model);
    }
});
