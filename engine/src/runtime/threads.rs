//! Several shards: one pinned thread each.
//!
//! ```text
//!  caller ──Start──▶ shard s = sequence mod n ──Whole──▶ all shards ──Part──▶ shard s ─▶ … ─▶ caller
//!          (steps without state)      (keyed stage, in order of sequence)   (join, next steps)
//! ```
//! Every keyed stage sees the items in the order of their sequence: a shard keeps those that
//! come early. An item is at one stage at a time, so each pair of threads has at most one
//! `Whole` and one `Part` a sequence under way, which is what the rings are made for.
//!
//! Where another device works on an item, the shard takes what comes next; it looks for what is
//! done after each message, and a few thousand times a second where none comes.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::sync::Parker;

use super::park::{Sender, ring};
use super::stage::{Keyed, Part, Stage};
use super::{Executor, ITEMS_PER_SHARD, ITEMS_PER_SHARD_HOLDING, Item};
use crate::accel::Accelerator;
use crate::error::{Error, Result};
use crate::operator::StateSize;

/// How long a shard with nothing else to do rests before it looks again for what another device
/// has done: a fraction of what a submission takes there.
const LOOK_EVERY: Duration = Duration::from_micros(100);

enum Message {
    /// Run the steps from this stage on until a keyed one.
    Start { stage: usize, item: Item },
    /// A keyed stage's input.
    Whole { stage: usize, item: Arc<Item> },
    /// One shard's share of it.
    Part { stage: usize, shard: usize, item: Arc<Item>, part: Part },
}

type Finished = Result<Item>;

pub(super) struct Threads {
    senders: Vec<Sender<Message>>,
    results: Vec<rtrb::Consumer<Finished>>,
    early: BTreeMap<u64, Item>,
    parker: Parker,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<StateSize>>,
    /// Most items under way.
    items_max: usize,
    next_out: u64,
    submitted: u64,
    failed: Option<Error>,
}

impl Threads {
    pub(super) fn start(
        stages: Vec<Vec<Stage>>,
        accelerator: Option<&Accelerator>,
    ) -> Result<Self> {
        let shards = stages.len();
        let holds = stages.iter().flatten().any(Stage::may_hold);
        let items = if holds { ITEMS_PER_SHARD_HOLDING } else { ITEMS_PER_SHARD };
        let capacity = 2 * shards * items + 2;
        let parker = Parker::new();
        let parkers: Vec<Parker> = (0..shards).map(|_| Parker::new()).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let mut senders = Vec::new();
        let mut inboxes: Vec<Vec<rtrb::Consumer<Message>>> = Vec::new();
        let mut peers: Vec<Vec<Option<Sender<Message>>>> =
            (0..shards).map(|_| Vec::new()).collect();
        for (to, to_parker) in parkers.iter().enumerate() {
            let (sender, inbox) = ring(capacity, to_parker);
            senders.push(sender);
            inboxes.push(vec![inbox]);
            for (from, peer) in peers.iter_mut().enumerate() {
                if from == to {
                    peer.push(None);
                } else {
                    let (sender, inbox) = ring(capacity, to_parker);
                    peer.push(Some(sender));
                    inboxes[to].push(inbox);
                }
            }
        }
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        let mut threads = Vec::new();
        let mut results = Vec::new();
        let parts = stages.into_iter().zip(parkers).zip(inboxes).zip(peers).enumerate();
        for (id, (((stages, shard_parker), inbox), peers)) in parts {
            let (out, result) = ring(capacity, &parker);
            results.push(result);
            let keyed_stages = stages.len();
            let shard = Shard {
                id,
                shards,
                stages,
                accelerator: accelerator.cloned(),
                inbox,
                peers,
                out,
                next: vec![0; keyed_stages],
                early: (0..keyed_stages).map(|_| BTreeMap::new()).collect(),
                parts: HashMap::new(),
                local: Vec::new(),
            };
            let core = cores.get(id % cores.len().max(1)).copied();
            let stop = stop.clone();
            let thread = std::thread::Builder::new()
                .name(format!("pelton-shard-{id}"))
                .spawn(move || {
                    // A refused pinning (a container's mask) costs speed, nothing else.
                    core.map(core_affinity::set_for_current);
                    shard.run(&shard_parker, &stop)
                })
                .map_err(|error| Error::run(format!("cannot start a shard's thread: {error}")))?;
            threads.push(thread);
        }
        Ok(Self {
            senders,
            results,
            early: BTreeMap::new(),
            parker,
            stop,
            threads,
            items_max: shards * items,
            next_out: 0,
            submitted: 0,
            failed: None,
        })
    }

    fn receive(&mut self) {
        for result in &mut self.results {
            while let Ok(finished) = result.pop() {
                match finished {
                    Ok(item) => {
                        self.early.insert(item.sequence, item);
                    }
                    Err(error) => self.failed = self.failed.take().or(Some(error)),
                }
            }
        }
        if self.failed.is_none() && self.threads.iter().any(JoinHandle::is_finished) {
            self.failed = Some(Error::run("a shard's thread ended before its work did"));
        }
    }

    fn shut_down(&mut self) -> Result<StateSize> {
        self.stop.store(true, Ordering::Release);
        for sender in &self.senders {
            sender.wake();
        }
        let mut size = StateSize::default();
        for thread in self.threads.drain(..) {
            size += thread.join().map_err(|_| Error::run("a shard's thread panicked"))?;
        }
        Ok(size)
    }
}

impl Executor for Threads {
    fn submit(&mut self, item: Item) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let shard = (item.sequence % self.senders.len() as u64) as usize;
        self.submitted += 1;
        self.senders[shard].send(Message::Start { stage: 0, item });
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.under_way() >= self.items_max
    }

    fn poll(&mut self) -> Result<Option<Item>> {
        self.receive();
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let item = self.early.remove(&self.next_out);
        self.next_out += u64::from(item.is_some());
        Ok(item)
    }

    fn wait(&mut self) {
        // Bounded, so that a shard that died without a word is noticed.
        self.parker.park_timeout(std::time::Duration::from_millis(100));
    }

    fn under_way(&self) -> usize {
        (self.submitted - self.next_out) as usize
    }

    fn is_holding(&self) -> bool {
        // Shards move on what they hold.
        false
    }

    fn finish(&mut self) -> Result<StateSize> {
        self.shut_down()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // An error has been given out already, or nobody wants to know.
        let _ = self.shut_down();
    }
}

/// One shard's thread.
struct Shard {
    id: usize,
    shards: usize,
    stages: Vec<Stage>,
    accelerator: Option<Accelerator>,
    inbox: Vec<rtrb::Consumer<Message>>,
    peers: Vec<Option<Sender<Message>>>,
    out: Sender<Finished>,
    /// For each stage, the sequence number that it works on next.
    next: Vec<u64>,
    early: Vec<BTreeMap<u64, Arc<Item>>>,
    /// Parts that have come, by stage and sequence.
    parts: HashMap<(usize, u64), Vec<(usize, Part)>>,
    /// Messages to oneself.
    local: Vec<Message>,
}

impl Shard {
    fn run(mut self, parker: &Parker, stop: &AtomicBool) -> StateSize {
        loop {
            let mut worked = false;
            for i in 0..self.inbox.len() {
                while let Ok(message) = self.inbox[i].pop() {
                    worked = true;
                    self.take(message);
                    self.move_on();
                }
            }
            worked |= self.move_on();
            if stop.load(Ordering::Acquire) {
                break;
            }
            if worked {
                continue;
            }
            if self.is_holding() {
                parker.park_timeout(LOOK_EVERY);
            } else {
                parker.park();
            }
        }
        let mut size = StateSize::default();
        for stage in &self.stages {
            if let Stage::Keyed(keyed) = stage {
                size += keyed.state();
            }
        }
        size
    }

    /// Works on a message and on all that it leads to here.
    fn take(&mut self, message: Message) {
        self.local.push(message);
        while let Some(message) = self.local.pop() {
            self.guarded(|shard| shard.handle(message));
        }
    }

    /// Runs something; an error goes to the caller. `None`: there was one.
    fn guarded<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T>) -> Option<T> {
        let outcome = catch_unwind(AssertUnwindSafe(|| run(self)));
        let error = match outcome {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(error)) => error,
            Err(panic) => Error::run(format!("a shard panicked: {}", panic_text(&*panic))),
        };
        self.out.send(Err(error));
        None
    }

    fn is_holding(&self) -> bool {
        self.stages.iter().any(|stage| stage.held() > 0)
    }

    /// Moves on what stages hold and is done, the last stage first; whether anything was.
    fn move_on(&mut self) -> bool {
        let mut any = false;
        for at in (0..self.stages.len()).rev() {
            while let Some(Some(item)) = self.guarded(|shard| match &mut shard.stages[at] {
                Stage::Map(map) => map.next(),
                Stage::Keyed(_) => Ok(None),
            }) {
                any = true;
                self.take(Message::Start { stage: at + 1, item });
            }
        }
        any
    }

    fn handle(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Start { stage, item } => self.steps(stage, item),
            Message::Whole { stage, item } => {
                self.early[stage].insert(item.sequence, item);
                while let Some(item) = self.early[stage].remove(&self.next[stage]) {
                    self.next[stage] += 1;
                    self.keyed(stage, item)?;
                }
                Ok(())
            }
            Message::Part { stage, shard, item, part } => {
                let key = (stage, item.sequence);
                let parts = self.parts.entry(key).or_default();
                parts.push((shard, part));
                if parts.len() < self.shards {
                    return Ok(());
                }
                let mut parts = self.parts.remove(&key).unwrap_or_default();
                parts.sort_unstable_by_key(|(shard, _)| *shard);
                let parts = parts.into_iter().map(|(_, part)| part).collect();
                let item = Arc::unwrap_or_clone(item);
                let joined = self.keyed_stage(stage).join(item, parts)?;
                self.steps(stage + 1, joined)
            }
        }
    }

    fn keyed_stage(&mut self, stage: usize) -> &mut Keyed {
        match &mut self.stages[stage] {
            Stage::Keyed(keyed) => keyed,
            Stage::Map(_) => unreachable!("wholes and parts belong to keyed stages"),
        }
    }

    fn keyed(&mut self, stage: usize, item: Arc<Item>) -> Result<()> {
        let (id, shards) = (self.id, self.shards);
        let accelerator = self.accelerator.clone();
        let part = self.keyed_stage(stage).run(&item, (id, shards), accelerator.as_ref())?;
        let to = (item.sequence % shards as u64) as usize;
        self.send(to, Message::Part { stage, shard: id, item, part });
        Ok(())
    }

    /// The steps without state from `stage` on, until a keyed one, one that holds the item, or
    /// the end.
    fn steps(&mut self, mut stage: usize, mut item: Item) -> Result<()> {
        while let Some(Stage::Map(map)) = self.stages.get_mut(stage) {
            let Some(passed) = map.take(item)? else { return Ok(()) };
            item = passed;
            stage += 1;
        }
        if stage == self.stages.len() {
            self.out.send(Ok(item));
            return Ok(());
        }
        let item = Arc::new(item);
        for to in 0..self.shards {
            self.send(to, Message::Whole { stage, item: item.clone() });
        }
        Ok(())
    }

    fn send(&mut self, to: usize, message: Message) {
        match &mut self.peers[to] {
            Some(peer) => peer.send(message),
            None => self.local.push(message),
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
