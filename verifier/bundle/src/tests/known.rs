//! What is known beside the bundle, broken alone: pins, kit proofs, cosignatures, time, deny list, ages, and every rule of a policy.

use ed25519_dalek::Signer as _;
use sealtrace_digest::FileSha256;
use sealtrace_envelope::{EnvelopeSignature, PublicKey, SigstoreBundle, encode_base64, pae};
use sealtrace_tlog::{Checkpoint, LeafHash, NodeAt, NodeHash, SignedCheckpoint, TreeHead, TreeSize, consistency_proof, root_of_leaves};
use sealtrace_trust::kit::{
    KIT_PAYLOAD_TYPE, Kit, KitConsistency, KitFrozen, KitKey, KitPin, KitSigner, KitWitness, Placement, SignedKit, Staleness,
};
use sealtrace_trust::{
    ConsistencyBody, Denied, DeniedKind, LogOrder, Memory, MinimumAssurance, Policy, RELEASE_PREDICATE, Role, Trust, TrustedLog,
    trusted_root_json,
};
use sealtrace_verdict::{Assurance, Conclusion, Outcome, UnixTime};

use super::scene::{Parts, Scene, log_key, public, sign, signing_key};
use super::{broken, failed, skipped};
use crate::SYMBOL_BUNDLE_PREDICATE;

const ORIGIN: &str = "example.org/log";
/// When the kits of these tests are made: seconds since 1970.
const KIT_TIME: u64 = 1_800_000_000;

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

/// The scene's log, grown to any size; `rewritten`: the entry that is another one.
fn leaves(size: u64, rewritten: Option<u64>) -> Vec<LeafHash> {
    let bundle = SigstoreBundle::parse(Scene::default().build().signature.as_ref().unwrap()).unwrap();
    let body = bundle.entries[0].canonicalized_body.clone();
    let entry = |number: u64| if number == 2 { body.clone() } else { format!("entry {number}").into_bytes() };
    (0..size).map(|number| LeafHash::of(&if rewritten == Some(number) { b"another".to_vec() } else { entry(number) })).collect()
}

fn checkpoint(leaves: &[LeafHash]) -> SignedCheckpoint {
    let tree = TreeHead { size: TreeSize(u64::try_from(leaves.len()).unwrap()), root: root_of_leaves(leaves) };
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), tree, extension: Vec::new() };
    let signature = sign(&signing_key(2), checkpoint.text().as_bytes());
    SignedCheckpoint::assemble(checkpoint, &log_key(2, ORIGIN), signature)
}

fn proof(older: u64, leaves: &[LeafHash]) -> KitConsistency {
    let node = |at: NodeAt| {
        let width = 1_u64 << at.level;
        let range = usize::try_from(at.index * width).ok()?..usize::try_from((at.index + 1) * width).ok()?;
        Some(NodeHash::from_bytes(*root_of_leaves(leaves.get(range)?).as_bytes()))
    };
    let newer = u64::try_from(leaves.len()).unwrap();
    let hashes = consistency_proof(TreeSize(older), TreeSize(newer), &node).unwrap();
    let body = ConsistencyBody::new(older, hashes, checkpoint(leaves)).encode();
    KitConsistency { origin: ORIGIN.to_owned(), from: older, to: newer, body }
}

fn pin(leaves: &[LeafHash]) -> KitPin {
    let checkpoint = checkpoint(leaves);
    let tree = checkpoint.checkpoint().tree;
    let root = FileSha256::from_bytes(*tree.root.as_bytes());
    KitPin { origin: ORIGIN.to_owned(), size: tree.size.0, root, checkpoint: checkpoint.text().to_owned() }
}

fn pem(key: &PublicKey) -> String {
    key.to_pem().unwrap()
}

/// A kit under which the scene's bundle verifies.
fn kit() -> Kit {
    let (signer, key) = (public(&signing_key(1)), public(&signing_key(10)));
    let root = trusted_root_json(&[TrustedLog::new(log_key(2, ORIGIN))]).unwrap();
    Kit {
        kit_version: 0,
        sequence: 1,
        previous: None,
        reference_time: at(KIT_TIME),
        keys: vec![KitKey { key_id: key.key_id(), public_key: pem(&key) }],
        threshold: 1,
        trusted_root: serde_json::from_slice(&root).unwrap(),
        signers: vec![KitSigner { key_id: signer.key_id(), public_key: pem(&signer), roles: vec![Role::parse(Role::RELEASE).unwrap()] }],
        sites: Vec::new(),
        tlog_policy: None,
        witnesses: Vec::new(),
        pins: Vec::new(),
        consistency: Vec::new(),
        frozen: Vec::new(),
        checkpoints: Vec::new(),
        deny: Vec::new(),
        staleness: Staleness { warn_after_seconds: Some(100), fail_after_seconds: Some(200) },
        policy: None,
    }
}

fn trust(kit: &Kit) -> Trust {
    let payload = kit.encode().unwrap();
    let sig = sign(&signing_key(10), &pae(KIT_PAYLOAD_TYPE, &payload));
    let signature = EnvelopeSignature { sig, keyid: public(&signing_key(10)).hint() };
    Trust::of_kit(SignedKit::parse(&SignedKit::file(&payload, vec![signature]).unwrap()).unwrap()).unwrap()
}

/// The scene's bundle under a kit with something changed.
fn under(change: impl FnOnce(&mut Kit)) -> Parts {
    let mut kit = kit();
    change(&mut kit);
    Parts { trust: trust(&kit), ..Scene::default().build() }
}

fn rejected(id: &str, parts: &Parts) {
    broken(id, Conclusion::Rejected, parts);
}

fn verified(parts: &Parts) -> sealtrace_verdict::Verdict {
    let (verdict, bundle) = parts.verify();
    assert!(bundle.is_some(), "{:?}", verdict.decisive());
    verdict
}

#[test]
fn a_bundle_verifies_under_a_kit_and_the_constants_of_both_crates_agree() {
    let verdict = verified(&under(|_| {}));
    assert_eq!(skipped(&verdict), ["pin", "pin-consistency", "log-key-window"]);
    assert_eq!(SYMBOL_BUNDLE_PREDICATE, RELEASE_PREDICATE);
}

#[test]
fn a_key_enrolled_for_something_else_seals_nothing() {
    rejected("policy-signer-role", &under(|kit| kit.signers[0].roles = vec![Role::parse(Role::SITE).unwrap()]));
    rejected("policy-signer-role", &under(|kit| kit.signers[0].roles.clear()));
}

#[test]
fn a_tree_that_contradicts_a_known_one_is_refused_with_both_checkpoints() {
    let evidence = |id: &str, parts: &Parts, count: usize| {
        rejected(id, parts);
        let (verdict, _) = parts.verify();
        assert_eq!(verdict.exhibits().len(), count, "{id}");
        assert!(
            verdict
                .exhibits()
                .iter()
                .all(|exhibit| SignedCheckpoint::parse_bytes(&exhibit.bytes).is_ok() || exhibit.name.ends_with("consistency"))
        );
    };
    evidence("pin", &under(|kit| kit.pins = vec![pin(&leaves(5, Some(0)))]), 2);
    evidence("pin", &under(|kit| kit.pins = vec![pin(&leaves(9, None))]), 2);
    let end = |size| KitFrozen { origin: ORIGIN.to_owned(), checkpoint: checkpoint(&leaves(size, None)).text().to_owned() };
    evidence("pin", &under(|kit| kit.frozen = vec![end(4)]), 2);
    evidence("pin-consistency", &under(|kit| kit.pins = vec![pin(&leaves(3, Some(0)))]), 2);
    let rewritten = leaves(9, Some(0));
    evidence("pin-consistency", &under(|kit| (kit.pins, kit.consistency) = (vec![pin(&rewritten)], vec![proof(5, &rewritten)])), 3);
}

#[test]
fn a_tree_that_goes_with_the_known_ones_verifies() {
    for parts in [
        under(|kit| kit.pins = vec![pin(&leaves(5, None))]),
        under(|kit| kit.pins = vec![pin(&leaves(3, None))]),
        under(|kit| (kit.pins, kit.consistency) = (vec![pin(&leaves(9, None))], vec![proof(5, &leaves(9, None))])),
        under(|kit| kit.frozen = vec![KitFrozen { origin: ORIGIN.to_owned(), checkpoint: checkpoint(&leaves(5, None)).text().to_owned() }]),
    ] {
        let verdict = verified(&parts);
        assert!(verdict.checks().iter().any(|check| check.id == "pin" && check.outcome == Outcome::Pass));
        assert_eq!(verdict.time().not_after.as_deref(), Some("2027-01-15T08:00:00Z"), "the kit knows a tree that holds the entry");
    }
    // Only the end of the tree is new: the pin says nothing of this entry.
    let early = verified(&under(|kit| kit.pins = vec![pin(&leaves(2, None))]));
    assert_eq!(early.time().not_after, None);
}

#[test]
fn what_is_denied_is_refused_unless_it_is_shown_to_be_older() {
    let denied = |kind, digest: FileSha256| Denied { kind, digest, compromise_time: None, log_index: None, reason: "stolen".to_owned() };
    let key = FileSha256::from_bytes(*public(&signing_key(1)).key_id().as_bytes());
    let log = FileSha256::from_bytes(*public(&signing_key(2)).key_id().as_bytes());
    let manifest = FileSha256::of(&Scene::default().build().manifest);
    rejected("deny-list", &under(|kit| kit.deny = vec![denied(DeniedKind::Key, key)]));
    rejected("deny-list", &under(|kit| kit.deny = vec![denied(DeniedKind::Key, log)]));
    rejected("deny-list", &under(|kit| kit.deny = vec![denied(DeniedKind::Artifact, manifest)]));
    verified(&under(|kit| kit.deny = vec![denied(DeniedKind::Key, FileSha256::of(b"other")), denied(DeniedKind::Certificate, key)]));

    let ordered = |index| Denied { log_index: Some(LogOrder { origin: ORIGIN.to_owned(), index }), ..denied(DeniedKind::Key, key) };
    rejected("deny-list", &under(|kit| kit.deny = vec![ordered(3)]));
    let pinned = |index| under(|kit| (kit.deny, kit.pins) = (vec![ordered(index)], vec![pin(&leaves(5, None))]));
    verified(&pinned(3));
    rejected("deny-list", &pinned(2));
    let timed = |seconds| Denied { compromise_time: Some(at(seconds)), ..denied(DeniedKind::Key, key) };
    rejected("deny-list", &under(|kit| kit.deny = vec![timed(KIT_TIME + 1)]));
    let pinned = |seconds| under(|kit| (kit.deny, kit.pins) = (vec![timed(seconds)], vec![pin(&leaves(5, None))]));
    verified(&pinned(KIT_TIME + 1));
    rejected("deny-list", &pinned(KIT_TIME));
}

#[test]
fn a_kit_ages_against_authenticated_time() {
    let aged = |seconds| {
        let mut parts = under(|_| {});
        parts.trust.remember(Memory { trees: Vec::new(), reference: Some(at(KIT_TIME + seconds)) });
        parts
    };
    let warnings =
        |parts: &Parts| verified(parts).checks().iter().filter(|check| check.outcome == Outcome::Pass && check.reason.is_some()).count();
    assert_eq!(warnings(&aged(100)), 0);
    assert_eq!(warnings(&aged(101)), 1);
    assert_eq!(warnings(&aged(200)), 1);
    rejected("kit-age", &aged(201));
}

#[test]
fn each_rule_of_a_policy_fails_alone() {
    let policy = |change: fn(&mut Policy)| {
        under(|kit| {
            let mut policy = Policy::by_role();
            change(&mut policy);
            kit.policy = Some(policy);
        })
    };
    rejected("policy-assurance", &policy(|policy| policy.minimum_assurance = MinimumAssurance::CosignedByPeer));
    rejected("policy-time", &policy(|policy| policy.require_time = true));
    rejected("policy-quorum", &policy(|policy| policy.require_quorum = true));
    rejected("policy-logs", &policy(|policy| policy.minimum_logs = 2));
    rejected("policy-timestamps", &policy(|policy| policy.minimum_timestamps = 1));
    let mut aged = policy(|policy| policy.maximum_kit_age_seconds = Some(10));
    verified(&aged);
    aged.trust.remember(Memory { trees: Vec::new(), reference: Some(at(KIT_TIME + 11)) });
    rejected("policy-kit-age", &aged);
    let mut without_kit = Scene::default().build();
    without_kit.trust.strengthen(Policy { maximum_kit_age_seconds: Some(10), ..Policy::default() });
    assert_eq!(without_kit.verify().0.conclusion(), Conclusion::Undecided);
}

/// A log witness: its vkey, and its line under a checkpoint.
struct Cosigner {
    key: ed25519_dalek::SigningKey,
    name: &'static str,
}

impl Cosigner {
    fn new(seed: u8, name: &'static str) -> Self {
        Self { key: ed25519_dalek::SigningKey::from_bytes(&[seed; 32]), name }
    }

    /// Type and public key, and the four bytes that name them (C2SP signed-note, tlog-cosignature).
    fn parts(&self) -> (Vec<u8>, Vec<u8>) {
        let typed = [&[4][..], self.key.verifying_key().as_bytes()].concat();
        let id = FileSha256::of(&[self.name.as_bytes(), b"\n", &typed].concat());
        (typed, id.as_bytes()[..4].to_vec())
    }

    fn vkey(&self) -> String {
        let (typed, id) = self.parts();
        format!("{}+{}+{}", self.name, id.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), encode_base64(&typed))
    }

    fn line(&self, checkpoint: &SignedCheckpoint, time: u64) -> String {
        let message = format!("cosignature/v1\ntime {time}\n{}", checkpoint.checkpoint().text());
        let signature = self.key.sign(message.as_bytes()).to_bytes();
        let bytes = [self.parts().1, time.to_be_bytes().to_vec(), signature.to_vec()].concat();
        format!("\u{2014} {} {}\n", self.name, encode_base64(&bytes))
    }
}

/// The scene's bundle with these lines under its checkpoint, and a kit that knows a peer and an outsider, either of whom is enough.
fn cosigned(lines: &[(&Cosigner, u64)], change: impl FnOnce(&mut Kit)) -> Parts {
    let (peer, outside) = (Cosigner::new(21, "peer.example/w"), Cosigner::new(22, "outside.example/w"));
    let mut parts = under(|kit| {
        kit.tlog_policy = Some(format!("witness p {}\nwitness o {}\ngroup any any p o\nquorum any\n", peer.vkey(), outside.vkey()));
        kit.witnesses = vec![KitWitness { name: "o".to_owned(), placement: Placement::Outside }];
        change(kit);
    });
    let mut bundle = SigstoreBundle::parse(parts.signature.as_ref().unwrap()).unwrap();
    let signed = SignedCheckpoint::parse(&bundle.entries[0].proof.checkpoint).unwrap();
    for (cosigner, time) in lines {
        bundle.entries[0].proof.checkpoint.push_str(&cosigner.line(&signed, *time));
    }
    parts.signature = Some(bundle.encode().unwrap());
    parts
}

#[test]
fn cosignatures_raise_the_assurance_and_give_time() {
    let (peer, outside) = (Cosigner::new(21, "peer.example/w"), Cosigner::new(22, "outside.example/w"));
    let assurance = |lines: &[(&Cosigner, u64)]| verified(&cosigned(lines, |_| {})).assurance();
    assert_eq!(assurance(&[]), Assurance::LoggedLocally);
    assert_eq!(assurance(&[(&peer, KIT_TIME)]), Assurance::CosignedByPeer);
    assert_eq!(assurance(&[(&outside, KIT_TIME)]), Assurance::CosignedOutside);
    assert_eq!(assurance(&[(&peer, KIT_TIME), (&outside, KIT_TIME + 5)]), Assurance::CosignedOutside);
    assert_eq!(assurance(&[(&Cosigner::new(23, "stranger.example/w"), KIT_TIME)]), Assurance::LoggedLocally);
    let verdict = verified(&cosigned(&[(&outside, KIT_TIME + 5)], |_| {}));
    assert_eq!(verdict.time().not_after, Some(at(KIT_TIME + 5).to_string()));
    assert!(failed(&verdict).is_empty() && skipped(&verdict).iter().all(|id| id.starts_with("pin")));
    // Another key under the outsider's name and id is unknown; its own key over other bytes is a forgery.
    let mut forged = cosigned(&[], |_| {});
    let mut bundle = SigstoreBundle::parse(forged.signature.as_ref().unwrap()).unwrap();
    let other = checkpoint(&leaves(4, None));
    bundle.entries[0].proof.checkpoint.push_str(&outside.line(&other, KIT_TIME));
    forged.signature = Some(bundle.encode().unwrap());
    rejected("cosignatures", &forged);
    let policy =
        Policy { minimum_assurance: MinimumAssurance::CosignedOutside, require_time: true, require_quorum: true, ..Policy::by_role() };
    verified(&cosigned(&[(&outside, KIT_TIME)], |kit| kit.policy = Some(policy.clone())));
    rejected("policy-assurance", &cosigned(&[(&peer, KIT_TIME)], |kit| kit.policy = Some(policy)));
}

#[test]
fn a_checkpoint_that_came_back_cosigned_covers_what_stands_before_it() {
    let outside = Cosigner::new(22, "outside.example/w");
    let honest = leaves(9, None);
    let back = |leaves: &[LeafHash]| {
        let checkpoint = checkpoint(leaves);
        format!("{}{}", checkpoint.text(), outside.line(&checkpoint, KIT_TIME - 7))
    };
    let minimum = |minimum| Policy { minimum_assurance: minimum, ..Policy::by_role() };
    let strict = minimum(MinimumAssurance::CosignedOutside);
    let covered = cosigned(&[], |kit| {
        (kit.checkpoints, kit.consistency, kit.policy) = (vec![back(&honest)], vec![proof(5, &honest)], Some(strict.clone()));
    });
    let verdict = verified(&covered);
    assert_eq!((verdict.assurance(), verdict.time().not_after.clone()), (Assurance::CosignedOutside, Some(at(KIT_TIME - 7).to_string())));
    // The log was rewritten as a whole after the courier left: nothing proves that this tree is the one that was cosigned.
    let rewritten = leaves(9, Some(0));
    let locally =
        cosigned(&[], |kit| (kit.checkpoints, kit.policy) = (vec![back(&rewritten)], Some(minimum(MinimumAssurance::LoggedLocally))));
    assert_eq!(verified(&locally).assurance(), Assurance::LoggedLocally);
    let strictly = cosigned(&[], |kit| (kit.checkpoints, kit.policy) = (vec![back(&rewritten)], Some(strict.clone())));
    rejected("policy-assurance", &strictly);
    assert_eq!(strictly.verify().0.exhibits().len(), 2);
    // With the kit's proof it is shown to be another log.
    rejected(
        "pin-consistency",
        &cosigned(&[], |kit| (kit.checkpoints, kit.consistency) = (vec![back(&rewritten)], vec![proof(5, &rewritten)])),
    );
}

#[test]
fn a_log_key_counts_only_within_its_window_both_ends_compared_with_authenticated_time() {
    let outside = Cosigner::new(22, "outside.example/w");
    let window = |from: u64, until: Option<u64>| {
        let log = TrustedLog {
            valid_from: at(from).to_string(),
            valid_until: until.map(|end| at(end).to_string()),
            ..TrustedLog::new(log_key(2, ORIGIN))
        };
        let root = trusted_root_json(&[log]).unwrap();
        cosigned(&[(&outside, KIT_TIME)], |kit| kit.trusted_root = serde_json::from_slice(&root).unwrap())
    };
    verified(&window(KIT_TIME, Some(KIT_TIME)));
    rejected("log-key-window", &window(KIT_TIME + 1, None));
    rejected("log-key-window", &window(0, Some(KIT_TIME - 1)));
    // Known only to be from before a time after the window: it may have been in time.
    let log = TrustedLog { valid_until: Some(at(KIT_TIME - 1).to_string()), ..TrustedLog::new(log_key(2, ORIGIN)) };
    let root = trusted_root_json(&[log]).unwrap();
    let covered =
        verified(&under(|kit| (kit.pins, kit.trusted_root) = (vec![pin(&leaves(5, None))], serde_json::from_slice(&root).unwrap())));
    assert!(skipped(&covered).contains(&"log-key-window"));
}
