use super::*;
use crate::draws::Stream;

#[test]
fn indices_come_in_proportion() {
    let weights = [1.0, 5.0, 0.5, 3.5];
    let alias = Alias::new(&weights);
    let mut draws = Draws::new(3, Stream::Cards);
    let mut seen = [0u32; 4];
    for _ in 0..100_000 {
        seen[alias.draw(&mut draws) as usize] += 1;
    }
    for (count, weight) in seen.iter().zip(weights) {
        assert!((f64::from(*count) - weight * 10_000.0).abs() < 600.0, "{seen:?}");
    }
}

#[test]
fn one_index_is_always_drawn() {
    let mut draws = Draws::new(3, Stream::Cards);
    assert_eq!(Alias::new(&[0.3]).draw(&mut draws), 0);
}
