//! A transparency log in memory: RFC 6962 trees, C2SP checkpoints, the entries of Rekor v1 and v2.
//!
//! A naive recursion over the leaves, on purpose: it shares nothing with the tree of `verifier/tlog`.

use serde_json::{Value, json};

use crate::key::{Key, base64, sha256};

/// What a checkpoint is to say, and who signs it.
#[derive(Clone)]
pub(crate) struct Note {
    pub(crate) origin: String,
    pub(crate) size: usize,
    pub(crate) root: [u8; 32],
    /// The name on the signature line.
    pub(crate) key_name: String,
    pub(crate) key_id: [u8; 4],
    pub(crate) signed_by: Key,
    /// Lines after the log's own signature, such as cosignatures.
    pub(crate) more: String,
}

impl Note {
    pub(crate) fn encode(&self) -> String {
        let text = format!("{}\n{}\n{}\n", self.origin, self.size, base64(&self.root));
        let signature = [&self.key_id[..], &self.signed_by.sign(text.as_bytes())].concat();
        format!("{text}\n\u{2014} {} {}\n{}", self.key_name, base64(&signature), self.more)
    }
}

/// The id of a log's key: Ed25519 binds the name, ECDSA does not.
pub(crate) fn log_id(origin: &str, key: &Key) -> [u8; 32] {
    match key {
        Key::Ed25519(ed25519) => sha256(&[origin.as_bytes(), b"\n\x01", ed25519.verifying_key().as_bytes()].concat()),
        Key::P256(_) | Key::P384(_) => key.id(),
    }
}

/// The root of a tree over these leaves.
pub(crate) fn root(leaves: &[Vec<u8>]) -> [u8; 32] {
    match leaves {
        [] => sha256(&[]),
        [leaf] => sha256(&[&[0], leaf.as_slice()].concat()),
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            sha256(&[&[1], &root(left)[..], &root(right)].concat())
        }
    }
}

/// The inclusion path of one leaf, from the leaf upward.
pub(crate) fn path(leaves: &[Vec<u8>], index: usize) -> Vec<[u8; 32]> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let (mut path, sibling) = if index < at { (path(left, index), root(right)) } else { (path(right, index - at), root(left)) };
    path.push(sibling);
    path
}

/// The largest power of two below `size`.
fn split(size: usize) -> usize {
    size.next_power_of_two() / 2
}

/// What a log entry is about, before it is written in one of the log's forms.
pub(crate) struct Subject<'a> {
    /// The signed bytes' digest, by Sigstore's name of the hash.
    pub(crate) digest: (&'static str, Vec<u8>),
    pub(crate) signature: &'a [u8],
    pub(crate) details: &'static str,
    /// The certificate or public key in DER.
    pub(crate) verifier: &'a Verifier,
}

/// What a log entry names as the signer.
#[derive(Clone)]
pub(crate) enum Verifier {
    Certificate(Vec<u8>),
    PublicKey(Vec<u8>),
}

impl Verifier {
    fn pem(&self) -> String {
        match self {
            Self::Certificate(der) => crate::key::pem("CERTIFICATE", der),
            Self::PublicKey(der) => crate::key::pem("PUBLIC KEY", der),
        }
    }
}

/// `hashedrekord/0.0.2`.
pub(crate) fn hashedrekord_v2(subject: &Subject<'_>) -> Value {
    let mut verifier = json!({ "keyDetails": subject.details });
    match subject.verifier {
        Verifier::Certificate(der) => verifier["x509Certificate"] = json!({ "rawBytes": base64(der) }),
        Verifier::PublicKey(der) => verifier["publicKey"] = json!({ "rawBytes": base64(der) }),
    }
    let (algorithm, digest) = &subject.digest;
    json!({ "apiVersion": "0.0.2", "kind": "hashedrekord", "spec": { "hashedRekordV002": {
        "data": { "algorithm": algorithm, "digest": base64(digest) },
        "signature": { "content": base64(subject.signature), "verifier": verifier },
    } } })
}

/// `hashedrekord/0.0.1`, for SHA-256 only.
pub(crate) fn hashedrekord_v1(subject: &Subject<'_>) -> Value {
    json!({ "apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
        "data": { "hash": { "algorithm": "sha256", "value": hex::encode(&subject.digest.1) } },
        "signature": {
            "content": base64(subject.signature),
            "publicKey": { "content": base64(subject.verifier.pem().as_bytes()) },
        },
    } })
}

/// `dsse/0.0.1`, the form of the first Rekor for envelopes.
pub(crate) fn dsse_v1(subject: &Subject<'_>, payload: &[u8], envelope: &Value) -> Value {
    let digest = |bytes: &[u8]| json!({ "algorithm": "sha256", "value": hex::encode(sha256(bytes)) });
    let envelope = serde_json_canonicalizer::to_vec(envelope).expect("an envelope has a canonical form");
    json!({ "apiVersion": "0.0.1", "kind": "dsse", "spec": {
        "envelopeHash": digest(&envelope),
        "payloadHash": digest(payload),
        "signatures": [{ "signature": base64(subject.signature), "verifier": base64(subject.verifier.pem().as_bytes()) }],
    } })
}

/// The promise of the first Rekor: the log's signature over body, time, log and index.
pub(crate) fn promise(body: &str, time: u64, index: u64, log: &[u8; 32], signed_by: &Key) -> Vec<u8> {
    let signed = json!({ "body": base64(body.as_bytes()), "integratedTime": time, "logID": hex::encode(log), "logIndex": index });
    signed_by.sign(&serde_json_canonicalizer::to_vec(&signed).expect("a promise has a canonical form"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Folds a path back to the root (RFC 9162, section 2.1.3.2).
    fn fold(leaf: &[u8], mut index: usize, mut last: usize, path: &[[u8; 32]]) -> [u8; 32] {
        let mut hash = sha256(&[&[0], leaf].concat());
        for sibling in path {
            if index % 2 == 1 || index == last {
                hash = sha256(&[&[1], &sibling[..], &hash].concat());
                while index.is_multiple_of(2) && index != 0 {
                    (index, last) = (index / 2, last / 2);
                }
            } else {
                hash = sha256(&[&[1], &hash[..], sibling].concat());
            }
            (index, last) = (index / 2, last / 2);
        }
        hash
    }

    #[test]
    fn every_path_leads_to_the_root() {
        for size in 1..40_u8 {
            let leaves: Vec<Vec<u8>> = (0..size).map(|leaf| vec![leaf]).collect();
            for (index, leaf) in leaves.iter().enumerate() {
                assert_eq!(fold(leaf, index, leaves.len() - 1, &path(&leaves, index)), root(&leaves), "{index} of {size}");
            }
        }
    }
}
