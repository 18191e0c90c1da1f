use super::*;

#[test]
fn quantiles_are_those_of_the_normal_distribution() {
    let z = quantiles();
    assert_eq!(z[QUANTILES / 2], 0.0);
    assert!((z[QUANTILES * 3 / 4] - 0.674_489_750_196_081_7).abs() < 1e-12);
    assert!((z[QUANTILES / 4] + 0.674_489_750_196_081_7).abs() < 1e-12);
    assert!(z.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn draws_stay_in_their_range() {
    let mut draws = Draws::new(7, Stream::Cards);
    assert_eq!(draws.below(0), 0);
    assert_eq!(draws.range(5, 5), 5);
    assert_eq!(draws.range(5, 3), 5);
    let mut sum = 0.0;
    for _ in 0..10_000 {
        assert!(draws.below(3) < 3);
        assert!((-2..9).contains(&draws.range(-2, 9)));
        assert!((1.0..2.0).contains(&draws.between(1.0, 2.0)));
        sum += draws.normal();
    }
    assert!((sum / 10_000.0).abs() < 0.05);
}

#[test]
fn streams_of_one_seed_differ() {
    let first = |seed, stream| Draws::new(seed, stream).bits();
    assert_ne!(first(1, Stream::Cards), first(1, Stream::Trips));
    assert_ne!(first(1, Stream::Cards), first(2, Stream::Cards));
}
