//! Numbers that are no exact results of IEEE 754: `math` and `geo_haversine`. How far they may be
//! from `libm` is tested beside them; here each level has the bits of the scalar one.

use proptest::prelude::*;

use super::inputs::*;
use super::{Answer, suite};
use crate::geo_haversine::{DEGREE, Places, distance_km, distances_km};
use crate::math::{
    LinearTerm, TABLE_LEN, Table, Transform, add_from_table, add_term, exponential_tail,
    exponential_tails, normal_tail, normal_tails, sigmoid, sigmoid_in_place,
};

/// Values, the sums that they are added to, and a term of a model.
type Terms = (Vec<f64>, Vec<f64>, LinearTerm);

fn terms(transform: Transform) -> impl Fn(usize) -> BoxedStrategy<Terms> {
    move |rows| {
        let bound = || prop_oneof![Just(f64::INFINITY), 0.0..100.0_f64];
        let lo = prop_oneof![Just(0.0), Just(-0.0), bound().prop_map(|lo| -lo)];
        let term = (lo, bound(), -5.0..5.0, -5.0..5.0, -5.0..5.0).prop_map(
            move |(lo, hi, mean, factor, missing)| LinearTerm {
                transform,
                lo,
                hi,
                mean,
                factor,
                missing,
            },
        );
        let moderate = proptest::collection::vec(-50.0..1e6_f64, rows);
        let sums = proptest::collection::vec(-100.0..100.0_f64, rows);
        (prop_oneof![column(rows), moderate], sums, term).boxed()
    }
}

fn add((values, sums, term): &Terms) -> Answer {
    let mut sums = sums.clone();
    add_term(values, term, &mut sums);
    bits(&sums)
}

fn naive_add((values, sums, term): &Terms) -> Answer {
    let each = values.iter().zip(sums).map(|(value, sum)| sum + term.contribution(*value));
    bits(&each.collect::<Vec<_>>())
}

fn log_odds(rows: usize) -> BoxedStrategy<Vec<f64>> {
    prop_oneof![column(rows), proptest::collection::vec(-50.0..50.0_f64, rows)].boxed()
}

fn small_counts(rows: usize) -> BoxedStrategy<Vec<i64>> {
    proptest::collection::vec(0..TABLE_LEN as i64, rows).boxed()
}

fn table() -> Table {
    std::array::from_fn(|i| sigmoid(i as f64 / 100.0))
}

suite! {
    math {
        sigmoid_in_place: log_odds => |z| {
            let mut out = z.clone();
            sigmoid_in_place(&mut out);
            numbers(&out)
        }, |z| numbers(&z.iter().map(|z| sigmoid(*z)).collect::<Vec<_>>());
        normal_tails: log_odds => |z| numbers(&filled(z.len(), |out| normal_tails(z, out))),
            |z| numbers(&z.iter().map(|z| normal_tail(*z)).collect::<Vec<_>>());
        exponential_tails: log_odds => |z| {
            numbers(&filled(z.len(), |out| exponential_tails(0.5, z, out)))
        }, |z| numbers(&z.iter().map(|z| exponential_tail(0.5 * z)).collect::<Vec<_>>());
        add_identity: terms(Transform::Identity) => add, naive_add;
        add_sqrt: terms(Transform::Sqrt) => add, naive_add;
        add_log1p: terms(Transform::Log1p) => add, naive_add;
        add_signed_log1p: terms(Transform::SignedLog1p) => add, naive_add;
        add_from_table: small_counts => |counts| {
            bits(&filled(counts.len(), |sums| assert!(add_from_table(counts, &table(), sums))))
        }, |counts| bits(&counts.iter().map(|i| table()[*i as usize]).collect::<Vec<_>>());
    }
}

/// Latitudes and longitudes, twice.
type Pairs = Vec<[i32; 4]>;

fn pairs(rows: usize) -> BoxedStrategy<Pairs> {
    let edges = [0, 1, -1, 45, -45, 90, -90, 91, 180, -180, 200].map(|degrees| degrees * DEGREE);
    let place = prop_oneof![proptest::sample::select(edges.to_vec()), any::<i32>()];
    let near = any::<[i32; 2]>().prop_map(|[lat, lon]| [lat / 3, lon, lat / 3, lon ^ 1]);
    let pair = prop_oneof![[place.clone(), place.clone(), place.clone(), place], near];
    proptest::collection::vec(pair, rows).boxed()
}

fn distances(pairs: &Pairs) -> Answer {
    let of = |at: usize| pairs.iter().map(|pair| pair[at]).collect::<Vec<_>>();
    let [lat1, lon1, lat2, lon2] = std::array::from_fn(of);
    let from = Places { lat: &lat1, lon: &lon1 };
    let to = Places { lat: &lat2, lon: &lon2 };
    numbers(&filled(pairs.len(), |km| distances_km(from, to, km)))
}

suite! {
    geo_haversine {
        distances_km: pairs => distances, |pairs| {
            let each = pairs.iter().map(|p| distance_km(p[0], p[1], p[2], p[3]));
            numbers(&each.collect::<Vec<_>>())
        };
    }
}
