//! What the tests of GPUs share.

use serde_json::Value;

use crate::common::pelton;

/// The adapter of tests: what is chosen, else software; none where there is none.
pub fn adapter() -> Option<String> {
    let wanted = std::env::var("PELTON_GPU").unwrap_or_else(|_| "cpu".to_owned());
    let output = pelton().args(["doctor", "--json"]).env("PELTON_GPU", &wanted).output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    if !found["gpus"]["chosen"].is_null() {
        return Some(wanted);
    }
    assert!(std::env::var_os("PELTON_REQUIRE_GPU").is_none(), "no adapter: {}", found["gpus"]);
    eprintln!("skipped: no GPU, and no software Vulkan (mesa-vulkan-drivers)");
    None
}
