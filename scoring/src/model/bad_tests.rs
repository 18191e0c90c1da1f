//! Files that no library wrote: each gives an error that says what and where, none panics, and
//! none makes us allocate what it claims.

use proptest::prelude::*;

use super::tests::fixture;
use super::*;

const FILES: [&str; 9] = [
    "lgb_multiclass.model.txt",
    "lgb_multiclass.model.json",
    "xgb_multiclass.model.json",
    "xgb_multiclass.model.ubj",
    "xgb_dart.model.ubj",
    "skl_rf.model.onnx",
    "skl_isolation.model.onnx",
    "skl_logistic.model.onnx",
    "skl_mlp.model.onnx",
];

fn refused(bytes: &[u8]) -> Error {
    match Model::load(bytes) {
        Ok(model) => {
            let start = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
            panic!("it was taken: {}: {start}", model.describe())
        }
        Err(error) => error,
    }
}

/// A fixture with a part replaced, which must be there.
fn changed(name: &str, from: &str, to: &str) -> Error {
    let text = String::from_utf8(fixture(name)).unwrap();
    assert!(text.contains(from), "{name} has no {from}");
    refused(text.replacen(from, to, 1).as_bytes())
}

#[test]
fn a_cut_file_is_refused() {
    for name in FILES {
        let bytes = fixture(name);
        let whole = bytes.trim_ascii_end().len();
        let step = if cfg!(debug_assertions) { 97 } else { 7 };
        for end in (0..whole).step_by(step).chain(whole.saturating_sub(20)..whole) {
            let result = Model::load(&bytes[..end]);
            // Protobuf has no end mark: what follows the last field that matters may be missing.
            if !name.ends_with("onnx") {
                assert!(result.is_err(), "{name} was taken when cut after {end} bytes");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn changed_bytes_do_not_panic(
        file in 0..FILES.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = fixture(FILES[file]);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(model) = Model::load(&bytes) {
            let features = model.features().len();
            let mut out = vec![0.0; model.predictions()];
            let mut scorer = Scorer::new(std::sync::Arc::new(model));
            scorer.predict_row(&vec![0.5; features], &mut out);
        }
    }
}

#[test]
fn lightgbm_faults_are_told() {
    let file = "lgb_binary.model.txt";
    let first = |key: &str| {
        let text = String::from_utf8(fixture(file)).unwrap();
        text.lines().find(|line| line.starts_with(key)).unwrap().to_owned()
    };
    for (from, to, expected) in [
        ("version=v4".to_owned(), "version=v9".to_owned(), "version \"v9\""),
        ("num_leaves=8".to_owned(), "num_leaves=10000000".to_owned(), "tree 0: "),
        (
            first("left_child="),
            "left_child=0 0 0 0 0 0 0".to_owned(),
            "tree 0, node 0: two nodes lead there",
        ),
        (first("left_child="), "left_child=1 2 3 4 5 6 77".to_owned(), "there is none"),
        (first("threshold="), "threshold=nan 0 0 0 0 0 0".to_owned(), "threshold NaN"),
        (first("leaf_value="), "leaf_value=inf 0 0 0 0 0 0 0".to_owned(), "has the value inf"),
        (first("split_feature="), "split_feature=9 0 0 0 0 0 0".to_owned(), "feature 9 of 6"),
        ("num_cat=0".to_owned(), "num_cat=99999999999".to_owned(), "cat_boundaries has 0 entries"),
        ("objective=binary".to_owned(), "objective=magic".to_owned(), "objective \"magic\""),
        ("is_linear=0".to_owned(), "is_linear=1".to_owned(), "linear"),
        ("Tree=1".to_owned(), "Tree=7".to_owned(), "Tree=7 follows 1 trees"),
        ("feature_names=f0 f1".to_owned(), "feature_names=f0 f0".to_owned(), "two features"),
    ] {
        let error = changed(file, &from, &to).to_string();
        assert!(error.contains(expected), "{to}: {error}");
    }
}

#[test]
fn xgboost_faults_are_told() {
    let file = "xgb_binary.model.json";
    let text = String::from_utf8(fixture(file)).unwrap();
    let start = text.find("\"left_children\":[").unwrap();
    let left = &text[start..start + text[start..].find(']').unwrap() + 1];
    let cycle = left.replacen("[1,", "[0,", 1);
    for (from, to, expected) in [
        ("\"version\":[3", "\"version\":[9", "version [9"),
        (
            "\"num_feature\":\"6\",\"num_target\"",
            "\"num_feature\":\"4000000000\",\"num_target\"",
            "4000000000 features",
        ),
        ("\"num_class\":\"0\"", "\"num_class\":\"99999999\"", "outputs"),
        (left, &cycle, "two nodes lead there"),
        ("\"binary:logistic\"", "\"binary:magic\"", "objective \"binary:magic\""),
        ("\"base_score\":\"[", "\"base_score\":\"[2E0,", "base scores"),
        ("\"split_indices\":[", "\"split_indices\":[77,", "differ in length"),
        ("\"tree_info\":[0,", "\"tree_info\":[5,", "output 5 of 1"),
        ("\"name\":\"gbtree\"", "\"name\":\"gbforest\"", "no booster \"gbforest\""),
    ] {
        let error = changed(file, from, to).to_string();
        assert!(error.contains(expected), "{to}: {error}");
    }
}

#[test]
fn claims_are_not_believed() {
    // An array of 2^60 numbers, in 60 bytes.
    let mut bytes = b"{L\0\0\0\0\0\0\0\x07versionS".to_vec();
    bytes.truncate(bytes.len() - 1);
    bytes.extend(b"[$l#L\x10\0\0\0\0\0\0\0\0\0\0\x03");
    let error = refused(&bytes).to_string();
    assert!(error.contains("the file ends within a value"), "{error}");
    // The same of values that have no bytes, which would never end.
    let mut bytes = b"{L\0\0\0\0\0\0\0\x07version".to_vec();
    bytes.extend(b"[$T#L\x10\0\0\0\0\0\0\0");
    let error = refused(&bytes).to_string();
    assert!(error.contains("without bytes"), "{error}");
    // Brackets in brackets.
    let mut bytes = b"{L\0\0\0\0\0\0\0\x01x".to_vec();
    bytes.resize(1 << 20, b'[');
    let error = refused(&bytes).to_string();
    assert!(error.contains("nested deeper"), "{error}");
    let error = refused(format!("{{\"learner\":{}", "[".repeat(1 << 20)).as_bytes()).to_string();
    assert!(error.contains("the file is cut"), "{error}");
}

#[test]
fn many_outputs_of_no_tree_are_refused() {
    let text = "tree\nversion=v4\nnum_tree_per_iteration=999999999999\nmax_feature_idx=0\n\
                feature_names=a\nend of trees\n";
    assert!(refused(text.as_bytes()).to_string().contains("0 trees are no rounds"));
    let json = "{\"version\":\"v4\",\"num_tree_per_iteration\":999999999999,\
                \"feature_names\":[\"a\"],\"tree_info\":[]}";
    assert!(refused(json.as_bytes()).to_string().contains("0 trees are no rounds"));
}

#[test]
fn what_is_no_model_is_said_to_be_none() {
    for bytes in [&b""[..], b"hello", b"\x7fELF", b"PK\x03\x04", b"{}", b"[1]", b"{\"a\":1}"] {
        let error = refused(bytes);
        assert!(error.to_string().contains("no model that is known"), "{bytes:?}: {error}");
        assert!(error.advice().is_some());
    }
    for bytes in [&b"tree\n"[..], b"\x08", b"\x08\x09", b"{\"learner\":3}", b"{\"tree_info\":[]}"] {
        assert!(refused(bytes).advice().is_some(), "{bytes:?}");
    }
}
