//! What a tree of few points must be. Against the plain tree: the detector's own tests.

use super::*;

#[test]
fn the_first_point_displaces_none_and_a_far_one_all() {
    let mut tree = CutTree::<4>::new(4, 1);
    let points: Vec<f32> = [0.0, 1.0, 2.0, 1e6].iter().flat_map(|x| [*x, 0.0, 0.0, 0.0]).collect();
    let turns: Vec<Turn> = (0..4).map(|slot| Turn { slot, ..Turn::default() }).collect();
    let mut sums = [0.0; 4];
    take_turns_of_4(&mut tree, None, &points, &turns, &mut sums);
    assert_eq!((sums[0], sums[3]), (0.0, 3.0));
    let path = tree.path(3);
    assert_eq!((path[0].0, path.last().unwrap().0), (1, 4));
    assert_eq!(path.last().unwrap().1, [0.0, 0.0, 0.0, 0.0, 1e6, 0.0, 0.0, 0.0]);
    tree.remove(3);
    tree.remove(3);
    assert_eq!(tree.path(3), []);
    assert_eq!(tree.path(0).last().unwrap().1[4], 2.0);
}

#[test]
fn equal_points_share_a_leaf() {
    let mut tree = CutTree::<8>::new(3, 9);
    let points = [2.5; 24];
    let turn = |slot, told| Turn { slot, told, ..Turn::default() };
    let mut sums = [0.0; 3];
    let turns = [turn(0, false), turn(1, false), turn(2, true)];
    take_turns_of_8(&mut tree, None, &points, &turns, &mut sums);
    assert_eq!(tree.path(1), [(2, vec![])]);
    assert_eq!(tree.path(2), []);
    tree.remove(0);
    assert_eq!(tree.path(1), [(1, vec![])]);
    tree.remove(1);
    assert_eq!(tree.path(1), []);
}
