//! A Rekor v2 log in memory: what `rekor-tiles` answers, by its API's description, with handles to answer wrongly.

use std::sync::{Arc, Mutex};

use sealtrace_envelope::{EntryBody, decode_base64, encode_base64};
use sealtrace_signer::SigningKey;
use sealtrace_tlog::{
    Checkpoint, LeafHash, LeafIndex, LogKey, NodeHash, Origin, SignedCheckpoint, TileReader, TreeHead, TreeSize, inclusion_proof,
    root_of_leaves, tiles_of_leaves,
};
use serde_json::{Value, json};

use crate::server::{Answer, Request};

/// The log.
pub(crate) struct FakeRekor {
    key: SigningKey,
    pub(crate) log: LogKey,
    pub(crate) entries: Vec<Vec<u8>>,
}

/// Shared by the server's thread and the test.
pub(crate) type Shared = Arc<Mutex<FakeRekor>>;

impl FakeRekor {
    /// A log with `size` entries of other people.
    pub(crate) fn with_entries(origin: &str, scalar: u8, size: usize) -> Shared {
        let key = SigningKey::from_scalar(&[scalar; 32]).unwrap();
        let log = LogKey { origin: Origin::parse(origin).unwrap(), key: key.public_key().clone() };
        let entries = (0..size).map(|number| format!("entry {number}").into_bytes()).collect();
        Arc::new(Mutex::new(Self { key, log, entries }))
    }

    fn leaves(&self, size: usize) -> Vec<LeafHash> {
        self.entries[..size].iter().map(|entry| LeafHash::of(entry)).collect()
    }

    fn tree(&self, size: usize) -> TreeHead {
        TreeHead { size: TreeSize(u64::try_from(size).unwrap()), root: root_of_leaves(&self.leaves(size)) }
    }

    /// The checkpoint of the first `size` entries.
    pub(crate) fn checkpoint(&self, size: usize) -> String {
        let checkpoint = Checkpoint { origin: self.log.origin.as_str().to_owned(), tree: self.tree(size), extension: Vec::new() };
        let signature = self.key.sign(checkpoint.text().as_bytes()).unwrap();
        SignedCheckpoint::assemble(checkpoint, &self.log, signature).text().to_owned()
    }

    /// The `TransparencyLogEntry` of an entry in the tree of `size`.
    pub(crate) fn entry(&self, index: usize, size: usize) -> Value {
        let mut reader = TileReader::new();
        for (id, hashes) in tiles_of_leaves(&self.leaves(size)) {
            reader.insert(id.level, id.index, hashes);
        }
        let tree = self.tree(size);
        let proof = inclusion_proof(LeafIndex(u64::try_from(index).unwrap()), tree.size, &|at| reader.node(at)).unwrap();
        json!({
            "logIndex": index.to_string(),
            "logId": { "keyId": encode_base64(&self.log.key_id()) },
            "kindVersion": { "kind": "hashedrekord", "version": "0.0.2" },
            "integratedTime": "0",
            "inclusionPromise": null,
            "inclusionProof": {
                "logIndex": index.to_string(),
                "rootHash": encode_base64(tree.root.as_bytes()),
                "treeSize": size.to_string(),
                "hashes": proof.iter().map(|hash| encode_base64(hash.as_bytes())).collect::<Vec<_>>(),
                "checkpoint": { "envelope": self.checkpoint(size) },
            },
            "canonicalizedBody": encode_base64(&self.entries[index]),
        })
    }

    /// Adds an entry; `Err` gives the index of the one that is there already.
    pub(crate) fn add(&mut self, request: &[u8]) -> Result<usize, usize> {
        let body = body_of(request);
        if let Some(index) = self.entries.iter().position(|entry| *entry == body) {
            return Err(index);
        }
        self.entries.push(body);
        Ok(self.entries.len() - 1)
    }

    /// The bytes of a tile of the tree of `size`, by its path.
    pub(crate) fn tile(&self, size: usize, path: &str) -> Option<Vec<u8>> {
        let tiles = tiles_of_leaves(&self.leaves(size));
        let hashes: Option<Vec<NodeHash>> = tiles.into_iter().find(|(id, _)| id.path() == path).map(|(_, hashes)| hashes);
        Some(hashes?.iter().flat_map(|hash| *hash.as_bytes()).collect())
    }

    /// What an honest log answers.
    pub(crate) fn answer(&mut self, request: &Request) -> Answer {
        if request.method == "POST" && request.path == "/api/v2/log/entries" {
            return match self.add(&request.body) {
                Ok(index) => Answer::Reply(201, Vec::new(), self.entry(index, self.entries.len()).to_string().into_bytes()),
                Err(index) => Answer::Reply(409, vec![("x-log-index", index.to_string())], b"{\"code\":6}".to_vec()),
            };
        }
        match request.path.strip_prefix("/api/v2/") {
            Some("checkpoint") => Answer::bytes(self.checkpoint(self.entries.len()).into_bytes()),
            Some(path) => self.tile(self.entries.len(), path).map_or_else(|| Answer::status(404, "not here"), Answer::bytes),
            None => Answer::status(404, "not here"),
        }
    }
}

/// The leaf that a request asks for.
fn body_of(request: &[u8]) -> Vec<u8> {
    let value: Value = serde_json::from_slice(request).unwrap();
    let record = &value["hashedRekordRequestV002"];
    let bytes = |value: &Value| decode_base64(value.as_str().unwrap()).unwrap();
    let verifier = &record["signature"]["verifier"];
    assert_eq!(verifier["keyDetails"], "PKIX_ECDSA_P256_SHA_256");
    let body = EntryBody {
        digest: sealtrace_digest::PaeDigest::from_bytes(bytes(&record["digest"]).try_into().unwrap()),
        signature: bytes(&record["signature"]["content"]),
        verifier: sealtrace_envelope::PublicKey::parse_der(&bytes(&verifier["publicKey"]["rawBytes"])).unwrap(),
    };
    body.encode().unwrap()
}
