//! From nodes with numbers of the file's own to [`Trees`], parents first.
//!
//! A file may name any node as a child of any other: each is taken once, so a cycle ends as an
//! error and memory stays below what the file itself holds.

use pelton_kernels::score_forest::{Child, DEPTH_MAX, Rule, Trees};

use super::forest::Covers;
use crate::{Error, Result};

/// A node as a file tells it.
pub(super) enum Node {
    /// A leaf: its values have been pushed to [`Trees::leaf`] by whoever answers.
    Leaf {
        /// Its weight.
        cover: f64,
    },
    /// An inner node.
    Split {
        /// The feature that it looks at.
        feature: u32,
        /// Its threshold.
        threshold: f64,
        /// How it decides.
        rule: Rule,
        /// The file's number of the node on the left.
        left: usize,
        /// The file's number of the node on the right.
        right: usize,
        /// Its weight.
        cover: f64,
    },
}

/// Adds a tree whose nodes have the numbers `0..count` in the file, the root `root`. `node` is
/// asked for each node once.
pub(super) fn grow(
    trees: &mut Trees,
    covers: &mut Covers,
    output: u32,
    (root, count): (usize, usize),
    mut node: impl FnMut(&mut Trees, usize) -> Result<Node>,
) -> Result<()> {
    let (first_node, first_leaf) = (trees.feature.len(), covers.leaf.len());
    let mut seen = vec![false; count];
    let mut open = vec![(root, None, 0)];
    while let Some((id, parent, depth)) = open.pop() {
        let place = || format!("tree {}, node {id}", trees.len());
        match seen.get_mut(id) {
            None => return Err(Error::new("a node leads there, but there is none").at(place())),
            Some(true) => {
                let what = "two nodes lead there: a cycle, or two parents";
                return Err(Error::new(what).at(place()));
            }
            Some(seen) => *seen = true,
        }
        if depth > DEPTH_MAX {
            return Err(Error::new(format!("deeper than {DEPTH_MAX} levels")).at(place()));
        }
        let at_tree = trees.len();
        let told = node(trees, id).map_err(|error| match error.place() {
            Some(_) => error,
            None => error.at(format!("tree {at_tree}, node {id}")),
        })?;
        let child = match told {
            Node::Leaf { cover } => {
                covers.leaf.push(cover);
                Child::leaf((covers.leaf.len() - 1 - first_leaf) as u32)
            }
            Node::Split { feature, threshold, rule, left, right, cover } => {
                let index = trees.feature.len() - first_node;
                trees.feature.push(feature);
                trees.threshold.push(threshold);
                trees.rule.push(rule);
                // Filled in when the children come.
                trees.left.push(Child::node(0));
                trees.right.push(Child::node(0));
                covers.node.push(cover);
                open.push((right, Some((index, false)), depth + 1));
                open.push((left, Some((index, true)), depth + 1));
                Child::node(index as u32)
            }
        };
        if let Some((parent, is_left)) = parent {
            let side = if is_left { &mut trees.left } else { &mut trees.right };
            side[first_node + parent] = child;
        }
    }
    trees.end_tree(output);
    Ok(())
}

/// Words of 64 categories that all sets of a model may have (128 MiB): a set is as long as its
/// greatest category says, whatever the size of the file.
const SET_WORDS_MAX: usize = 1 << 24;

/// Adds a set of categories, and gives its number; equal neighbours share one.
///
/// # Errors
/// Where there are more words than [`SET_WORDS_MAX`].
pub(super) fn add_set(trees: &mut Trees, set: Vec<u64>) -> Result<u32> {
    if trees.sets.last() != Some(&set) {
        // Short sets take no more memory than some times their file.
        let is_long = |set: &Vec<u64>| set.len() > 64;
        let words = || trees.sets.iter().filter(|set| is_long(set)).map(Vec::len).sum::<usize>();
        if is_long(&set) && words() + set.len() > SET_WORDS_MAX {
            let error = Error::new("the sets of categories take more than 128 MiB");
            return Err(error.advise("number the categories from 0 without gaps, and train again"));
        }
        trees.sets.push(set);
    }
    Ok((trees.sets.len() - 1) as u32)
}

/// Largest category that a model may name: bits up to it are 2 MiB (XGBoost's own limit).
pub(super) const CATEGORY_MAX: u64 = 1 << 24;

/// A set of categories from their numbers.
///
/// # Errors
/// Where one is above [`CATEGORY_MAX`].
pub(super) fn set_of(categories: impl Iterator<Item = u64>) -> Result<Vec<u64>> {
    let mut set = Vec::new();
    for category in categories {
        if category > CATEGORY_MAX {
            return Err(Error::new(format!("category {category} is above {CATEGORY_MAX}")));
        }
        let word = (category / 64) as usize;
        if set.len() <= word {
            set.resize(word + 1, 0);
        }
        set[word] |= 1 << (category % 64);
    }
    Ok(set)
}

/// Weights of inner nodes as the sums of their children's, for files that tell them of leaves
/// only, or not at all.
pub(super) fn add_covers(trees: &Trees, covers: &mut Covers) {
    for tree in 0..trees.len() {
        let (nodes, first_leaf) = (trees.nodes_of(tree), trees.leaves_of(tree).start);
        // [`grow`] numbers parents before their children.
        for node in nodes.clone().rev() {
            let cover = |child: Child| match child.get() {
                Ok(node) => covers.node[nodes.start + node],
                Err(leaf) => covers.leaf[first_leaf + leaf],
            };
            covers.node[node] = cover(trees.left[node]) + cover(trees.right[node]);
        }
    }
}
