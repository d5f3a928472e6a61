//! The trees known of logs, and what another tree of the same log is in their light: pins of the state, pins, ends and cosigned checkpoints of
//! a kit. Not here: signatures on checkpoints, which are verified before a tree is known.

use sealtrace_tlog::{RootHash, SignedCheckpoint, TreeHead, TreeSize};

use crate::consistency::ConsistencyBody;
use crate::kit::Kit;

/// What knowledge of a tree rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownBy {
    /// A pin that this state keeps.
    State,
    /// A pin of the kit.
    Kit,
    /// The kit says that the log ends there.
    Frozen,
    /// A site checkpoint that the kit brings back, cosigned or not.
    Courier,
}

impl KnownBy {
    /// In words.
    pub fn words(&self) -> &'static str {
        match self {
            Self::State => "pinned here",
            Self::Kit => "pinned by the kit",
            Self::Frozen => "the end of the log, as the kit says",
            Self::Courier => "brought back by the kit",
        }
    }
}

/// A tree that a log is known to have had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownTree {
    /// The log.
    pub origin: String,
    /// Size and root.
    pub tree: TreeHead,
    /// The checkpoint, verbatim.
    pub checkpoint: String,
    /// From where.
    pub by: KnownBy,
}

impl KnownTree {
    /// From a checkpoint whose signature was verified.
    pub fn new(checkpoint: &SignedCheckpoint, by: KnownBy) -> Self {
        let said = checkpoint.checkpoint();
        Self { origin: said.origin.clone(), tree: said.tree, checkpoint: checkpoint.text().to_owned(), by }
    }

    /// A tree that must not be undercut: everything but what a courier brought.
    fn is_pin(&self) -> bool {
        self.by != KnownBy::Courier
    }
}

/// What a tree is in the light of the known ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is known of this log.
    Unknown,
    /// It is a known tree.
    Same(KnownTree),
    /// The kit proves that a known tree begins with it.
    Within(KnownTree),
    /// It is larger than every known tree; whether it begins with the largest is still to be proven.
    Ahead(KnownTree),
    /// A larger tree is known, not by a pin, and nothing proves that it begins with this one.
    Unproven(KnownTree),
    /// It is smaller than a pin, and nothing proves that the pinned tree begins with it.
    Behind(KnownTree),
    /// The known tree has the same size and another root.
    Fork(KnownTree),
    /// The log ended before.
    BeyondEnd(KnownTree),
    /// The kit's proof to the known tree does not hold for it: the log was rewritten.
    Rewritten(KnownTree, Box<ConsistencyBody>),
}

/// Every tree known of a log: those of the kit, then those of the state.
pub(crate) fn known_by_kit(kit: &Kit) -> Vec<KnownTree> {
    let parsed = |text: &str, by| SignedCheckpoint::parse(text).ok().map(|checkpoint| KnownTree::new(&checkpoint, by));
    let pins = kit.pins.iter().filter_map(|pin| parsed(&pin.checkpoint, KnownBy::Kit));
    let ends = kit.frozen.iter().filter_map(|frozen| parsed(&frozen.checkpoint, KnownBy::Frozen));
    let couriers = kit.checkpoints.iter().filter_map(|text| parsed(text, KnownBy::Courier));
    pins.chain(ends).chain(couriers).collect()
}

/// What `tree` of `origin` is, given what is known and the kit's proofs.
pub(crate) fn standing(origin: &str, tree: &TreeHead, known: &[KnownTree], proofs: &[(String, ConsistencyBody)]) -> Standing {
    let of_log = || known.iter().filter(|one| one.origin == origin);
    if let Some(fork) = of_log().find(|one| one.tree.size == tree.size && one.tree.root != tree.root) {
        return Standing::Fork(fork.clone());
    }
    if let Some(end) = of_log().find(|one| one.by == KnownBy::Frozen && one.tree.size < tree.size) {
        return Standing::BeyondEnd(end.clone());
    }
    if let Some(same) = of_log().find(|one| one.tree == *tree) {
        return Standing::Same(same.clone());
    }
    // The empty tree is the beginning of every log.
    if tree.size == TreeSize(0) && tree.root == RootHash::empty() {
        return of_log().next().map_or(Standing::Unknown, |one| Standing::Within(one.clone()));
    }
    let mut within = None;
    for (_, body) in proofs.iter().filter(|(of, body)| of == origin && body.old_size() == tree.size.0) {
        let newer = body.checkpoint().checkpoint().tree;
        let Some(target) = of_log().find(|one| one.tree == newer) else { continue };
        match body.verify(tree) {
            Ok(()) => within = within.or(Some(target)),
            Err(_) => return Standing::Rewritten(target.clone(), Box::new(body.clone())),
        }
    }
    if let Some(target) = within {
        return Standing::Within(target.clone());
    }
    if let Some(pin) = of_log().filter(|one| one.is_pin() && one.tree.size > tree.size).max_by_key(|one| one.tree.size) {
        return Standing::Behind(pin.clone());
    }
    match of_log().max_by_key(|one| one.tree.size) {
        None => Standing::Unknown,
        Some(largest) if largest.tree.size < tree.size => Standing::Ahead(largest.clone()),
        Some(largest) => Standing::Unproven(largest.clone()),
    }
}
