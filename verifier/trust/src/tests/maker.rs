//! Keys, logs, checkpoints and kits for tests, the same each time.

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use sealtrace_digest::FileSha256;
use sealtrace_envelope::{EnvelopeSignature, PublicKey, pae};
use sealtrace_tlog::{
    Checkpoint, LeafHash, LogKey, NodeAt, Origin, SignedCheckpoint, TreeHead, TreeSize, consistency_proof, root_of_leaves,
};

use crate::kit::{
    KIT_PAYLOAD_TYPE, Kit, KitConsistency, KitFrozen, KitKey, KitPin, KitSigner, KitSite, KitWitness, Placement, SignedKit, Staleness,
};
use crate::{ConsistencyBody, Role, TrustedLog, trusted_root_json};

pub(super) fn signing(scalar: u8) -> SigningKey {
    SigningKey::from_slice(&[scalar; 32]).unwrap()
}

pub(super) fn public(scalar: u8) -> PublicKey {
    PublicKey::from_verifying_key(*signing(scalar).verifying_key()).unwrap()
}

pub(super) fn sign(scalar: u8, message: &[u8]) -> EnvelopeSignature {
    let signature: DerSignature = signing(scalar).sign(message);
    EnvelopeSignature { sig: signature.as_bytes().to_vec(), keyid: public(scalar).hint() }
}

pub(super) fn log_key(scalar: u8, origin: &str) -> LogKey {
    LogKey { origin: Origin::parse(origin).unwrap(), key: public(scalar) }
}

/// A log whose entries are numbers, those from `from` on with a mark: a rewritten log is another mark.
pub(super) struct Log {
    pub(super) key: u8,
    pub(super) origin: &'static str,
    pub(super) rewritten_from: u64,
}

impl Log {
    pub(super) fn honest() -> Self {
        Self { key: 2, origin: "example.org/log", rewritten_from: u64::MAX }
    }

    fn leaves(&self, size: u64) -> Vec<LeafHash> {
        let entry = |number: u64| format!("{}{number}", if number >= self.rewritten_from { "other " } else { "" });
        (0..size).map(|number| LeafHash::of(entry(number).as_bytes())).collect()
    }

    pub(super) fn tree(&self, size: u64) -> TreeHead {
        TreeHead { size: TreeSize(size), root: root_of_leaves(&self.leaves(size)) }
    }

    pub(super) fn checkpoint(&self, size: u64) -> SignedCheckpoint {
        let checkpoint = Checkpoint { origin: self.origin.to_owned(), tree: self.tree(size), extension: Vec::new() };
        let signature: DerSignature = signing(self.key).sign(checkpoint.text().as_bytes());
        SignedCheckpoint::assemble(checkpoint, &log_key(self.key, self.origin), signature.as_bytes().to_vec())
    }

    pub(super) fn proof(&self, older: u64, newer: u64) -> ConsistencyBody {
        let leaves = self.leaves(newer);
        let node = |at: NodeAt| {
            let width = 1_u64 << at.level;
            let range = usize::try_from(at.index * width).ok()?..usize::try_from((at.index + 1) * width).ok()?;
            let root = root_of_leaves(leaves.get(range)?);
            Some(sealtrace_tlog::NodeHash::from_bytes(*root.as_bytes()))
        };
        let proof = consistency_proof(TreeSize(older), TreeSize(newer), &node).unwrap();
        ConsistencyBody::new(older, proof, self.checkpoint(newer))
    }
}

/// A policy with one log witness, whose key is a real one of the public staging network.
const TLOG_POLICY: &str = "witness w witness.navigli.sunlight.geomys.org+a3e00fe2+BNy/co4C1Hn1p+INwJrfUlgz7W55dSZReusH/GhUhJ/G\nquorum w\n";

/// A kit with something in every list.
pub(super) fn kit() -> Kit {
    let log = Log::honest();
    let logs = [TrustedLog::new(log_key(2, "example.org/log")), TrustedLog::new(log_key(4, "site.example/log"))];
    let root = trusted_root_json(&logs).unwrap();
    let role = |name| vec![Role::parse(name).unwrap()];
    let key = |scalar| KitKey { key_id: public(scalar).key_id(), public_key: public(scalar).to_pem().unwrap() };
    let signer =
        |scalar, name| KitSigner { key_id: public(scalar).key_id(), public_key: public(scalar).to_pem().unwrap(), roles: role(name) };
    let proof = log.proof(3, 5);
    Kit {
        kit_version: 0,
        sequence: 1,
        previous: None,
        reference_time: "2026-11-01T00:00:00Z".parse().unwrap(),
        keys: vec![key(10), key(11), key(12)],
        threshold: 2,
        trusted_root: serde_json::from_slice(&root).unwrap(),
        signers: vec![signer(1, "release"), signer(3, "site")],
        sites: vec![KitSite {
            name: "north".to_owned(),
            origin: "site.example/log".to_owned(),
            log_key: public(4).key_id(),
            signer_keys: vec![public(3).key_id()],
            request_sha256: FileSha256::of(b"request"),
        }],
        tlog_policy: Some(TLOG_POLICY.to_owned()),
        witnesses: vec![KitWitness { name: "w".to_owned(), placement: Placement::Outside }],
        pins: vec![KitPin {
            origin: log.origin.to_owned(),
            size: 5,
            root: FileSha256::from_bytes(*log.tree(5).root.as_bytes()),
            checkpoint: log.checkpoint(5).text().to_owned(),
        }],
        consistency: vec![KitConsistency { origin: log.origin.to_owned(), from: 3, to: 5, body: proof.encode() }],
        frozen: Vec::<KitFrozen>::new(),
        checkpoints: Vec::new(),
        deny: Vec::new(),
        staleness: Staleness { warn_after_seconds: Some(100), fail_after_seconds: Some(200) },
        policy: None,
    }
}

/// The file of a kit signed by these keys.
pub(super) fn file(kit: &Kit, keys: &[u8]) -> Vec<u8> {
    let payload = kit.encode().unwrap();
    let message = pae(KIT_PAYLOAD_TYPE, &payload);
    SignedKit::file(&payload, keys.iter().map(|&key| sign(key, &message)).collect()).unwrap()
}

pub(super) fn signed(kit: &Kit, keys: &[u8]) -> SignedKit {
    SignedKit::parse(&file(kit, keys)).unwrap()
}
