//! The reader of the Handbook's recording, on the recording where it is present.

use std::path::PathBuf;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Decimal128Type, Int32Type, TimestampMicrosecondType};
use pelton_datasets::{handbook, payments};

fn recording() -> Option<PathBuf> {
    let folder = std::env::var_os("PELTON_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    let path = folder.join("payments/handbook_transactions.parquet");
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there (set PELTON_DATA)", path.display());
    None
}

#[test]
fn the_whole_recording_is_read() {
    let Some(path) = recording() else { return };
    assert_eq!(handbook::rows(&path).expect("rows"), 1_754_155);
    let (mut rows, mut frauds, mut kinds, mut cents) = (0, 0, [0; 5], 0);
    let mut last_us = i64::MIN;
    for batch in handbook::read(&path).expect("the recording") {
        let batch = batch.expect("a batch");
        assert_eq!(batch.schema(), handbook::schema());
        rows += batch.num_rows();
        frauds += batch["is_fraud"].as_boolean().true_count();
        let keys = batch["fraud_kind"].as_dictionary::<Int32Type>().keys();
        assert_eq!(keys.len() - keys.null_count(), batch["is_fraud"].as_boolean().true_count());
        keys.iter().flatten().for_each(|key| kinds[key as usize] += 1);
        cents += batch["amount"].as_primitive::<Decimal128Type>().values().iter().sum::<i128>();
        for ts in batch["ts"].as_primitive::<TimestampMicrosecondType>().values() {
            assert!(*ts >= last_us, "in order of time");
            last_us = *ts;
        }
    }
    assert_eq!(rows, 1_754_155);
    assert_eq!(frauds, 14_681);
    assert_eq!(kinds[..3].iter().sum::<i32>(), 14_681, "{kinds:?}");
    assert!(kinds[..3].iter().all(|count| *count > 900), "{kinds:?}");
    assert_eq!(cents / rows as i128 / 100, 53, "the mean payment");
    // 2018-09-30
    assert_eq!(last_us / 86_400_000_000, 17_804);
}

#[test]
fn other_files_are_refused() {
    assert!(!handbook::is_handbook(&payments::schema()));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("p.parquet");
    let config = payments::PaymentsConfig::new(10, 1);
    let format = pelton_datasets::FileFormat::Parquet;
    payments::write(config, format, &path, &mut |_| true).expect("written");
    let error = handbook::rows(&path).expect_err("refused").to_string();
    assert!(error.contains("p.parquet") && error.contains("tx_id"), "{error}");
    let absent = handbook::read(&folder.path().join("absent")).err().expect("refused").to_string();
    assert!(absent.contains("absent"), "{absent}");
    std::fs::write(&path, b"not Parquet").expect("written");
    assert!(handbook::read(&path).is_err());
}
