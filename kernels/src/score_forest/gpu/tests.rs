//! The arrays, by the passes' twins: no GPU is needed.

use proptest::prelude::*;

use super::plan::Arrays;
use super::twin::Twin;
use crate::score_forest::scalar;
use crate::score_forest::tests::{columns, forest, shapes};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_twins_give_the_bits_of_the_definition(shape in shapes(), rows in 1_usize..40) {
        let trees = forest(&shape);
        let arrays = Arrays::new(&trees).expect("it fits");
        let initial: Vec<f64> = (0..trees.outputs).map(|output| output as f64 - 0.5).collect();
        let wide = columns(&shape, rows);
        let narrow: Vec<Vec<f32>> =
            wide.iter().map(|column| column.iter().map(|x| *x as f32).collect()).collect();
        let used = arrays.features.clone();
        let twin = Twin::new(arrays, &trees, &initial);
        let of_f64: Vec<&[f64]> = used.iter().map(|f| &*wide[*f]).collect();
        let of_f32: Vec<&[f32]> = used.iter().map(|f| &*narrow[*f]).collect();
        let found = [
            twin.walk(&twin.encode(&of_f64, rows), rows),
            twin.walk(&twin.encode(&of_f32, rows), rows),
        ];
        let mut one = vec![0.0; trees.outputs];
        for row in 0..rows {
            let rows_of = [
                wide.iter().map(|column| column[row]).collect::<Vec<f64>>(),
                narrow.iter().map(|column| f64::from(column[row])).collect(),
            ];
            for (values, found) in rows_of.iter().zip(&found) {
                scalar::score_row(&trees, values, &initial, &mut one);
                for (output, sum) in one.iter().enumerate() {
                    prop_assert_eq!(found[output * rows + row].to_bits(), sum.to_bits());
                }
            }
        }
    }
}
