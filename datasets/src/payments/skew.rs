//! How unequal cards are, where that is asked for: by Zipf's law, the card of rank r pays in
//! proportion to r^−s, with the s at which the busiest card has the share that was named.
//!
//! In life a card pays a few times a day, and its log-normal activity makes none stand out. What
//! windows are measured with is often a recording in which some keys are hot; this makes one.

/// Largest exponent that is looked for: there the first card has all but a millionth.
const EXPONENT_MAX: f64 = 24.0;

/// Terms that are added up one by one; the others are an integral (within a millionth).
const TERMS: u64 = 4_096;

/// Steps of the bisection: past the precision of a float.
const STEPS: u32 = 64;

/// Σ r^−s for r from 1 to `ranks`.
fn harmonic(ranks: u64, s: f64) -> f64 {
    let terms = ranks.min(TERMS);
    // The small ones first.
    let sum: f64 = (1..=terms).rev().map(|rank| libm::pow(rank as f64, -s)).sum();
    let (from, to) = (terms as f64 + 0.5, ranks as f64 + 0.5);
    if to <= from {
        return sum;
    }
    // ∫ r^−s = (to^(1−s) − from^(1−s)) / (1 − s), which is the logarithm where s is 1.
    let rest = if (1.0 - s).abs() < 1e-9 {
        libm::log(to / from)
    } else {
        (libm::pow(to, 1.0 - s) - libm::pow(from, 1.0 - s)) / (1.0 - s)
    };
    sum + rest
}

/// The exponent at which the first of `ranks` has this share.
fn exponent(ranks: u64, share: f64) -> f64 {
    let (mut low, mut high) = (0.0, EXPONENT_MAX);
    for _ in 0..STEPS {
        let middle = (low + high) / 2.0;
        if harmonic(ranks, middle) > 1.0 / share { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// Makes activities those of Zipf's law; who was busier stays busier (of equal ones the first).
/// `awake`: the share of a card's moments at which it pays at all, which must not take away from
/// its share.
pub(crate) fn by_zipf(activity: &mut [f64], top_share: f64, awake: impl Fn(usize) -> f64) {
    let s = exponent(activity.len() as u64, top_share);
    let mut ranked: Vec<u32> = (0..activity.len() as u32).collect();
    ranked.sort_by(|&a, &b| activity[b as usize].total_cmp(&activity[a as usize]));
    for (rank, &card) in ranked.iter().enumerate() {
        let weight = libm::pow((rank + 1) as f64, -s);
        activity[card as usize] = weight / awake(card as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_has_the_share_that_was_asked_for() {
        for (cards, share) in [(1, 0.5), (2, 0.5), (10, 0.1), (100_000, 0.005), (5_000_000, 0.01)] {
            let mut activity = vec![1.0; cards];
            by_zipf(&mut activity, share, |_| 1.0);
            let total: f64 = activity.iter().sum();
            let expected = share.max(1.0 / cards as f64);
            assert!((activity[0] / total / expected - 1.0).abs() < 1e-4, "{cards} {share}");
            assert!(activity.is_sorted_by(|a, b| a >= b));
        }
        let mut activity = [1.0, 3.0, 2.0];
        by_zipf(&mut activity, 0.6, |card| if card == 2 { 0.5 } else { 1.0 });
        assert!(activity[1] == 1.0 && activity[2] > activity[0]);
    }
}
