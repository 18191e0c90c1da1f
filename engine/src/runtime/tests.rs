//! Items keep their order when another device works on some of them, and none waits for the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use proptest::prelude::*;

use super::{Executor, Item, MapStage, Stage, start};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::offload::{Begun, Flight, Offload, UNDER_WAY_MAX};
use crate::operator::MapOperator;

/// A batch that comes back as an error.
const FAILS: i64 = 20_010;

/// Adds one to a number; of batches whose number says so, after it was looked at some times.
#[derive(Debug, Default)]
struct Slow {
    most_under_way: AtomicUsize,
}

struct Later {
    batch: Batch,
    looks: i64,
}

fn number(batch: &Batch) -> i64 {
    batch.rows.column(0).as_primitive::<Int64Type>().value(0)
}

fn batch(number: i64) -> Batch {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![number]));
    Batch::new(RecordBatch::try_from_iter([("n", column)]).unwrap(), 0)
}

impl MapOperator for Slow {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        Ok(input.clone())
    }

    fn map(&self, given: Batch) -> Result<Batch> {
        Ok(batch(number(&given) + 1))
    }

    fn begin(&self, batch: Batch, offload: Offload<'_>) -> Result<Begun<Batch>> {
        self.most_under_way.fetch_max(offload.under_way, Ordering::Relaxed);
        let looks = number(&batch) / 10 % 7;
        if looks == 0 || offload.is_behind() {
            return self.map(batch).map(Begun::Done);
        }
        Ok(Begun::UnderWay(Box::new(Later { batch, looks })))
    }

    fn describe(&self) -> String {
        "slow".to_owned()
    }
}

impl Flight<Batch> for Later {
    fn is_done(&mut self) -> bool {
        self.looks -= 1;
        self.looks <= 0
    }

    fn land(self: Box<Self>) -> Result<Batch> {
        match number(&self.batch) {
            FAILS => Err(Error::run("no such number")),
            number => Ok(batch(number + 1)),
        }
    }
}

fn executor(slow: &Arc<Slow>, shards: usize) -> Box<dyn Executor> {
    let stage = || Stage::Map(MapStage::new(slow.clone()));
    start(shards, 1, None, &|| Ok(vec![stage(), stage()])).unwrap()
}

fn item(sequence: u64, number: Option<i64>) -> Item {
    let batch = number.map(batch);
    Item { sequence, batch, watermark: sequence as i64, tick: false, epoch: 0, more: false }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn items_leave_in_their_order(
        numbers in proptest::collection::vec(proptest::option::weighted(0.8, 0..10_000_i64), 0..80),
        shards in 1..4_usize,
    ) {
        let slow = Arc::new(Slow::default());
        let mut executor = executor(&slow, shards);
        let mut given = Vec::new();
        for (at, number) in numbers.iter().enumerate() {
            while executor.is_full() {
                match executor.poll().unwrap() {
                    Some(item) => given.push(item),
                    None => executor.wait(),
                }
            }
            executor.submit(item(at as u64, *number)).unwrap();
            given.extend(executor.poll().unwrap());
        }
        while executor.under_way() > 0 {
            match executor.poll().unwrap() {
                Some(item) => given.push(item),
                None => executor.wait(),
            }
        }
        executor.finish().unwrap();
        let expected: Vec<_> =
            numbers.iter().enumerate().map(|(at, n)| (at as i64, n.map(|n| n + 2))).collect();
        let given: Vec<_> =
            given.iter().map(|item| (item.watermark, item.batch.as_ref().map(number))).collect();
        prop_assert_eq!(given, expected);
        prop_assert!(slow.most_under_way.load(Ordering::Relaxed) <= UNDER_WAY_MAX);
    }
}

#[test]
fn what_is_done_comes_out_though_nothing_follows() {
    for shards in [1, 2] {
        let mut executor = executor(&Arc::default(), shards);
        executor.submit(item(0, Some(30))).unwrap();
        executor.submit(item(1, None)).unwrap();
        let mut given = Vec::new();
        while given.len() < 2 {
            given.extend(executor.poll().unwrap());
            std::thread::yield_now();
        }
        assert_eq!(given[0].batch.as_ref().map(number), Some(32));
        assert_eq!(given[1].watermark, 1);
        assert!(!executor.is_holding());
    }
}

#[test]
fn what_is_done_at_once_passes_at_once() {
    let mut executor = executor(&Arc::default(), 1);
    executor.submit(item(0, Some(0))).unwrap();
    assert_eq!(
        executor.poll().unwrap().as_ref().and_then(|i| i.batch.as_ref()).map(number),
        Some(2)
    );
    // Behind one that is under way it waits for its turn.
    executor.submit(item(1, Some(60))).unwrap();
    executor.submit(item(2, Some(0))).unwrap();
    assert!(executor.is_holding() && executor.under_way() == 2);
    assert!(executor.poll().unwrap().is_none());
}

#[test]
fn an_error_on_the_way_is_told() {
    for shards in [1, 3] {
        let mut executor = executor(&Arc::default(), shards);
        executor.submit(item(0, Some(20))).unwrap();
        executor.submit(item(1, Some(FAILS))).unwrap();
        let error = loop {
            match executor.poll() {
                Err(error) => break error,
                Ok(_) if executor.under_way() == 0 => panic!("nobody was told"),
                Ok(_) => executor.wait(),
            }
        };
        assert!(error.to_string().contains("no such number"), "{error}");
    }
}
