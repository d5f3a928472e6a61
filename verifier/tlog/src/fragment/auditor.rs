//! The auditor of notes/trust: seven steps in their order, from a fragment and what a site knows of its own to a new pin.
//!
//! Not here: keeping the pin, and what a policy asks of log witnesses; both come in as arguments.

use super::Fragment;
use super::claim::{AuditError, AuditedEntry, EntryClaim};
use super::error::FragmentError;
use super::verified::VerifiedFragment;
use crate::checkpoint::{LogKey, Origin, SignedCheckpoint};
use crate::hash::TreeHead;

/// The steps of the audit, in the order made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuditStep {
    /// 1: the checkpoint is the log's, by name, key and quorum.
    Checkpoint,
    /// 2: the right edge makes the signed root.
    RightEdge,
    /// 3: every other tile is a node of a tile above it.
    Tiles,
    /// 4: the recomputed entries are the leaves in the tiles.
    Leaf,
    /// 5: the paths that the tiles give hold, and are those stated.
    Path,
    /// 6: the tree begins with every pinned tree, root by root.
    Consistency,
    /// 7: the pin moves, and only forward.
    Advance,
}

impl AuditStep {
    /// All, in order.
    pub const ALL: [Self; 7] = [Self::Checkpoint, Self::RightEdge, Self::Tiles, Self::Leaf, Self::Path, Self::Consistency, Self::Advance];

    /// Its id in a verdict.
    pub fn id(self) -> &'static str {
        match self {
            Self::Checkpoint => "fragment-checkpoint",
            Self::RightEdge => "fragment-right-edge",
            Self::Tiles => "fragment-tiles",
            Self::Leaf => "fragment-leaf",
            Self::Path => "fragment-inclusion",
            Self::Consistency => "fragment-consistency",
            Self::Advance => "fragment-advance",
        }
    }
}

/// Too few log witnesses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("log-witness quorum: {reason}")]
pub struct QuorumError {
    /// What the policy asked for and what there was.
    pub reason: String,
}

/// Holds a checkpoint against a policy's quorum.
pub type QuorumCheck<'a> = &'a dyn Fn(&SignedCheckpoint) -> Result<(), QuorumError>;

/// What the policy asks of log witnesses.
#[derive(Clone, Copy)]
pub enum QuorumRule<'a> {
    /// Nothing: the log's own signature is enough.
    None,
    /// This must hold.
    Required(QuorumCheck<'a>),
}

impl std::fmt::Debug for QuorumRule<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Required(_) => "Required",
        })
    }
}

/// What the auditor knows from elsewhere than the fragment.
#[derive(Debug, Clone, Copy)]
pub struct AuditTerms<'a> {
    /// The log by the policy: its name and key.
    pub log: &'a LogKey,
    /// What the policy asks of log witnesses.
    pub quorum: QuorumRule<'a>,
    /// The log entries of the bundles at hand.
    pub claims: &'a [EntryClaim<'a>],
    /// The trees of this log that the site has believed so far.
    pub pins: &'a [TreeHead],
}

impl Fragment {
    /// Makes all seven steps. Everything that the fragment carries is verified too, asked for or not.
    ///
    /// # Errors
    /// [`AuditError`], which names its step.
    pub fn audit(&self, terms: &AuditTerms<'_>) -> Result<AuditedFragment, AuditError> {
        let at = |step| move |source: FragmentError| AuditError::Fragment { step, source };
        self.verify_checkpoint(terms.log).map_err(at(AuditStep::Checkpoint))?;
        if let QuorumRule::Required(check) = terms.quorum {
            check(&self.checkpoint)?;
        }
        let edge = self.with_right_edge().map_err(at(AuditStep::RightEdge))?;
        let fragment = edge.with_other_tiles().map_err(at(AuditStep::Tiles))?;
        fragment.check_leaves().map_err(at(AuditStep::Leaf))?;
        let leaves: Vec<_> = terms.claims.iter().map(|claim| fragment.audit_leaf(claim)).collect::<Result<_, _>>()?;
        fragment.check_paths().map_err(at(AuditStep::Path))?;
        let claims = terms.claims.iter().zip(leaves);
        let entries = claims.map(|(claim, leaf)| fragment.audit_path(claim, leaf)).collect::<Result<_, _>>()?;
        fragment.check_pins(terms.log).map_err(at(AuditStep::Consistency))?;
        let (ahead, behind): (Vec<_>, Vec<_>) = terms.pins.iter().partition(|pin| pin.size > fragment.tree().size);
        for pin in behind.into_iter().chain(ahead) {
            fragment.consistency_with(pin)?;
        }
        let pin = AdvancedPin { origin: terms.log.origin.clone(), checkpoint: self.checkpoint.clone(), from: terms.pins.to_vec() };
        Ok(AuditedFragment { fragment, entries, pin })
    }
}

/// A fragment that passed the whole audit, with what came of it.
#[derive(Debug, Clone)]
pub struct AuditedFragment {
    fragment: VerifiedFragment,
    entries: Vec<AuditedEntry>,
    pin: AdvancedPin,
}

impl AuditedFragment {
    /// The fragment.
    pub fn fragment(&self) -> &VerifiedFragment {
        &self.fragment
    }

    /// The claims that were audited, in their order.
    pub fn entries(&self) -> &[AuditedEntry] {
        &self.entries
    }

    /// What the site may believe of the log from now on.
    pub fn pin(&self) -> &AdvancedPin {
        &self.pin
    }
}

/// A tree of a log that continues every tree pinned before. Only an audit makes one:
///
/// ```compile_fail,E0451
/// use sealtrace_tlog::{AdvancedPin, Origin, SignedCheckpoint};
/// fn forge(origin: Origin, checkpoint: SignedCheckpoint) -> AdvancedPin {
///     AdvancedPin { origin, checkpoint, from: Vec::new() }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvancedPin {
    origin: Origin,
    checkpoint: SignedCheckpoint,
    from: Vec<TreeHead>,
}

impl AdvancedPin {
    /// The log.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The tree to pin.
    pub fn tree(&self) -> TreeHead {
        self.checkpoint.checkpoint().tree
    }

    /// The checkpoint that signs it, verbatim: evidence, should the log ever show another.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// The pins that it was shown to continue; empty at first contact.
    pub fn continues(&self) -> &[TreeHead] {
        &self.from
    }
}
