//! A log's tree against the trees known of it: rollback, fork, rewriting, growth without proof. What contradicts is exhibited.

use sealtrace_digest::FileSha256;
use sealtrace_tlog::{PinError, VerifiedFragment};
use sealtrace_trust::{KnownTree, Standing};
use sealtrace_verdict::{Checks, Exhibit};

use crate::log::LogPosition;

/// Hex digits of a digest in the name of an exhibit.
const NAME_DIGITS: usize = 12;

/// `pin`: no known tree speaks against this one. `pin-consistency`: where one is larger than the other, the smaller is its beginning.
/// Returns whether growth from a known tree was proven.
pub(crate) fn check_growth(log: &LogPosition, standing: &Standing, fragment: Option<&VerifiedFragment>, checks: &mut Checks) -> bool {
    let shown = |known: &KnownTree| format!("size {} root {} ({})", known.tree.size, known.tree.root.hex(), known.by.words());
    let found = format!("size {} root {}", log.tree.size, log.tree.root.hex());
    match standing {
        Standing::Unknown => {
            checks.skipped("pin", "nothing is known of this log yet");
            checks.skipped("pin-consistency", "nothing is known of this log yet");
        }
        Standing::Same(known) => {
            checks.pass("pin", &shown(known));
            checks.skipped("pin-consistency", "the tree is a known one");
        }
        Standing::Within(known) => {
            checks.pass("pin", &shown(known));
            checks.pass("pin-consistency", &format!("size {} is the beginning of {}", log.tree.size, known.tree.size));
        }
        Standing::Ahead(known) => {
            checks.pass("pin", &found);
            return check_ahead(log, known, fragment, checks);
        }
        Standing::Unproven(known) => {
            checks.pass("pin", &found);
            let reason = format!("no proof that size {} is the beginning of {}: it comes with a later kit", log.tree.size, shown(known));
            checks.skipped("pin-consistency", &reason);
        }
        Standing::Behind(known) => {
            checks.differ(
                "pin",
                &shown(known),
                &found,
                "rollback: the tree is smaller than a known one, and the kit has no proof that it is its beginning",
            );
            exhibit_both(log, known, checks);
        }
        Standing::Fork(known) => {
            checks.differ("pin", &shown(known), &found, "fork: the log has shown two trees of one size");
            exhibit_both(log, known, checks);
        }
        Standing::BeyondEnd(known) => {
            checks.differ("pin", &shown(known), &found, "the log grew after its end");
            exhibit_both(log, known, checks);
        }
        Standing::Rewritten(known, proof) => {
            checks.pass("pin", &found);
            checks.differ(
                "pin-consistency",
                &shown(known),
                &found,
                "the proof of the kit does not lead from this tree to the known one: the log was rewritten",
            );
            exhibit_both(log, known, checks);
            exhibit(log.origin(), known.tree.size.0, "consistency", proof.encode().as_bytes(), checks);
        }
    }
    false
}

/// Whether the tree begins with the largest known one, by the tiles that came with it.
fn check_ahead(log: &LogPosition, known: &KnownTree, fragment: Option<&VerifiedFragment>, checks: &mut Checks) -> bool {
    let (older, newer) = (known.tree.size, log.tree.size);
    let Some(fragment) = fragment else {
        checks.skipped("pin-consistency", &format!("no proof that the tree of size {newer} begins with the known one of size {older}"));
        return false;
    };
    match fragment.consistency_with(&known.tree) {
        Ok(_) => {
            checks.pass("pin-consistency", &format!("size {newer} begins with the known tree of size {older}"));
            true
        }
        Err(error @ (PinError::Root { .. } | PinError::Proof { .. })) => {
            checks.fail("pin-consistency", &format!("the log was rewritten: {error}"));
            exhibit_both(log, known, checks);
            false
        }
        Err(error) => {
            let next = "ask for a kit with the proof, or for the bundle with a newer fragment";
            checks.undecided(
                "pin-consistency",
                &format!("nothing shows whether size {newer} begins with the known tree of size {older}: {error}; {next}"),
            );
            false
        }
    }
}

/// Keeps the two checkpoints that do not go together.
pub(crate) fn exhibit_both(log: &LogPosition, known: &KnownTree, checks: &mut Checks) {
    exhibit(log.origin(), known.tree.size.0, "known.checkpoint", known.checkpoint.as_bytes(), checks);
    exhibit(log.origin(), log.tree.size.0, "found.checkpoint", log.checkpoint().as_bytes(), checks);
}

/// `<log>-<size>-<content>.<what>`, so that the same evidence is one file.
fn exhibit(origin: &str, size: u64, what: &str, bytes: &[u8], checks: &mut Checks) {
    let short = |bytes: &[u8]| FileSha256::of(bytes).hex().chars().take(NAME_DIGITS).collect::<String>();
    checks.exhibit(Exhibit { name: format!("{}-{size}-{}.{what}", short(origin.as_bytes()), short(bytes)), bytes: bytes.to_vec() });
}
