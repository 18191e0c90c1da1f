use super::*;

fn slices(rows: u64, span_us: i64) -> Vec<Slice> {
    let sizes =
        Sizes { rows, cards: 1, terminals: 1, span_us, top_card_share: None, late_millionths: 0 };
    let mut hours = [1.0 / 24.0; 24];
    hours[3] = 0.0;
    Slices::new(&sizes, rows, &hours).collect()
}

#[test]
fn slices_join_and_rows_add_up() {
    for rows in [0, 1, 7, 1_000, 3_000_000, 40_000_000] {
        for span_us in [60_000_000, HOUR_US, HOUR_US * 11 + 1_000_000, HOUR_US * 24 * 60] {
            let slices = slices(rows, span_us);
            assert_eq!(slices.iter().map(|slice| slice.rows).sum::<u64>(), rows);
            assert_eq!(slices[0].from_us, 0);
            assert_eq!(slices[slices.len() - 1].until_us, span_us);
            assert!(slices.windows(2).all(|pair| pair[0].until_us == pair[1].from_us));
            assert!(slices.iter().all(|slice| slice.from_us < slice.until_us));
            assert_eq!(slices.iter().filter(|slice| slice.last).count(), 1);
            let most = slices.iter().map(|slice| slice.rows).max().unwrap_or(0);
            assert!(most <= 1 << 17, "{most} rows in one slice");
        }
    }
}
