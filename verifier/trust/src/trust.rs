//! A trust folder as a value: what it holds, looked up by key.

use std::collections::BTreeMap;

use sealtrace_digest::KeyId;
use sealtrace_envelope::{KeyError, PublicKey};
use sealtrace_tlog::{LogKey, Origin};

use sealtrace_tlog::TreeHead;
use sealtrace_verdict::UnixTime;

use crate::authorities::Authorities;
use crate::consistency::ConsistencyBody;
use crate::cosigned::Cosigners;
use crate::kit::{KitError, SignedKit};
use crate::known::{KnownTree, Standing, known_by_kit, standing};
use crate::policy::{Policy, Rules};
use crate::role::Role;
use crate::root::{TrustedLog, TrustedRootError, parse_trusted_root, trusted_root_json};

/// The file that names the logs.
pub const TRUSTED_ROOT_FILE: &str = "trusted_root.json";
/// The file of an installed kit; every other file of such a folder follows from it.
pub const KIT_FILE: &str = "kit.json";
const KEYS: &str = "keys/";
const PEM: &str = ".pem";

/// The trusted logs and signers, and where a kit is installed what else it says; with the rules in force and what the state remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    logs: Vec<TrustedLog>,
    authorities: Authorities,
    signers: BTreeMap<KeyId, PublicKey>,
    kit: Option<Box<SignedKit>>,
    rules: Rules,
    known: Vec<KnownTree>,
    proofs: Vec<(String, ConsistencyBody)>,
    reference: Option<UnixTime>,
    pub(crate) cosigners: Option<Box<Cosigners>>,
}

/// What a state remembers from earlier verdicts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// Every pinned tree of every log.
    pub trees: Vec<KnownTree>,
    /// The largest authenticated time seen.
    pub reference: Option<UnixTime>,
}

/// What to read aloud when two people compare keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fingerprint {
    /// A key that may sign.
    Signer {
        /// SHA-256 of its SPKI.
        key: KeyId,
    },
    /// A log that may log.
    Log {
        /// Its name.
        origin: String,
        /// SHA-256 of its key's SPKI.
        key: KeyId,
    },
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Signer { key } => write!(f, "signer {}", key.hex()),
            Self::Log { origin, key } => write!(f, "log    {} {origin}", key.hex()),
        }
    }
}

/// Why files make no trust folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// No `trusted_root.json`.
    #[error("trust folder has no {TRUSTED_ROOT_FILE}")]
    NoRoot,
    /// The trusted root is malformed.
    #[error("{TRUSTED_ROOT_FILE}: {0}")]
    Root(#[from] TrustedRootError),
    /// A file that does not belong there.
    #[error("trust folder holds {path:?}; expected {TRUSTED_ROOT_FILE} and keys/<SHA-256 of the SPKI>.pem")]
    Unexpected {
        /// Its path.
        path: String,
    },
    /// One path twice.
    #[error("trust folder lists {path:?} twice")]
    Twice {
        /// The path.
        path: String,
    },
    /// A key file that holds no key.
    #[error("{path}: {source}")]
    Key {
        /// Its path.
        path: String,
        /// Why.
        source: KeyError,
    },
    /// A key file whose name is not its key's hash.
    #[error("{path} holds the key {found}; the file name must be the key's SHA-256")]
    KeyName {
        /// Its path.
        path: String,
        /// The key's hash.
        found: String,
    },
    /// Two folders give one log name different keys.
    #[error("the log {origin} is trusted with key {held}, and key {offered} is offered for it")]
    LogKeyConflict {
        /// The log.
        origin: String,
        /// The key held.
        held: String,
        /// The key offered.
        offered: String,
    },
    /// Two folders give one key different names.
    #[error("the key {key} is trusted as the log {held}, and offered as the log {offered}")]
    LogNameConflict {
        /// The key.
        key: String,
        /// The name held.
        held: String,
        /// The name offered.
        offered: String,
    },
    /// The kit is malformed.
    #[error("{KIT_FILE}: {0}")]
    Kit(#[from] KitError),
    /// A file beside a kit that does not follow from it.
    #[error("{path} does not follow from {KIT_FILE}")]
    NotOfKit {
        /// Its path.
        path: String,
    },
    /// A folder with a kit is installed by applying the kit.
    #[error("this folder holds a trust kit, which is applied and not added")]
    KitByApply,
    /// What a kit says is changed by the next kit only.
    #[error("a trust kit is installed, and only the next kit changes what it says")]
    HasKit,
    /// Two folders give one log validity windows of which neither can be taken.
    #[error("the log {origin} is trusted {held}, and offered {offered}: no window is within both")]
    LogWindowConflict {
        /// The log.
        origin: String,
        /// The window held.
        held: String,
        /// The window offered.
        offered: String,
    },
}

/// The path of a signer's file in a trust folder.
pub fn key_file_name(key: KeyId) -> String {
    format!("{KEYS}{}{PEM}", key.hex())
}

impl Trust {
    /// Reads a trust folder's files, given as paths relative to it (`/` separated) with their bytes.
    ///
    /// # Errors
    /// [`TrustError`]
    pub fn parse(files: &[(String, Vec<u8>)]) -> Result<Self, TrustError> {
        if let Some((_, kit)) = files.iter().find(|(path, _)| path == KIT_FILE) {
            return Self::parse_with_kit(kit, files);
        }
        let mut trust = Self::default();
        let mut root = None;
        for (path, bytes) in files {
            if path == TRUSTED_ROOT_FILE {
                if root.replace(bytes).is_some() {
                    return Err(TrustError::Twice { path: path.clone() });
                }
                continue;
            }
            let name = path.strip_prefix(KEYS).and_then(|name| name.strip_suffix(PEM)).filter(|name| !name.contains('/'));
            let Some(name) = name else {
                return Err(TrustError::Unexpected { path: path.clone() });
            };
            let key = PublicKey::parse_pem(bytes).map_err(|source| TrustError::Key { path: path.clone(), source })?;
            if key.key_id().hex() != name {
                return Err(TrustError::KeyName { path: path.clone(), found: key.key_id().hex() });
            }
            if trust.signers.insert(key.key_id(), key).is_some() {
                return Err(TrustError::Twice { path: path.clone() });
            }
        }
        (trust.logs, trust.authorities) = parse_trusted_root(root.ok_or(TrustError::NoRoot)?)?;
        Ok(trust)
    }

    /// The kit decides; what stands beside it may be incomplete, as a kit alone is, and must be what follows from it.
    fn parse_with_kit(kit: &[u8], files: &[(String, Vec<u8>)]) -> Result<Self, TrustError> {
        let trust = Self::of_kit(SignedKit::parse(kit)?)?;
        let following: BTreeMap<String, Vec<u8>> = trust.files()?.into_iter().collect();
        let mut seen = std::collections::BTreeSet::new();
        for (path, bytes) in files {
            if !seen.insert(path) {
                return Err(TrustError::Twice { path: path.clone() });
            }
            if following.get(path) != Some(bytes) {
                return Err(TrustError::NotOfKit { path: path.clone() });
            }
        }
        Ok(trust)
    }

    /// What a kit trusts. Whether to believe the kit is decided where it is installed ([`crate::kit::accept()`]).
    ///
    /// # Errors
    /// [`TrustError::Kit`]
    pub fn of_kit(kit: SignedKit) -> Result<Self, TrustError> {
        let said = kit.kit();
        let mut trust = Self { logs: said.logs()?, signers: said.signer_keys()?, known: known_by_kit(said), ..Self::default() };
        let parsed = |text: &str| ConsistencyBody::parse(text).ok();
        trust.proofs = said.consistency.iter().filter_map(|one| Some((one.origin.clone(), parsed(&one.body)?))).collect();
        trust.authorities = said.authorities()?;
        trust.reference = Some(said.reference_time);
        trust.cosigners = said.cosigners()?.map(Box::new);
        trust.rules.strengthen(said.policy.clone().unwrap_or_else(Policy::by_role));
        trust.kit = Some(Box::new(kit));
        Ok(trust)
    }

    /// The folder's files, canonical, in order of path.
    ///
    /// # Errors
    /// [`TrustError::Root`], [`TrustError::Key`].
    pub fn files(&self) -> Result<Vec<(String, Vec<u8>)>, TrustError> {
        let mut files = Vec::new();
        if let Some(kit) = &self.kit {
            files.push((KIT_FILE.to_owned(), kit.bytes().to_vec()));
        }
        for (id, key) in &self.signers {
            let path = key_file_name(*id);
            let pem = key.to_pem().map_err(|source| TrustError::Key { path: path.clone(), source })?;
            files.push((path, pem.into_bytes()));
        }
        let root = match &self.kit {
            Some(kit) => kit.kit().trusted_root_json()?,
            None => trusted_root_json(&self.logs, &self.authorities)?,
        };
        files.push((TRUSTED_ROOT_FILE.to_owned(), root));
        Ok(files)
    }

    /// Trusts a signer as well.
    pub fn add_signer(&mut self, key: PublicKey) {
        self.signers.insert(key.key_id(), key);
    }

    /// Trusts a log as well. A log that is known already is trusted for the times within both windows: merging never widens one.
    ///
    /// # Errors
    /// [`TrustError::LogKeyConflict`] when the log is known with another key, [`TrustError::LogNameConflict`] when the key is
    /// known under another name, [`TrustError::LogWindowConflict`] when no time is known to be within both windows.
    pub fn add_log(&mut self, log: TrustedLog) -> Result<(), TrustError> {
        let text = |origin: &Origin| origin.as_str().to_owned();
        if let Some(held) = self.logs.iter_mut().find(|held| held.log.origin == log.log.origin) {
            let (known, new) = (held.log.key.key_id().hex(), log.log.key.key_id().hex());
            if known != new {
                return Err(TrustError::LogKeyConflict { origin: text(&log.log.origin), held: known, offered: new });
            }
            let (held_window, offered) = (held.shown_window(), log.shown_window());
            let window = held.common_window(&log);
            (held.valid_from, held.valid_until) =
                window.ok_or_else(|| TrustError::LogWindowConflict { origin: text(&log.log.origin), held: held_window, offered })?;
            return Ok(());
        }
        if let Some(held) = self.logs.iter().find(|held| held.log.key == log.log.key) {
            let key = log.log.key.key_id().hex();
            return Err(TrustError::LogNameConflict { key, held: text(&held.log.origin), offered: text(&log.log.origin) });
        }
        self.logs.push(log);
        self.logs.sort_by(|a, b| a.log.origin.cmp(&b.log.origin));
        Ok(())
    }

    /// Trusts these issuers, CT logs and time stamp authorities as well.
    ///
    /// # Errors
    /// [`TrustError::Root`]
    pub fn add_authorities(&mut self, more: &Authorities) -> Result<(), TrustError> {
        self.authorities = self.authorities.merged(more)?;
        Ok(())
    }

    /// The issuers of certificates, CT logs and time stamp authorities.
    pub fn authorities(&self) -> &Authorities {
        &self.authorities
    }

    /// Trusts everything that `other` trusts as well; on an error, nothing of it.
    ///
    /// # Errors
    /// As [`Trust::add_log`].
    pub fn merge(&mut self, other: &Self) -> Result<(), TrustError> {
        let mut merged = self.clone();
        for key in other.signers.values() {
            merged.add_signer(key.clone());
        }
        other.logs.iter().try_for_each(|log| merged.add_log(log.clone()))?;
        merged.add_authorities(&other.authorities)?;
        if (self.kit.is_some() && merged != *self) || (other.kit.is_some() && other.kit != self.kit) {
            return Err(TrustError::HasKit);
        }
        *self = merged;
        Ok(())
    }

    /// What trust comes from, for messages.
    pub fn words(&self) -> &'static str {
        if self.kit.is_some() { "the installed kit" } else { "the trust folder" }
    }

    /// The installed kit.
    pub fn kit(&self) -> Option<&SignedKit> {
        self.kit.as_deref()
    }

    /// The roles of a signer; none without a kit.
    pub fn roles_of(&self, key: KeyId) -> &[Role] {
        self.kit.as_ref().map_or(&[], |kit| kit.kit().roles_of(key))
    }

    /// The rules in force.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Adds the rules of a policy to those in force.
    pub fn strengthen(&mut self, policy: Policy) {
        self.rules.strengthen(policy);
    }

    /// Adds what a state remembers.
    pub fn remember(&mut self, memory: Memory) {
        self.known.extend(memory.trees);
        self.reference = self.reference.max(memory.reference);
    }

    /// The largest authenticated time known.
    pub fn reference_time(&self) -> Option<UnixTime> {
        self.reference
    }

    /// What a tree of a log is in the light of what is known of it. The tree's checkpoint must have been verified.
    pub fn standing(&self, origin: &str, tree: &TreeHead) -> Standing {
        standing(origin, tree, &self.known, &self.proofs)
    }

    /// Every tree known of a log.
    pub fn known_trees(&self, origin: &str) -> impl Iterator<Item = &KnownTree> {
        self.known.iter().filter(move |tree| tree.origin == origin)
    }

    /// The signer with this key id.
    pub fn signer(&self, key: KeyId) -> Option<&PublicKey> {
        self.signers.get(&key)
    }

    /// The log with this `logId.keyId`.
    pub fn log_by_key_id(&self, key_id: &[u8; 32]) -> Option<&TrustedLog> {
        self.logs.iter().find(|log| log.log.key_id() == *key_id)
    }

    /// The log of this name.
    pub fn log_by_origin(&self, origin: &str) -> Option<&LogKey> {
        self.logs.iter().map(|log| &log.log).find(|log| log.origin.as_str() == origin)
    }

    /// Every signer, in order of key id.
    pub fn signers(&self) -> impl Iterator<Item = &PublicKey> {
        self.signers.values()
    }

    /// Every log, in order of name.
    pub fn logs(&self) -> &[TrustedLog] {
        &self.logs
    }

    /// Whether nothing is trusted.
    pub fn is_empty(&self) -> bool {
        self.logs.is_empty() && self.signers.is_empty() && self.authorities.is_empty()
    }

    /// What to print and compare out of band: signers, then logs.
    pub fn fingerprints(&self) -> Vec<Fingerprint> {
        let signers = self.signers.keys().map(|&key| Fingerprint::Signer { key });
        let logs = self.logs.iter().map(|log| Fingerprint::Log { origin: log.log.origin.as_str().to_owned(), key: log.log.key.key_id() });
        signers.chain(logs).collect()
    }
}
