//! From a recipe to the files that a verifier is given: bundle, trusted root, artifact, key.

use serde_json::{Value, json};

use crate::key::{base64, sha256};
use crate::log::{self, Note, Subject, Verifier};
use crate::recipe::{Content, KeyId, Recipe, Shape, Signer};
use crate::time::{BEGIN, SIGNED, rfc3339};
use crate::timestamp::Token;

/// The type of the signed statement.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The leaves of the log, ours among them, and where ours is: an index on the left of a tree that is no power of two.
const LEAVES: usize = 11;
const INDEX: usize = 6;
/// How far the first Rekor's log index is ahead of the index within its tree: its older shards.
const OLDER_SHARDS: u64 = 1000;

/// What a verifier is given.
pub(crate) struct Evidence {
    pub(crate) bundle: Value,
    pub(crate) trusted_root: Value,
    pub(crate) key_pem: String,
}

impl Recipe {
    /// Issues, signs, logs and stamps.
    pub(crate) fn make(&self) -> Evidence {
        let content = self.sign();
        let mut verification = match self.signer {
            Signer::ManagedKey => json!({ "publicKey": { "hint": base64(&self.key.id()) } }),
            Signer::Certificate if matches!(self.shape, Shape::Rekor1V01 | Shape::Rekor1V02) => {
                json!({ "x509CertificateChain": { "certificates": [{ "rawBytes": base64(&self.leaf.issue(self.sct.as_ref())) }] } })
            }
            Signer::Certificate => json!({ "certificate": { "rawBytes": base64(&self.leaf.issue(self.sct.as_ref())) } }),
        };
        verification["tlogEntries"] = json!([self.log(&content)]);
        if let Some(edit) = self.token {
            let token = self.stamp(&content.signature, edit);
            verification["timestampVerificationData"] = json!({ "rfc3161Timestamps": [{ "signedTimestamp": base64(&token) }] });
        }
        let media_type = match self.shape {
            Shape::Rekor2 | Shape::Rekor1 => "application/vnd.dev.sigstore.bundle.v0.3+json",
            Shape::Rekor1V02 => "application/vnd.dev.sigstore.bundle+json;version=0.2",
            Shape::Rekor1V01 => "application/vnd.dev.sigstore.bundle+json;version=0.1",
        };
        let mut bundle = json!({ "mediaType": media_type, "verificationMaterial": verification });
        bundle[content.field] = content.json;
        (self.edit_bundle)(&mut bundle);
        Evidence { bundle, trusted_root: self.trusted_root(), key_pem: self.given_key.pem() }
    }

    /// The signature and the timestamp over it, for tools that take them apart.
    pub(crate) fn signature_and_token(&self) -> (Vec<u8>, Vec<u8>) {
        let signature = self.sign().signature;
        let token = self.stamp(&signature, |_| {});
        (signature, token)
    }

    fn sign(&self) -> Signed {
        match self.content {
            Content::Message => {
                let message = self.signed_artifact.clone();
                let (signature, (algorithm, digest)) = (self.signed_by.sign(&message), self.key.digest(&message));
                let digest = json!({ "algorithm": algorithm, "digest": base64(&digest) });
                let json = json!({ "messageDigest": digest, "signature": base64(&signature) });
                Signed { field: "messageSignature", json, payload: Vec::new(), message, signature }
            }
            Content::Dsse => {
                let payload = self.statement();
                let header = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
                let message = [header.as_bytes(), &payload].concat();
                let signature = self.signed_by.sign(&message);
                let mut entry = json!({ "sig": base64(&signature) });
                if self.signer == Signer::ManagedKey && self.keyid == KeyId::Hint {
                    entry["keyid"] = base64(&self.key.id()).into();
                }
                let json = json!({ "payload": base64(&payload), "payloadType": PAYLOAD_TYPE, "signatures": [entry] });
                Signed { field: "dsseEnvelope", json, payload, message, signature }
            }
        }
    }

    fn statement(&self) -> Vec<u8> {
        let mut statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{ "name": "artifact", "digest": { "sha256": hex::encode(sha256(&self.signed_artifact)) } }],
            "predicateType": "https://instance.example/predicate/v1",
            "predicate": {},
        });
        (self.edit_statement)(&mut statement);
        serde_json_canonicalizer::to_vec(&statement).expect("a statement has a canonical form")
    }

    /// The canonicalized body of the log entry.
    fn body(&self, signed: &Signed) -> String {
        let key = self.entry.key.as_ref().unwrap_or(&self.key);
        let verifier = match self.signer {
            Signer::ManagedKey => Verifier::PublicKey(key.spki()),
            Signer::Certificate => {
                let mut certificate = self.leaf.clone();
                certificate.key = key.clone();
                Verifier::Certificate(certificate.issue(self.sct.as_ref()))
            }
        };
        let subject = Subject {
            digest: key.digest(self.entry.message.as_ref().unwrap_or(&signed.message)),
            signature: self.entry.signature.as_ref().unwrap_or(&signed.signature),
            details: key.details(),
            verifier: &verifier,
        };
        let mut body = match (self.shape, self.content) {
            (Shape::Rekor2, _) => log::hashedrekord_v2(&subject),
            (_, Content::Message) => log::hashedrekord_v1(&subject),
            (_, Content::Dsse) => log::dsse_v1(&subject, &signed.payload, &signed.json),
        };
        (self.entry.edit_body)(&mut body);
        (self.entry.encode)(serde_json_canonicalizer::to_string(&body).expect("an entry has a canonical form"))
    }

    /// The transparency log entry of the bundle.
    fn log(&self, signed: &Signed) -> Value {
        let body = self.body(signed);
        let mut leaves: Vec<Vec<u8>> = (0..LEAVES).map(|index| format!("another entry, {index}").into_bytes()).collect();
        leaves[INDEX] = body.clone().into_bytes();
        let index = self.entry.proven.unwrap_or(INDEX);
        let id = log::log_id(self.origin, &self.log_key);
        let note = self.note(&leaves, id);
        let (kind, version) = match (self.shape, self.content) {
            (Shape::Rekor2, _) => ("hashedrekord", "0.0.2"),
            (_, Content::Message) => ("hashedrekord", "0.0.1"),
            (_, Content::Dsse) => ("dsse", "0.0.1"),
        };
        let path: Vec<String> = log::path(&leaves, index).iter().map(|hash| base64(hash)).collect();
        let proof = json!({
            "logIndex": index.to_string(), "rootHash": base64(&note.root), "treeSize": note.size.to_string(),
            "hashes": path, "checkpoint": { "envelope": note.encode() },
        });
        let mut entry = json!({
            "logIndex": index.to_string(), "logId": { "keyId": base64(&id) }, "kindVersion": { "kind": kind, "version": version },
            "canonicalizedBody": base64(body.as_bytes()),
        });
        if self.shape != Shape::Rekor1V01 {
            entry["inclusionProof"] = proof;
        }
        if self.shape != Shape::Rekor2 {
            let global = OLDER_SHARDS + u64::try_from(index).expect("an index is small");
            let promise = log::promise(&body, self.entry.time, global, &id, &self.entry.promised_by);
            entry["logIndex"] = global.to_string().into();
            entry["integratedTime"] = self.entry.time.to_string().into();
            entry["inclusionPromise"] = json!({ "signedEntryTimestamp": base64(&promise) });
        }
        entry
    }

    fn note(&self, leaves: &[Vec<u8>], id: [u8; 32]) -> Note {
        // The first Rekor names its tree after its own name.
        let origin = if self.shape == Shape::Rekor2 { self.origin.to_owned() } else { format!("{} - 2605736670972794746", self.origin) };
        let mut note = Note {
            origin,
            size: leaves.len(),
            root: log::root(leaves),
            key_name: self.origin.to_owned(),
            key_id: [id[0], id[1], id[2], id[3]],
            signed_by: self.log_key.clone(),
            more: String::new(),
        };
        (self.edit_note)(&mut note);
        note
    }

    fn stamp(&self, signature: &[u8], edit: fn(&mut Token)) -> Vec<u8> {
        let mut token = Token {
            status: 0,
            over: signature.to_vec(),
            time: SIGNED,
            authority: self.tsa.clone(),
            signed_by: self.tsa.key.clone(),
            embedded: false,
            ess_certificate: self.tsa.issue(None),
            attribute_over: None,
        };
        edit(&mut token);
        token.encode()
    }

    fn trusted_root(&self) -> Value {
        let since = json!({ "start": rfc3339(BEGIN) });
        let chain = |certificates: &[Vec<u8>]| {
            let certificates: Vec<Value> = certificates.iter().map(|der| json!({ "rawBytes": base64(der) })).collect();
            json!({ "certificates": certificates })
        };
        let subject = |name: &str| json!({ "organization": "instance.example", "commonName": name });
        let key = |key: &crate::key::Key| json!({ "rawBytes": base64(&key.spki()), "keyDetails": key.details(), "validFor": since });
        let ct = crate::key::Key::p256("instance ct log");
        let mut root = json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [{
                "baseUrl": format!("https://{}", self.origin), "hashAlgorithm": "SHA2_256", "publicKey": key(&self.log_key),
                "logId": { "keyId": base64(&log::log_id(self.origin, &self.log_key)) },
            }],
            "certificateAuthorities": [{
                "subject": subject(self.root.subject), "uri": "https://ca.instance.example",
                "certChain": chain(&[self.intermediate.issue(None), self.root.issue(None)]), "validFor": since,
            }],
            "ctlogs": [{
                "baseUrl": "https://ct.instance.example", "hashAlgorithm": "SHA2_256", "publicKey": key(&ct),
                "logId": { "keyId": base64(&ct.id()) },
            }],
            "timestampAuthorities": [{
                "subject": subject(self.tsa.subject), "uri": "https://tsa.instance.example",
                "certChain": chain(&[self.tsa.issue(None), self.tsa_root.issue(None)]), "validFor": since,
            }],
        });
        (self.edit_root)(&mut root);
        root
    }
}

/// A signature and what it covers.
struct Signed {
    /// The bundle's field for it.
    field: &'static str,
    json: Value,
    /// The envelope's payload; empty for a message signature.
    payload: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}
