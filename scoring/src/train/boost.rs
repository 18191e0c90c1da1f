//! Boosting: each tree is grown on the derivatives of the loss ([`super::loss`]) at what all trees
//! before it say, and is added, shrunk.
//!
//! ```text
//! gradient, curvature = derivatives of the loss at margin      margin += shrinkage · tree
//! ```
//!
//! * **Sampling**: a tree sees a share of the rows and of the features. Whether it sees a row is a
//!   function of seed, tree and row, never of a thread.
//! * **Early stopping**: the last rows (rows stand in order of time: the most recent ones) are not
//!   learned from but watched; the number of trees at which their loss was least is kept, and the
//!   model is made anew with that number from all rows.
//! * **Several models** of other seeds, averaged, are one model: their trees stand in a row, each
//!   divided by the number of models. What one model says of rows that it cannot tell apart is
//!   chance; the average has less of it.

use super::bins::{BINS_MAX, Binned, Bins, place};
use super::histogram::Derivatives;
use super::loss::{Loss, Objective};
use super::tree::{Ground, Tree, TreeLimits, grow};
use super::{Examples, Labels};
use crate::detect::random::{Random, mix};
use crate::{Error, Result};

/// When to stop adding trees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EarlyStopping {
    /// After so many trees that made the watched rows' loss no smaller.
    pub patience: usize,
    /// Share of the rows, the last ones, that is watched: above 0, below 1.
    pub share: f64,
}

/// What can be chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Boosting {
    /// Trees of a model; the most where it stops early.
    pub rounds: usize,
    /// Most leaves of a tree.
    pub leaves: usize,
    /// What each tree is multiplied by.
    pub shrinkage: f64,
    /// λ: what is added to the curvature of a leaf.
    pub l2: f64,
    /// Fewest rows of a leaf.
    pub rows_min: usize,
    /// Least sum of curvatures of a leaf.
    pub weight_min: f64,
    /// Least gain of a split.
    pub gain_min: f64,
    /// Share of the rows that a tree sees.
    pub row_share: f64,
    /// Share of the features that a tree may use.
    pub feature_share: f64,
    /// Most bins of a feature.
    pub bins: usize,
    /// Models that are averaged.
    pub models: usize,
    /// Seed of the sampling.
    pub seed: u64,
    /// Stop early.
    pub early_stopping: Option<EarlyStopping>,
    /// Threads; the model is the same for every number.
    pub threads: usize,
}

impl Default for Boosting {
    fn default() -> Self {
        Self {
            rounds: 100,
            leaves: 16,
            shrinkage: 0.1,
            l2: 1.0,
            rows_min: 20,
            weight_min: 1e-3,
            gain_min: 1e-9,
            row_share: 1.0,
            feature_share: 1.0,
            bins: BINS_MAX,
            models: 1,
            seed: 1,
            early_stopping: None,
            threads: 1,
        }
    }
}

impl Boosting {
    /// # Errors
    /// Where a number makes no sense: which, and what would.
    fn check(&self) -> Result<()> {
        let share = |share: f64| share > 0.0 && share <= 1.0;
        let not_negative = |value: f64| value >= 0.0 && value.is_finite();
        let wrong = match self {
            _ if self.rounds == 0 => "rounds must be 1 or more",
            _ if !(2..=1024).contains(&self.leaves) => "leaves must be 2 to 1024",
            _ if !(self.shrinkage > 0.0 && self.shrinkage <= 1.0) => {
                "shrinkage must be above 0 and at most 1"
            }
            _ if !not_negative(self.l2) => "l2 must be 0 or more",
            _ if !not_negative(self.weight_min) => "weight_min must be 0 or more",
            _ if !not_negative(self.gain_min) => "gain_min must be 0 or more",
            _ if !share(self.row_share) || !share(self.feature_share) => {
                "shares must be above 0 and at most 1"
            }
            _ if !(2..=BINS_MAX).contains(&self.bins) => "bins must be 2 to 254",
            _ if self.models == 0 => "models must be 1 or more",
            _ if self.early_stopping.is_some_and(|stop| {
                stop.patience == 0 || !(stop.share > 0.0 && stop.share < 1.0)
            }) =>
            {
                "early stopping needs a patience of 1 or more and a share between 0 and 1"
            }
            _ => return Ok(()),
        };
        Err(Error::new(wrong))
    }

    fn limits(&self) -> TreeLimits {
        TreeLimits {
            leaves: self.leaves,
            rows_min: self.rows_min,
            weight_min: self.weight_min,
            l2: self.l2,
            gain_min: self.gain_min,
        }
    }
}

/// Boosted trees, ready to be written ([`super::lightgbm`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Boosted {
    /// What the sum of the trees is.
    pub objective: Objective,
    /// Names of the features.
    pub features: Vec<String>,
    /// Smallest and largest value of each feature in training.
    pub ranges: Vec<Option<(f64, f64)>>,
    /// The trees; what they say is added up. The first of each model holds its start.
    pub trees: Vec<Tree>,
    /// What each tree was shrunk by.
    pub shrinkage: f64,
    /// Trees of each model.
    pub rounds: Vec<usize>,
}

impl Boosted {
    /// How much all splits by each feature gained together.
    #[must_use]
    pub fn gains(&self) -> Vec<f64> {
        let mut gains = vec![0.0; self.features.len()];
        for node in self.trees.iter().flat_map(|tree| &tree.nodes) {
            gains[node.feature as usize] += node.gain;
        }
        gains
    }
}

/// Learns from `rows` of the examples: ascending row numbers, in order of time.
///
/// # Errors
/// Where a choice makes no sense, the rows don't hold both classes, or a number is not finite.
pub fn boost(examples: &Examples<'_>, rows: &[u32], choices: &Boosting) -> Result<Boosted> {
    choices.check()?;
    examples.check_rows(rows)?;
    let objective = match examples.labels() {
        Labels::Classes(_) => Objective::Binary,
        Labels::Numbers(_) => Objective::Regression,
    };
    let mut boosted = Boosted {
        objective,
        features: examples.names().to_vec(),
        ranges: Vec::new(),
        trees: Vec::new(),
        shrinkage: choices.shrinkage,
        rounds: Vec::new(),
    };
    let watched = watched(examples, rows, choices)?;
    let binned = Binned::new(examples.columns(), examples.labels(), rows, choices.bins);
    let loss = Loss::of(examples, rows);
    for model in 0..choices.models {
        let seed = mix(choices.seed ^ mix(model as u64));
        let rounds = match &watched {
            Some(watched) => watched.best_rounds(choices, seed),
            None => choices.rounds,
        };
        let mut run = Run::new(choices, &binned, &loss, seed);
        run.trees.reserve(rounds);
        (0..rounds).for_each(|_| run.add_tree());
        loss.finish(&mut run.trees);
        run.trees.iter_mut().for_each(|tree| tree.scale(1.0 / choices.models as f64));
        boosted.trees.append(&mut run.trees);
        boosted.rounds.push(rounds);
    }
    boosted.ranges = binned.bins.iter().map(Bins::range).collect();
    Ok(boosted)
}

/// The rows parted for early stopping.
struct Watched {
    patience: usize,
    binned: Binned,
    loss: Loss,
    /// By feature, then by row.
    watched: Vec<Vec<u8>>,
    watched_loss: Loss,
}

fn watched(examples: &Examples<'_>, rows: &[u32], choices: &Boosting) -> Result<Option<Watched>> {
    let Some(stop) = choices.early_stopping else { return Ok(None) };
    let held = ((rows.len() as f64 * stop.share).ceil() as usize).min(rows.len() - 1);
    let (learned, later) = rows.split_at(rows.len() - held);
    let at = |error: Error| error.at("early stopping");
    examples.check_rows(learned).map_err(at)?;
    examples.check_rows(later).map_err(at)?;
    let loss = Loss::of(examples, learned);
    let binned = Binned::new(examples.columns(), examples.labels(), learned, choices.bins);
    Ok(Some(Watched {
        patience: stop.patience,
        watched: place(&binned.bins, examples.columns(), later),
        watched_loss: loss.of_others(examples, later),
        loss,
        binned,
    }))
}

impl Watched {
    /// Number of trees at which the watched rows' loss was least.
    fn best_rounds(&self, choices: &Boosting, seed: u64) -> usize {
        let mut run = Run::new(choices, &self.binned, &self.loss, seed);
        let mut margins = vec![self.loss.start(); self.watched_loss.rows()];
        let (mut least, mut best) = (self.watched_loss.mean(&margins), 1);
        for round in 1..=choices.rounds {
            run.add_tree();
            if let Some(tree) = run.trees.last() {
                add(tree, &run.missing, &self.watched, &mut margins, choices.threads);
            }
            let loss = self.watched_loss.mean(&margins);
            if loss < least {
                (least, best) = (loss, round);
            } else if round - best >= self.patience {
                break;
            }
        }
        best
    }
}

/// One model in the making.
struct Run<'a> {
    choices: &'a Boosting,
    binned: &'a Binned,
    loss: &'a Loss,
    seed: u64,
    /// Number of the bin of missing values, by feature.
    missing: Vec<u8>,
    margins: Vec<f64>,
    trees: Vec<Tree>,
    // Buffers.
    scratch: Vec<f64>,
    derivatives: Vec<Derivatives>,
    rows: Vec<u32>,
}

impl<'a> Run<'a> {
    fn new(choices: &'a Boosting, binned: &'a Binned, loss: &'a Loss, seed: u64) -> Self {
        Self {
            choices,
            binned,
            loss,
            seed,
            missing: binned.bins.iter().map(|bins| bins.len() as u8).collect(),
            margins: vec![loss.start(); loss.rows()],
            trees: Vec::new(),
            scratch: Vec::new(),
            derivatives: Vec::new(),
            rows: Vec::new(),
        }
    }

    fn add_tree(&mut self) {
        let number = self.trees.len() as u64;
        self.loss.derivatives(&self.margins, &mut self.scratch, &mut self.derivatives);
        self.sample(number);
        let wanted = self.wanted(number);
        let ground = Ground {
            binned: self.binned,
            derivatives: &self.derivatives,
            wanted: &wanted,
            limits: self.choices.limits(),
            threads: self.choices.threads,
        };
        let mut tree = grow(&ground, &mut self.rows);
        tree.scale(self.choices.shrinkage);
        let threads = self.choices.threads;
        add(&tree, &self.missing, &self.binned.columns, &mut self.margins, threads);
        self.trees.push(tree);
    }

    /// The rows that a tree sees.
    fn sample(&mut self, tree: u64) {
        let (share, seed) = (self.choices.row_share, mix(self.seed ^ mix(tree)));
        let limit = (share * (1_u64 << 53) as f64) as u64;
        self.rows.clear();
        let all = 0..self.loss.rows() as u32;
        self.rows
            .extend(all.filter(|row| share >= 1.0 || mix(seed ^ u64::from(*row)) >> 11 < limit));
    }

    /// The features that a tree may use: at least one.
    fn wanted(&self, tree: u64) -> Vec<bool> {
        let features = self.binned.bins.len();
        let kept = ((features as f64 * self.choices.feature_share).round() as usize).max(1);
        let mut random = Random::new(mix(self.seed ^ mix(tree ^ FEATURES)));
        let mut order: Vec<usize> = (0..features).collect();
        let mut wanted = vec![kept >= features; features];
        for at in 0..kept.min(features) {
            order.swap(at, at + random.below(features - at));
            wanted[order[at]] = true;
        }
        wanted
    }
}

/// Keeps the random numbers of features apart from those of rows.
const FEATURES: u64 = 0x6665_6174_7572_6573;

/// Rows below which threads cost more than they save.
const ROWS_MIN: usize = 1 << 16;

/// Adds to each row's margin what a tree says of it.
fn add(tree: &Tree, missing: &[u8], columns: &[Vec<u8>], margins: &mut [f64], threads: usize) {
    let add = |first: usize, margins: &mut [f64]| {
        for (row, margin) in margins.iter_mut().enumerate() {
            let leaf = tree.leaf_of(missing, |feature| columns[feature][first + row]);
            *margin += tree.leaves[leaf].value;
        }
    };
    if threads < 2 || margins.len() < ROWS_MIN {
        return add(0, margins);
    }
    let each = margins.len().div_ceil(threads);
    std::thread::scope(|scope| {
        for (at, part) in margins.chunks_mut(each).enumerate() {
            scope.spawn(move || add(at * each, part));
        }
    });
}
