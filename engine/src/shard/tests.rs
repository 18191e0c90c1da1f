use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{Int32Type, UInt8Type};
use proptest::prelude::*;

use super::*;

fn shards_of(column: ArrayRef, shards: u32) -> Vec<u16> {
    let mut out = Vec::new();
    let rows = column.len();
    shard_of(&[column], rows, shards, &mut out).expect("a key type");
    out
}

#[test]
fn encodings_of_a_value_agree() {
    let plain = StringArray::from(vec![Some("Österreich"), None, Some(""), Some("a longer text")]);
    let large: LargeStringArray = plain.iter().collect();
    let view: StringViewArray = plain.iter().collect();
    let coded: DictionaryArray<Int32Type> = plain.iter().collect();
    let want = shards_of(Arc::new(plain), 1000);
    assert_eq!(shards_of(Arc::new(large), 1000), want);
    assert_eq!(shards_of(Arc::new(view), 1000), want);
    assert_eq!(shards_of(Arc::new(coded), 1000), want);

    let wide = shards_of(Arc::new(Int64Array::from(vec![Some(-3), None, Some(7)])), 1000);
    assert_eq!(shards_of(Arc::new(Int16Array::from(vec![Some(-3), None, Some(7)])), 1000), wide);

    let floats = Float64Array::from(vec![0.0, -0.0, f64::NAN, -f64::NAN]);
    let floats = shards_of(Arc::new(floats), 1000);
    assert_eq!(floats[0], floats[1]);
    assert_eq!(floats[2], floats[3]);
}

#[test]
fn a_dictionary_with_a_null_value_or_more_values_than_rows_agrees() {
    let values: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None, Some("y")]));
    let keys = UInt8Array::from(vec![Some(0), Some(1), None, Some(2)]);
    let coded = DictionaryArray::<UInt8Type>::try_new(keys, values).expect("valid");
    let plain = StringArray::from(vec![Some("x"), None, None, Some("y")]);
    assert_eq!(shards_of(Arc::new(coded), 997), shards_of(Arc::new(plain), 997));

    let many: ArrayRef = Arc::new(StringArray::from_iter_values((0..500).map(|i| i.to_string())));
    let keys = Int32Array::from(vec![499, 3]);
    let coded = DictionaryArray::<Int32Type>::try_new(keys, many).expect("valid");
    let plain = StringArray::from(vec!["499", "3"]);
    assert_eq!(shards_of(Arc::new(coded), 997), shards_of(Arc::new(plain), 997));
}

#[test]
fn keys_in_a_row_spread_evenly() {
    for stride in [1i64, 2, 1000, 1 << 20, 1 << 32, -7] {
        let keys: ArrayRef =
            Arc::new(Int64Array::from_iter_values((0..70_000).map(|i| i * stride)));
        let mut counts = [0u32; 7];
        shards_of(keys, 7).iter().for_each(|&shard| counts[shard as usize] += 1);
        let (low, high) = (counts.iter().min(), counts.iter().max());
        assert!(low > Some(&9_400) && high < Some(&10_600), "stride {stride}: {counts:?}");
    }
}

#[test]
fn the_hash_is_fixed() {
    // Snapshots and other machines rely on it.
    let keys = Int64Array::from(vec![Some(0), Some(1), Some(-1), None]);
    let integers = shards_of(Arc::new(keys), 65_536);
    let texts = shards_of(Arc::new(StringArray::from(vec!["", "DE", "0123456789"])), 65_536);
    assert_eq!((integers, texts), (vec![19876, 62227, 18484, 54361], vec![46492, 20773, 23206]));
}

#[test]
fn no_column_is_shard_zero_and_lists_are_refused() {
    let mut out = Vec::new();
    shard_of(&[], 3, 5, &mut out).expect("no column");
    assert_eq!(out, [0, 0, 0]);
    let list: ArrayRef =
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)])]));
    assert!(shard_of(&[list], 1, 5, &mut out).is_err());
}

proptest! {
    #[test]
    fn each_row_is_selected_by_its_shard_alone(
        keys in prop::collection::vec((prop::option::of(any::<i64>()), "[a-c]{0,9}"), 0..1200),
        shards in 1u32..9,
    ) {
        let numbers: ArrayRef = Arc::new(keys.iter().map(|k| k.0).collect::<Int64Array>());
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(keys.iter().map(|k| &k.1)));
        let columns = [numbers, texts];
        let mut of = Vec::new();
        shard_of(&columns, keys.len(), shards, &mut of).expect("key types");
        let mut rows = Vec::new();
        for own in 0..shards {
            select(&columns, keys.len(), (own, shards), None, &mut rows).expect("key types");
            let want: Vec<u32> =
                (0..keys.len() as u32).filter(|&i| u32::from(of[i as usize]) == own).collect();
            prop_assert_eq!(&rows, &want);
        }
    }
}

#[test]
fn every_key_type_has_a_shard() {
    use DataType::*;
    let small = Int64Array::from(vec![Some(5), None, Some(0), Some(5)]);
    let types = [
        Time32(TimeUnit::Second),
        Time32(TimeUnit::Millisecond),
        Time64(TimeUnit::Microsecond),
        Time64(TimeUnit::Nanosecond),
        Duration(TimeUnit::Second),
        Duration(TimeUnit::Nanosecond),
        Decimal32(9, 2),
        Decimal64(18, 2),
        Decimal128(20, 2),
        Date32,
        Float16,
        Float32,
        Boolean,
    ];
    for data_type in types {
        let column = arrow::compute::cast(&small, &data_type)
            .or_else(|_| arrow::compute::cast(&arrow::compute::cast(&small, &Int32)?, &data_type))
            .expect("castable");
        let shards = shards_of(column, 1000);
        assert_eq!(shards[0], shards[3], "{data_type}");
    }
}

#[cfg(feature = "gpu")]
mod on_gpu {
    use arrow::compute::cast;
    use pelton_kernels::gpu::{Choice, Fault, Gpu, Injected};

    use super::*;

    fn gpu() -> Option<Gpu> {
        let choice = match Choice::from_env() {
            Choice::Best => Choice::Software,
            choice => choice,
        };
        let gpu = Gpu::open(&choice);
        let is_required = std::env::var_os("PELTON_REQUIRE_GPU").is_some();
        assert!(gpu.is_ok() || !is_required, "{gpu:?}");
        gpu.ok()
    }

    fn columns() -> Vec<ArrayRef> {
        use DataType::*;
        let rows = 0..1300_i64;
        let small: ArrayRef = Arc::new(
            rows.clone().map(|i| (i % 11 != 3).then_some(i % 100)).collect::<Int64Array>(),
        );
        let text: ArrayRef = Arc::new(
            rows.map(|i| (i % 7 != 2).then(|| "ab".repeat(i as usize % 9)))
                .collect::<StringArray>(),
        );
        let numbers = [Int8, Int16, UInt64, Date32, Decimal128(20, 2), Float64, Boolean];
        let texts = [Utf8, LargeUtf8, Utf8View, Binary];
        let coded = Dictionary(Box::new(Int32), Box::new(Utf8));
        let of = |from: &ArrayRef, to: &DataType| {
            let from = if *to == Date32 { &cast(from, &Int32).expect("narrower") } else { from };
            cast(from, to).expect("castable").slice(9, 1291)
        };
        let numbers = numbers.iter().map(|to| of(&small, to));
        numbers.chain(texts.iter().chain([&coded]).map(|to| of(&text, to))).collect()
    }

    #[test]
    fn a_gpu_finds_the_same_shards() {
        let Some(gpu) = gpu() else { return };
        let accelerator = Accelerator::forced(gpu);
        let (mut wanted, mut given) = (Vec::new(), Vec::new());
        for pair in columns().windows(2) {
            select(pair, 1291, (1, 3), None, &mut wanted).expect("key types");
            select(pair, 1291, (1, 3), Some(&accelerator), &mut given).expect("key types");
            assert_eq!(given, wanted, "{} and {}", pair[0].data_type(), pair[1].data_type());
        }
        let report = accelerator.report();
        assert!(report.passes.contains_key("shard_hash_integers"), "{report:?}");
        assert!(report.passes.contains_key("shard_hash_bytes"), "{report:?}");
        assert_eq!(report.batches_handed_back, 0);
    }

    #[test]
    fn the_core_finds_them_where_a_gpu_fails_or_was_not_asked() {
        let Some(gpu) = gpu() else { return };
        gpu.inject(Injected { fault: Fault::OutOfMemory, after_dispatches: 1 });
        let accelerator = Accelerator::forced(gpu.clone());
        let columns = &columns()[7..9];
        let (mut wanted, mut given) = (Vec::new(), Vec::new());
        select(columns, 1291, (0, 2), None, &mut wanted).expect("key types");
        select(columns, 1291, (0, 2), Some(&accelerator), &mut given).expect("key types");
        assert_eq!(given, wanted);
        assert_eq!(accelerator.report().notes.len(), 1);
        let measured = std::collections::BTreeMap::from([("hash".to_owned(), 1)]);
        let measured = Accelerator::calibrated(gpu, measured);
        select(columns, 1291, (0, 2), Some(&measured), &mut given).expect("key types");
        assert_eq!(given, wanted);
        assert!(measured.report().passes.is_empty());
    }
}
