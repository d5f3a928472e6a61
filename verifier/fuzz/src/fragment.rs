//! The tile fragment: one form, and an audit that believes nothing but the known log.

use std::collections::BTreeMap;

use sealtrace_tlog::{AuditTerms, EntryClaim, Fragment, FragmentExtras, FragmentSource, LeafIndex, QuorumRule, TileId};

use crate::{keys, note, repair, tree};

/// As it is, with checksums that fit, and with a listing that fits.
pub(crate) fn run(data: &[u8]) {
    one(data);
    let repaired = repair::checksums(data);
    if repaired != data {
        one(&repaired);
    }
    if let Some(listed) = repair::listing(&repaired).filter(|listed| *listed != repaired) {
        one(&listed);
    }
}

fn one(data: &[u8]) {
    let Ok(fragment) = Fragment::parse(data) else { return };
    assert_eq!(fragment.encode().expect("what was parsed can be encoded"), data, "a fragment has one form");
    let log = keys::log();
    let verified = fragment.verify(&log);
    let pins = [tree::head(3)];
    for (claims, pins) in [(Vec::new(), &[][..]), (claims(&fragment), &pins[..])] {
        let audited = fragment.audit(&AuditTerms { log: &log, quorum: QuorumRule::None, claims: &claims, pins });
        if let Ok(audited) = &audited {
            let verified = verified.as_ref().expect("what an audit accepts, a verification accepts");
            assert_eq!(verified.tree(), audited.pin().tree());
            believe(&fragment, audited.pin().checkpoint().signed_text());
        }
        if claims.is_empty() && pins.is_empty() {
            assert_eq!(audited.is_ok(), verified.is_ok(), "an audit without terms is a verification");
        }
    }
}

/// Claims that are right, for the entries of the known log that the fragment shows.
fn claims(fragment: &Fragment) -> Vec<EntryClaim<'_>> {
    let tree = fragment.checkpoint().checkpoint().tree;
    let entries = fragment.entries().iter();
    entries.map(|(index, entry)| EntryClaim { index: LeafIndex(*index), body: &entry.body, tree, proof: &entry.proof }).collect()
}

/// All that an accepted fragment says is what the log has.
fn believe(fragment: &Fragment, signed: &str) {
    assert!(note::was_signed(signed), "a tree that the log never signed was accepted");
    let size = fragment.checkpoint().checkpoint().tree.size.0;
    for (&index, entry) in fragment.entries() {
        assert_eq!(entry.body, tree::entry(index), "an entry that is not in the log was accepted");
        assert_eq!(entry.proof, tree::path(index, size));
    }
    for (&size, pin) in fragment.pins() {
        assert_eq!(pin.checkpoint.checkpoint().tree, tree::head(size), "a pin of another tree was accepted");
    }
}

fn fragment(size: u64, shown: &[u64], pins: &[u64], with_bundles: bool) -> Vec<u8> {
    let (log, checkpoint, tiles) = (keys::log(), keys::checkpoint(tree::head(size), &[]), tree::tiles(size));
    let entries: BTreeMap<LeafIndex, Vec<u8>> = shown.iter().map(|&index| (LeafIndex(index), tree::entry(index))).collect();
    let pins: Vec<_> = pins.iter().map(|&pin| keys::checkpoint(tree::head(pin), &[])).collect();
    let tile = |id: &TileId| tiles.get(id).cloned().or_else(|| partial(id));
    let bundle = |id: &TileId| Some((id.index * 256..).take(usize::from(id.width)).map(tree::entry).collect());
    let source = FragmentSource { log: &log, checkpoint: &checkpoint, entries: &entries, tile: &tile };
    let extras = FragmentExtras { pins: &pins, entry_bundles: with_bundles.then_some(&bundle) };
    Fragment::build_with(&source, &extras).and_then(|fragment| fragment.encode()).expect("the log holds")
}

/// A tile of an earlier state.
fn partial(id: &TileId) -> Option<Vec<sealtrace_tlog::NodeHash>> {
    let size = tree::SIGNED_SIZES.into_iter().find(|&size| tree::tiles(size).contains_key(id))?;
    tree::tiles(size).get(id).cloned()
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    vec![
        fragment(5, &[2], &[], false),
        fragment(5, &[0, 4], &[3], true),
        fragment(5, &[], &[3], false),
        fragment(300, &[7], &[], false),
        fragment(300, &[299], &[256], false),
        fragment(300, &[], &[3, 5, 256], false),
        fragment(256, &[255], &[5], false),
    ]
}
