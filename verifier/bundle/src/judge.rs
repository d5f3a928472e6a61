//! From a genuine statement to one that counts: what is known of its log, how far it can be trusted, when it was made, and the rules.
//!
//! Not here: signatures and proofs (`statement.rs`, `log.rs`), the rules themselves (`sealtrace-trust`).

use sealtrace_tlog::{PolicyRefusal, VerifiedFragment};
use sealtrace_trust::kit::Placement;
use sealtrace_trust::{Cosigned, KnownBy, KnownTree, Standing, Trust};
use sealtrace_verdict::{Assurance, Checks, UnixTime};

use crate::growth::{check_growth, exhibit_both};
use crate::log::LogPosition;
use crate::rules;
use crate::statement::{Genuine, VerifiedStatement};
use crate::time::{Bounds, check_window};

/// How far a statement's place in its log can be trusted, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) assurance: Assurance,
    pub(crate) bounds: Bounds,
    /// The largest authenticated time known, with what this statement shows.
    pub(crate) reference: Option<UnixTime>,
    /// A tree that nobody can rewrite unnoticed holds the entry.
    pub(crate) anchored: bool,
    /// Whether cosignatures meet the kit's tlog-policy.
    pub(crate) quorum: bool,
    /// The newest known tree that this one is not proven to belong to.
    pub(crate) unproven: Option<KnownTree>,
}

/// Makes every check that is about what else is known. `fragment`: the tiles that came with the statement.
pub(crate) fn judge(
    genuine: Genuine,
    fragment: Option<&VerifiedFragment>,
    trust: &Trust,
    checks: &mut Checks,
) -> Option<VerifiedStatement> {
    let (signed, log) = (genuine.signed?, genuine.log?);
    let failed = failures(checks);
    let mut place = place(&log, fragment, trust, checks);
    for time in signed.times() {
        place.reference = place.reference.max(Some(time.time));
        place.bounds.point(time.time, time.source.to_string());
    }
    check_window(&log, trust, &place.bounds, checks);
    rules::check(&signed, &log, &place, trust, checks);
    checks.narrow_time(&place.bounds.interval());
    (failures(checks) == failed).then(|| VerifiedStatement::new(signed, log, place.assurance))
}

fn failures(checks: &Checks) -> usize {
    checks.made().iter().filter(|check| check.outcome == sealtrace_verdict::Outcome::Fail).count()
}

/// `pin`, `pin-consistency`, `cosignatures`.
fn place(log: &LogPosition, fragment: Option<&VerifiedFragment>, trust: &Trust, checks: &mut Checks) -> Place {
    let standing = trust.standing(log.origin(), &log.tree);
    let grown = check_growth(log, &standing, fragment, checks);
    let mut place = Place {
        assurance: Assurance::LoggedLocally,
        bounds: Bounds::default(),
        reference: trust.reference_time(),
        anchored: false,
        quorum: false,
        unproven: None,
    };
    place.check_cosignatures(log, trust, checks);
    match &standing {
        Standing::Same(known) | Standing::Within(known) => place.anchor(known, trust),
        Standing::Ahead(known) if grown && log.index.0 < known.tree.size.0 => place.anchor(known, trust),
        Standing::Unproven(known) | Standing::Ahead(known) => place.unproven = Some(known.clone()),
        _ => {}
    }
    let minimum = trust.rules().minimum_assurance();
    if let Some(known) = place.unproven.as_ref().filter(|_| minimum.is_some_and(|minimum| place.assurance < minimum)) {
        exhibit_both(log, known, checks);
    }
    place
}

impl Place {
    /// `cosignatures`: no line by a known log witness is wrong; whether they are enough is for the rules.
    fn check_cosignatures(&mut self, log: &LogPosition, trust: &Trust, checks: &mut Checks) {
        match trust.cosigned(log.checkpoint()) {
            Ok(None) => {}
            Ok(Some(cosigned)) => {
                checks.pass("cosignatures", &format!("the kit's tlog-policy is met by {}", cosigned.witnesses.join(", ")));
                self.cosigned(&cosigned, log.origin(), Bounds::point);
            }
            Err(PolicyRefusal::Quorum(missed)) => {
                checks.skipped("cosignatures", &format!("of the checkpoint that came with the entry: {missed}"));
            }
            Err(refused) => checks.fail("cosignatures", &refused.to_string()),
        }
    }

    fn cosigned(&mut self, cosigned: &Cosigned, origin: &str, bound: fn(&mut Bounds, UnixTime, String)) {
        self.quorum = true;
        self.anchored = true;
        self.assurance = self.assurance.max(match cosigned.placement {
            Placement::Peer => Assurance::CosignedByPeer,
            Placement::Outside => Assurance::CosignedOutside,
        });
        self.reference = self.reference.max(cosigned.at_least);
        if let Some(time) = cosigned.existed_by {
            bound(&mut self.bounds, time, format!("cosignatures by {} over {origin} at {}", cosigned.witnesses.join(", "), cosigned.size));
        }
    }

    /// The entry is in a known tree.
    fn anchor(&mut self, known: &KnownTree, trust: &Trust) {
        self.anchored = true;
        if let Ok(Some(cosigned)) = trust.cosigned(&known.checkpoint) {
            self.cosigned(&cosigned, &known.origin, Bounds::cover);
        }
        if let Some(kit) = trust.kit().filter(|_| known.by != KnownBy::State) {
            let said = kit.kit();
            let source = format!("kit {} of {}, which knows {} at {}", said.sequence, said.reference_time, known.origin, known.tree.size);
            self.bounds.cover(said.reference_time, source);
        }
    }
}
