use super::{Level, choose};

#[test]
fn a_wish_is_granted_or_refused_with_a_reason() {
    assert_eq!(choose(None), Ok(Level::best()));
    assert_eq!(choose(Some("".into())), Ok(Level::best()));
    assert_eq!(choose(Some("scalar".into())), Ok(Level::Scalar));
    let unknown = choose(Some("sse9".into())).unwrap_err();
    assert!(unknown.contains("PELTON_SIMD") && unknown.contains("sse9"), "{unknown}");
    for level in Level::ALL {
        let answer = choose(Some(level.to_string().into()));
        if level.is_available() {
            assert_eq!(answer, Ok(level));
        } else {
            let refusal = answer.unwrap_err();
            assert!(refusal.contains(&format!("no {level}")), "{refusal}");
            assert!(refusal.contains("scalar"), "{refusal}");
        }
    }
}

#[test]
fn names_read_back() {
    for level in Level::ALL {
        assert_eq!(level.to_string().parse(), Ok(level));
    }
    assert!(Level::available().contains(&Level::Scalar));
}
