//! Kits: what is one, which one follows which, what a folder with one is.

use super::maker::{Log, file, kit, public, signed};
use crate::kit::{Fingerprint, Kit, KitDraft, KitError, KitRefused, SignedKit, accept, changes};
use crate::{Denied, DeniedKind, KIT_FILE, Memory, PinChain, Standing, TRUSTED_ROOT_FILE, Trust, TrustError};

const GOLDEN: &[u8] = include_bytes!("golden-kit.json");

fn next(of: &SignedKit) -> Kit {
    Kit { sequence: of.kit().sequence + 1, previous: Some(of.digest()), ..of.kit().clone() }
}

#[test]
fn the_bytes_of_a_kit_are_those_of_the_golden_file() {
    let made = file(&kit(), &[10, 11]);
    assert_eq!(String::from_utf8_lossy(&made), String::from_utf8_lossy(GOLDEN));
    assert_eq!(SignedKit::parse(GOLDEN).unwrap().kit(), &kit());
}

#[test]
fn a_kit_needs_its_own_threshold_of_valid_signatures() {
    assert!(matches!(SignedKit::parse(&file(&kit(), &[10])), Err(KitError::Unsigned { needed: 2, found: 1 })));
    assert!(matches!(SignedKit::parse(&file(&kit(), &[10, 10])), Err(KitError::Unsigned { needed: 2, found: 1 })));
    assert!(matches!(SignedKit::parse(&file(&kit(), &[10, 13])), Err(KitError::Unsigned { needed: 2, found: 1 })));
    assert!(SignedKit::parse(&file(&kit(), &[10, 12, 13])).is_ok());
    let other = Kit { threshold: 1, ..kit() };
    let foreign = KitDraft::parse(&file(&other, &[10, 11])).unwrap();
    let forged = SignedKit::file(&kit().encode().unwrap(), foreign.signatures().to_vec()).unwrap();
    assert!(matches!(SignedKit::parse(&forged), Err(KitError::Signature { .. })));
}

#[test]
fn a_draft_may_lack_signatures_says_who_may_still_sign_and_has_no_wrong_one() {
    let draft = KitDraft::parse(&file(&kit(), &[10, 13])).unwrap();
    assert!(!draft.own().is_reached());
    assert_eq!(draft.own().signed.iter().copied().collect::<Vec<_>>(), [public(10).key_id()]);
    assert_eq!(draft.own().open, [public(11).key_id(), public(12).key_id()].into());
    assert!(KitDraft::parse(&file(&kit(), &[10, 11])).unwrap().own().is_reached());
    let foreign = KitDraft::parse(&file(&Kit { threshold: 1, ..kit() }, &[10])).unwrap();
    let forged = SignedKit::file(draft.payload(), foreign.signatures().to_vec()).unwrap();
    assert!(matches!(KitDraft::parse(&forged), Err(KitError::Signature { .. })));
}

#[test]
fn every_byte_of_a_kit_matters() {
    let bytes = file(&kit(), &[10, 11]);
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        assert!(SignedKit::parse(&flipped).is_err(), "byte {at} of {}", bytes.len());
        assert!(SignedKit::parse(&bytes[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn what_is_unsound_is_no_kit() {
    type Change = fn(&mut Kit);
    let changes: [(&str, Change); 14] = [
        ("version", |kit| kit.kit_version = 1),
        ("sequence without previous", |kit| kit.sequence = 2),
        ("no keys", |kit| kit.keys.clear()),
        ("threshold above the keys", |kit| kit.threshold = 4),
        ("no threshold", |kit| kit.threshold = 0),
        ("a key twice", |kit| kit.keys.push(kit.keys[0].clone())),
        ("a key under another id", |kit| kit.keys[0].key_id = public(1).key_id()),
        ("a signer twice", |kit| kit.signers.push(kit.signers[0].clone())),
        ("a site without its log", |kit| kit.sites[0].origin = "example.org/log".to_owned()),
        ("a site without its signer", |kit| kit.sites[0].signer_keys = vec![public(9).key_id()]),
        ("a pin of another size", |kit| kit.pins[0].size = 4),
        ("a pin by a foreign key", |kit| kit.pins[0].checkpoint = Log { key: 9, ..Log::honest() }.checkpoint(5).text().to_owned()),
        ("a proof to another size", |kit| kit.consistency[0].to = 6),
        ("an artifact with a time", |kit| {
            kit.deny.push(Denied {
                kind: DeniedKind::Artifact,
                digest: sealtrace_digest::FileSha256::of(b"x"),
                compromise_time: Some(kit.reference_time),
                log_index: None,
                reason: "r".to_owned(),
            });
        }),
    ];
    for (what, change) in changes {
        let mut kit = kit();
        change(&mut kit);
        assert!(Kit::parse(&kit.encode().unwrap()).is_err(), "{what}");
    }
}

#[test]
fn a_first_kit_needs_its_fingerprint_and_no_other() {
    let kit = signed(&kit(), &[10, 11]);
    assert!(matches!(accept(kit.clone(), None, None), Err(KitRefused::FingerprintNeeded)));
    let other = Fingerprint::parse(&crate::kit::KitDigest::of(b"other").hex()).unwrap();
    assert!(matches!(accept(kit.clone(), None, Some(&other)), Err(KitRefused::FingerprintWrong)));
    assert!(!KitRefused::FingerprintWrong.to_string().contains(&kit.digest().hex()), "the right one would be copied");
    for text in [kit.digest().hex(), kit.digest().words()] {
        assert!(!accept(kit.clone(), None, Some(&Fingerprint::parse(&text).unwrap())).unwrap().is_installed_already());
    }
}

#[test]
fn a_later_kit_follows_the_installed_one_with_a_threshold_of_its_keys() {
    let first = signed(&kit(), &[10, 11]);
    let second = next(&first);
    assert_eq!(accept(signed(&second, &[10, 12]), Some(&first), None).unwrap().kit().kit(), &second);
    assert!(accept(first.clone(), Some(&first), None).unwrap().is_installed_already());

    // New keys, signed by them alone: the old keys did not agree.
    let mut rotated = second.clone();
    let new = |scalar| crate::kit::KitKey { key_id: public(scalar).key_id(), public_key: public(scalar).to_pem().unwrap() };
    (rotated.keys, rotated.threshold) = (vec![new(20), new(10)], 1);
    assert!(matches!(accept(signed(&rotated, &[20]), Some(&first), None), Err(KitRefused::Threshold { needed: 2, found: 0, .. })));
    assert!(matches!(accept(signed(&rotated, &[20, 10]), Some(&first), None), Err(KitRefused::Threshold { needed: 2, found: 1, .. })));
    assert!(accept(signed(&rotated, &[20, 10, 11]), Some(&first), None).is_ok());

    let second = signed(&second, &[10, 11]);
    assert!(matches!(accept(first.clone(), Some(&second), None), Err(KitRefused::NotNewer { installed: 2, offered: 1 })));
    let fork = Kit { reference_time: "2026-11-02T00:00:00Z".parse().unwrap(), ..second.kit().clone() };
    assert!(matches!(accept(signed(&fork, &[10, 11]), Some(&second), None), Err(KitRefused::NotNewer { installed: 2, offered: 2 })));
    let third = next(&second);
    assert!(matches!(accept(signed(&third, &[10, 11]), Some(&first), None), Err(KitRefused::Gap { installed: 1, offered: 3 })));
    let other = Kit { sequence: 3, previous: Some(signed(&fork, &[10, 11]).digest()), ..fork };
    assert!(matches!(accept(signed(&other, &[10, 11]), Some(&second), None), Err(KitRefused::Forked { .. })));
    let back = Kit { reference_time: "2025-01-01T00:00:00Z".parse().unwrap(), ..third };
    assert!(matches!(accept(signed(&back, &[10, 11]), Some(&second), None), Err(KitRefused::Backwards { .. })));
}

#[test]
fn a_folder_with_a_kit_is_what_follows_from_it_and_nothing_else() {
    let kit = signed(&kit(), &[10, 11]);
    let trust = Trust::of_kit(kit.clone()).unwrap();
    let files = trust.files().unwrap();
    assert_eq!(files.iter().filter(|(name, _)| [KIT_FILE, TRUSTED_ROOT_FILE].contains(&name.as_str())).count(), 2);
    assert_eq!(Trust::parse(&files).unwrap(), trust);
    let alone = vec![(KIT_FILE.to_owned(), kit.bytes().to_vec())];
    assert_eq!(Trust::parse(&alone).unwrap(), trust);
    for at in 0..files.len() {
        let mut changed = files.clone();
        changed[at].1.push(b'\n');
        assert!(Trust::parse(&changed).is_err(), "{}", changed[at].0);
    }
    let mut more = files;
    more.push((crate::key_file_name(public(9).key_id()), public(9).to_pem().unwrap().into_bytes()));
    assert!(matches!(Trust::parse(&more), Err(TrustError::NotOfKit { .. })));
    let mut held = trust.clone();
    let mut offered = Trust::default();
    offered.add_signer(public(9));
    assert!(matches!(held.merge(&offered), Err(TrustError::HasKit)));
    assert_eq!(held, trust);
}

#[test]
fn a_difference_names_fields_and_what_came_and_went() {
    let (older, mut newer) = (kit(), kit());
    newer.threshold = 3;
    newer.signers.remove(1);
    let changes = changes(&older, &newer).unwrap();
    assert_eq!(changes.iter().map(|change| change.field.as_str()).collect::<Vec<_>>(), ["signers", "threshold"]);
    assert_eq!((changes[0].removed.len(), changes[0].added.len()), (1, 0));
}

#[test]
fn a_tree_is_told_from_every_other_that_the_kit_and_the_state_know() {
    let (honest, other) = (Log::honest(), Log { rewritten_from: 2, ..Log::honest() });
    let mut trust = Trust::of_kit(signed(&kit(), &[10, 11])).unwrap();
    let standing = |trust: &Trust, log: &Log, size| trust.standing(log.origin, &log.tree(size));
    assert!(matches!(standing(&trust, &honest, 5), Standing::Same(_)));
    assert!(matches!(standing(&trust, &honest, 3), Standing::Within(_)));
    assert!(matches!(standing(&trust, &other, 3), Standing::Rewritten(..)));
    assert!(matches!(standing(&trust, &other, 5), Standing::Fork(_)));
    assert!(matches!(standing(&trust, &honest, 4), Standing::Behind(_)));
    assert!(matches!(standing(&trust, &honest, 6), Standing::Ahead(_)));
    assert!(matches!(standing(&trust, &honest, 0), Standing::Within(_)));
    assert!(matches!(trust.standing("site.example/log", &honest.tree(3)), Standing::Unknown));

    let mut chain = PinChain::empty(honest.origin);
    for size in [4, 7] {
        let line = chain.next_line(&honest.checkpoint(size)).unwrap().unwrap();
        let held = [chain_bytes(&honest, &chain), line].concat();
        chain = PinChain::parse(&held, Some(honest.origin)).unwrap();
    }
    trust.remember(Memory { trees: chain.known().collect(), reference: None });
    assert!(matches!(standing(&trust, &honest, 4), Standing::Same(_)), "a tree that was pinned once stays known");
    assert!(matches!(standing(&trust, &honest, 6), Standing::Behind(_)));
    assert!(matches!(standing(&trust, &other, 7), Standing::Fork(_)));

    let frozen = crate::kit::KitFrozen { origin: honest.origin.to_owned(), checkpoint: honest.checkpoint(5).text().to_owned() };
    let trust = Trust::of_kit(signed(&Kit { frozen: vec![frozen], ..kit() }, &[10, 11])).unwrap();
    assert!(matches!(standing(&trust, &honest, 6), Standing::BeyondEnd(_)));

    let back = Kit { pins: Vec::new(), checkpoints: vec![honest.checkpoint(5).text().to_owned()], ..kit() };
    let trust = Trust::of_kit(signed(&back, &[10, 11])).unwrap();
    assert!(matches!(standing(&trust, &honest, 4), Standing::Unproven(_)), "what a courier brought is no pin");
    assert!(matches!(standing(&trust, &honest, 3), Standing::Within(_)));
    assert!(matches!(standing(&trust, &other, 3), Standing::Rewritten(..)));
}

/// The lines of a chain made again.
fn chain_bytes(log: &Log, chain: &PinChain) -> Vec<u8> {
    let mut bytes = Vec::new();
    for known in chain.known() {
        let held = PinChain::parse(&bytes, Some(log.origin)).unwrap();
        bytes.extend(held.next_line(&log.checkpoint(known.tree.size.0)).unwrap().unwrap());
    }
    bytes
}

#[test]
fn pins_are_a_chain_that_only_grows_and_a_torn_end_is_no_damage() {
    let log = Log::honest();
    let mut bytes = Vec::new();
    for size in [1, 3, 6] {
        let chain = PinChain::parse(&bytes, Some(log.origin)).unwrap();
        bytes.extend(chain.next_line(&log.checkpoint(size)).unwrap().unwrap());
        let again = PinChain::parse(&bytes, None).unwrap();
        assert_eq!((again.origin(), again.newest()), (log.origin, Some(log.tree(size))));
        assert_eq!(again.next_line(&log.checkpoint(size)).unwrap(), None, "no line for what is not larger");
    }
    assert_eq!(std::str::from_utf8(&bytes).unwrap().lines().count(), 3);
    let last = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for cut in last..bytes.len() {
        let torn = PinChain::parse(&bytes[..cut], None).unwrap();
        assert_eq!((torn.torn(), torn.newest()), (cut - last, Some(log.tree(3))), "cut at {cut}");
    }
    let mut undetected = Vec::new();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        let parsed = PinChain::parse(&flipped, Some(log.origin));
        // Without its newline the last line is one that a crash cut; it is not believed.
        if parsed.is_ok_and(|chain| chain.newest() == Some(log.tree(6))) {
            undetected.push(at);
        }
    }
    // A signature in the last line's checkpoint is followed by nothing that repeats its hash; what a pin says, size and root, is compared.
    let last_line = String::from_utf8(bytes[last..].to_vec()).unwrap();
    let signature = last + last_line.find("\\n\\n").unwrap();
    assert!(undetected.iter().all(|at| *at > signature), "{undetected:?} of {}", bytes.len());
    let swapped = [&bytes[last..], &bytes[..last]].concat();
    assert!(PinChain::parse(&swapped, None).is_err());
}
