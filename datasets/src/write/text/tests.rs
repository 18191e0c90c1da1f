use super::*;

fn written(write: impl Fn(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).expect("text")
}

#[test]
fn places_are_kept() {
    for (cents, text) in [(0, "0.00"), (5, "0.05"), (1_234_567, "12345.67"), (-50, "-0.50")] {
        assert_eq!(written(|out| money(cents, out)), text);
    }
    for (value, text) in [(0.00001, "0.00001"), (-74.006, "-74.00600"), (9.5, "9.50000")] {
        assert_eq!(written(|out| degrees(value, out)), text);
    }
}

#[test]
fn degrees_come_back_from_text() {
    for e5 in (-18_000_000..18_000_000).step_by(9_973) {
        let value = f64::from(e5) / 1e5;
        let text = written(|out| degrees(value, out));
        assert_eq!(text.parse::<f64>().expect("a number").to_bits(), value.to_bits());
    }
}
