//! What cosignatures on a checkpoint are worth under the kit's tlog-policy.

use std::collections::BTreeMap;

use sealtrace_tlog::{Note, NoteSignature, PolicyRefusal, QuorumMet, SignedCheckpoint, TlogPolicy, VerifiedCheckpoint};
use sealtrace_verdict::UnixTime;

use crate::kit::{KitWitness, Placement};
use crate::trust::Trust;

/// A checkpoint whose cosignatures meet the quorum of the kit's tlog-policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// Outside when log witnesses outside meet the quorum alone.
    pub placement: Placement,
    /// By when the quorum had been reached, by the cosignatures' own times: everything in the tree existed then.
    pub existed_by: Option<UnixTime>,
    /// A time that the present is not before.
    pub at_least: Option<UnixTime>,
    /// Whose cosignatures were found, by their names in the policy.
    pub witnesses: Vec<String>,
    /// Size of the tree.
    pub size: u64,
}

/// What a kit says of log witnesses.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cosigners {
    policy: TlogPolicy,
    placements: BTreeMap<String, Placement>,
}

// A policy is equal to itself: it holds keys, and no number that is not.
impl Eq for Cosigners {}

impl Cosigners {
    pub(crate) fn new(policy: TlogPolicy, witnesses: &[KitWitness]) -> Self {
        Self { policy, placements: witnesses.iter().map(|witness| (witness.name.clone(), witness.placement)).collect() }
    }

    /// A log witness of which the kit does not say where it stands is taken for one of the site.
    fn is_outside(&self, name: &str) -> bool {
        self.placements.get(name) == Some(&Placement::Outside)
    }

    /// The checkpoint without the lines of the site's own log witnesses.
    fn without_peers(&self, checkpoint: &SignedCheckpoint) -> Option<SignedCheckpoint> {
        let note = checkpoint.note();
        let by_peer = |line: &&NoteSignature| {
            self.policy.witnesses().any(|(name, witness)| !self.is_outside(name) && witness.key().key().is_named_by(line))
        };
        let signatures = note.signatures.iter().filter(|line| !by_peer(line)).cloned().collect();
        SignedCheckpoint::parse(&Note { text: note.text.clone(), signatures }.encode()).ok()
    }
}

impl Trust {
    /// Whether a kit says which log witnesses count.
    pub fn has_cosigners(&self) -> bool {
        self.cosigners.as_ref().is_some_and(|cosigners| cosigners.policy.needs_witnesses())
    }

    /// What the cosignatures of a log's checkpoint are worth; `None` where the kit has no tlog-policy that asks for any.
    ///
    /// # Errors
    /// [`PolicyRefusal`]; of these [`PolicyRefusal::Quorum`] says only that more are needed.
    pub fn cosigned(&self, checkpoint: &str) -> Result<Option<Cosigned>, PolicyRefusal> {
        let Some(cosigners) = self.cosigners.as_ref().filter(|cosigners| cosigners.policy.needs_witnesses()) else { return Ok(None) };
        let opened = |checkpoint: &SignedCheckpoint| -> Option<VerifiedCheckpoint> {
            let log = self.log_by_origin(&checkpoint.checkpoint().origin)?;
            checkpoint.open(&log.note_key().ok()?).ok()
        };
        // The caller has verified the log's signature; what is not a trusted log's is cosigned by nobody.
        let Some(signed) = SignedCheckpoint::parse(checkpoint).ok() else { return Ok(None) };
        let Some(own) = opened(&signed) else { return Ok(None) };
        let met: QuorumMet = cosigners.policy.check_opened(&own)?;
        let outside = cosigners.without_peers(&signed).and_then(|outside| opened(&outside));
        let outside = outside.and_then(|outside| cosigners.policy.check_opened(&outside).ok());
        // Where outsiders alone are enough, their times alone count.
        let (placement, counted) = outside.as_ref().map_or((Placement::Peer, &met), |outside| (Placement::Outside, outside));
        Ok(Some(Cosigned {
            placement,
            existed_by: counted.existed_by(),
            at_least: counted.at_least(),
            witnesses: counted.witnesses().iter().map(|witness| witness.name().to_owned()).collect(),
            size: own.tree().size.0,
        }))
    }
}
