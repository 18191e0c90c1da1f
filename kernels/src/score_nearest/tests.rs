//! Places with few distances, many equal ones, and none.

use super::*;

fn found(level: Level, columns: &[f64], count: usize, query: &[f64], k: usize) -> Vec<(f64, u32)> {
    let (mut distances, mut rows) = (vec![9.0; k], vec![9; k]);
    nearest(level, References::new(columns, count), query, &mut distances, &mut rows);
    distances.into_iter().zip(rows).collect()
}

#[test]
fn equal_distances_go_by_row() {
    for level in Level::available() {
        let answer = found(level, &[1.0, 3.0, 1.0, 3.0, 2.0], 5, &[2.0], 4);
        assert_eq!(answer, [(0.0, 4), (1.0, 0), (1.0, 1), (1.0, 2)], "{level}");
    }
}

#[test]
fn what_is_missing_and_what_is_nan_comes_last() {
    for level in Level::available() {
        let columns = [f64::NAN, 1.0, f64::INFINITY, 0.0, 0.0, 0.0];
        let answer = found(level, &columns, 3, &[1.0, 2.0], 4);
        let none = (f64::INFINITY, NONE);
        assert_eq!(answer, [(4.0, 1), (f64::INFINITY, 2), none, none], "{level}");
        assert_eq!(found(level, &[], 0, &[], 0), [], "{level}");
    }
}
