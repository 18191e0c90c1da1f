//! Models in LightGBM's JSON: an error or a model that scores, whatever the bytes. Seeds:
//! `scoring/fixtures`.
#![no_main]

mod model_common;

use libfuzzer_sys::fuzz_target;
use pelton_scoring::model::lightgbm;

fuzz_target!(|data: &[u8]| {
    if let Some(model) = std::str::from_utf8(data).ok().and_then(|text| lightgbm::load_json(text).ok()) {
        model_common::scores(model);
    }
});
