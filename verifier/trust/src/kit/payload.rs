//! What a kit says: the signed JSON, field by field.

use std::collections::BTreeMap;

use sealtrace_digest::{FileSha256, KeyId};
use sealtrace_envelope::PublicKey;
use sealtrace_tlog::TlogPolicy;
use sealtrace_verdict::UnixTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fingerprint::KitDigest;
use super::{KitError, MAX_KIT_BYTES};
use crate::cosigned::Cosigners;
use crate::deny::Denied;
use crate::policy::Policy;
use crate::role::Role;
use crate::root::{TrustedLog, parse_trusted_root};

/// A kit's payload. A value that exists is sound: see `sound.rs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kit {
    /// 0.
    pub kit_version: u32,
    /// 1 for the first kit, then ever higher.
    pub sequence: u64,
    /// Digest of the kit before; null in the first.
    pub previous: Option<KitDigest>,
    /// When the kit was made, by its makers' word: everything in it existed then, and the present is not before it.
    pub reference_time: UnixTime,
    /// Who signs kits from the next one on.
    pub keys: Vec<KitKey>,
    /// How many of them must.
    pub threshold: u32,
    /// The trusted root, as `trusted_root.json`.
    pub trusted_root: Value,
    /// Who signs evidence, and as what.
    pub signers: Vec<KitSigner>,
    /// Sites that were enrolled.
    pub sites: Vec<KitSite>,
    /// A C2SP tlog-policy, as text.
    pub tlog_policy: Option<String>,
    /// Where the log witnesses of that policy stand, by name.
    pub witnesses: Vec<KitWitness>,
    /// The trees known of logs; what contradicts them is refused.
    pub pins: Vec<KitPin>,
    /// Proofs from released sizes to pins and checkpoints.
    pub consistency: Vec<KitConsistency>,
    /// The last checkpoints of logs that take no more entries.
    pub frozen: Vec<KitFrozen>,
    /// Site checkpoints that were cosigned outside, as signed notes.
    pub checkpoints: Vec<String>,
    /// What no longer counts.
    pub deny: Vec<Denied>,
    /// From which age on a kit is stale.
    pub staleness: Staleness,
    /// Rules for evidence.
    pub policy: Option<Policy>,
}

/// A key that signs kits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KitKey {
    /// SHA-256 of its SPKI.
    pub key_id: KeyId,
    /// SPKI PEM.
    pub public_key: String,
}

/// A key that signs evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KitSigner {
    /// SHA-256 of its SPKI.
    pub key_id: KeyId,
    /// SPKI PEM.
    pub public_key: String,
    /// What it may sign, by role.
    pub roles: Vec<Role>,
}

/// An enrolled site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KitSite {
    /// Its name.
    pub name: String,
    /// Its log.
    pub origin: String,
    /// That log's key.
    pub log_key: KeyId,
    /// Its signers.
    pub signer_keys: Vec<KeyId>,
    /// SHA-256 of the enrolment request.
    pub request_sha256: FileSha256,
}

/// Where a log witness stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    /// On the site whose log it cosigns.
    Peer,
    /// Outside of it.
    Outside,
}

/// A log witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KitWitness {
    /// Its name in the tlog-policy.
    pub name: String,
    /// Where it stands.
    pub placement: Placement,
}

/// A tree known of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KitPin {
    /// The log.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// Root hash, hex.
    pub root: FileSha256,
    /// The log's checkpoint that says so.
    pub checkpoint: String,
}

/// A proof that a log's tree grew from one size to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KitConsistency {
    /// The log.
    pub origin: String,
    /// The older size.
    pub from: u64,
    /// The newer size.
    pub to: u64,
    /// C2SP tlog-witness add-checkpoint body, verbatim.
    pub body: String,
}

/// The end of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KitFrozen {
    /// The log.
    pub origin: String,
    /// Its last checkpoint.
    pub checkpoint: String,
}

/// Ages of a kit, in seconds before the reference time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Staleness {
    /// Older warns; null: never.
    pub warn_after_seconds: Option<u64>,
    /// Older fails; null: never.
    pub fail_after_seconds: Option<u64>,
}

impl Kit {
    /// Parses a payload: canonical JSON, every value sound.
    ///
    /// # Errors
    /// [`KitError`]
    pub fn parse(payload: &[u8]) -> Result<Self, KitError> {
        let kit: Self = sealtrace_json::parse(payload, MAX_KIT_BYTES).map_err(KitError::Json)?;
        if kit.encode()? != payload {
            let (expected, found) = ("canonical JSON".to_owned(), "another spelling".to_owned());
            return Err(KitError::Field { what: "payload", expected, found });
        }
        kit.check()?;
        Ok(kit)
    }

    /// The canonical payload.
    ///
    /// # Errors
    /// [`KitError::Json`]
    pub fn encode(&self) -> Result<Vec<u8>, KitError> {
        sealtrace_json::canonical(self).map_err(KitError::Json)
    }

    /// The keys that sign the next kit.
    ///
    /// # Errors
    /// [`KitError::Key`]
    pub fn public_keys(&self) -> Result<BTreeMap<KeyId, PublicKey>, KitError> {
        let pairs = self.keys.iter().map(|key| parse_key("keys", key.key_id, &key.public_key));
        pairs.collect()
    }

    /// The keys that sign evidence.
    ///
    /// # Errors
    /// [`KitError::Key`]
    pub fn signer_keys(&self) -> Result<BTreeMap<KeyId, PublicKey>, KitError> {
        let pairs = self.signers.iter().map(|key| parse_key("signers", key.key_id, &key.public_key));
        pairs.collect()
    }

    /// The roles of a signer.
    pub fn roles_of(&self, key: KeyId) -> &[Role] {
        self.signers.iter().find(|signer| signer.key_id == key).map_or(&[], |signer| &signer.roles)
    }

    /// The bytes of `trusted_root.json`.
    ///
    /// # Errors
    /// [`KitError::Json`]
    pub fn trusted_root_json(&self) -> Result<Vec<u8>, KitError> {
        sealtrace_json::canonical(&self.trusted_root).map_err(KitError::Json)
    }

    /// The log witnesses that count.
    ///
    /// # Errors
    /// [`KitError::TlogPolicy`], and [`KitError::Field`] for a log witness that the tlog-policy does not name.
    pub(crate) fn cosigners(&self) -> Result<Option<Cosigners>, KitError> {
        let policy = self.tlog_policy.as_ref().map(|text| TlogPolicy::parse(text.as_bytes())).transpose()?;
        let named = |name: &str| policy.as_ref().is_some_and(|policy| policy.witnesses().any(|(known, _)| known == name));
        if let Some(unknown) = self.witnesses.iter().find(|witness| !named(&witness.name)) {
            let expected = "a witness of the tlogPolicy".to_owned();
            return Err(KitError::Field { what: "witnesses", expected, found: unknown.name.clone() });
        }
        Ok(policy.map(|policy| Cosigners::new(policy, &self.witnesses)))
    }

    /// The logs of the trusted root.
    ///
    /// # Errors
    /// [`KitError`]
    pub fn logs(&self) -> Result<Vec<TrustedLog>, KitError> {
        Ok(parse_trusted_root(&self.trusted_root_json()?)?)
    }
}

/// A key with its id compared.
pub(super) fn parse_key(what: &'static str, id: KeyId, pem: &str) -> Result<(KeyId, PublicKey), KitError> {
    let key = PublicKey::parse_pem(pem.as_bytes()).map_err(|source| KitError::Key { what, source })?;
    if key.key_id() == id {
        return Ok((id, key));
    }
    Err(KitError::Field { what, expected: key.key_id().hex(), found: id.hex() })
}
