//! The policy: which rules evidence must satisfy beyond being genuine. A file of its own, or a part of a trust kit.
//!
//! Not here: applying them (`sealtrace-bundle`, `sealtrace-case`).

use sealtrace_digest::KeyId;
use sealtrace_json::JsonError;
use sealtrace_verdict::Assurance;
use serde::{Deserialize, Serialize};

use crate::role::Role;

/// The most bytes of a policy file (ours).
pub const MAX_POLICY_BYTES: usize = 1 << 20;
/// The most entries of one list of a policy (ours).
const MAX_LIST: usize = 256;
/// The policy version of this release.
const VERSION: u32 = 0;

/// A certificate's identity with its issuer, both compared whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The certificate's subject alternative name.
    pub identity: String,
    /// The issuer that vouched for it.
    pub issuer: String,
}

/// Who may sign statements of one predicate type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignerRule {
    /// The predicate type.
    pub predicate_type: String,
    /// Signers that a kit enrolled in one of these roles.
    pub roles: Vec<Role>,
    /// These keys, whatever their role.
    pub keys: Vec<KeyId>,
    /// These certificate identities.
    pub identities: Vec<Identity>,
}

/// A minimum of assurance, as policies name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MinimumAssurance {
    /// A signature by an enrolled key.
    Signed,
    /// In a log.
    LoggedLocally,
    /// Cosigned by a log witness of the site.
    CosignedByPeer,
    /// Cosigned outside the site.
    CosignedOutside,
}

impl From<MinimumAssurance> for Assurance {
    fn from(minimum: MinimumAssurance) -> Self {
        match minimum {
            MinimumAssurance::Signed => Self::Signed,
            MinimumAssurance::LoggedLocally => Self::LoggedLocally,
            MinimumAssurance::CosignedByPeer => Self::CosignedByPeer,
            MinimumAssurance::CosignedOutside => Self::CosignedOutside,
        }
    }
}

/// A policy file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// 0.
    pub policy_version: u32,
    /// Who may sign what; a predicate type that no rule names may be signed by nobody. Null: no rule.
    pub signers: Option<Vec<SignerRule>>,
    /// The least assurance of every statement.
    pub minimum_assurance: MinimumAssurance,
    /// Whether every statement must have an authenticated time.
    pub require_time: bool,
    /// Whether the kit's tlog-policy must be met by cosignatures.
    pub require_quorum: bool,
    /// How many logs every statement must be in.
    pub minimum_logs: u32,
    /// How many time stamps every statement must have.
    pub minimum_timestamps: u32,
    /// How much older than the reference time the kit may be, in seconds; null: any age.
    pub maximum_kit_age_seconds: Option<u64>,
    /// Predicate types of which a trace's evidence must hold a verified statement each.
    pub required_predicate_types: Vec<String>,
    /// The least percentage of resolved frames of a trace, 0 to 100.
    pub minimum_coverage_percent: u32,
}

/// Why bytes are no policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Not strict JSON of the right shape.
    #[error("not a policy: {0}")]
    Json(JsonError),
    /// A field that has no such value.
    #[error("policy {what}: expected {expected}, found {found}")]
    Field {
        /// Which field.
        what: &'static str,
        /// What is accepted.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
}

impl Policy {
    /// Parses a policy file.
    ///
    /// # Errors
    /// [`PolicyError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        let policy: Self = sealtrace_json::parse(bytes, MAX_POLICY_BYTES).map_err(PolicyError::Json)?;
        policy.check()?;
        Ok(policy)
    }

    /// Checks what the shape does not say.
    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        let field = |what, expected, found: &dyn ToString| Err(PolicyError::Field { what, expected, found: found.to_string() });
        if self.policy_version != VERSION {
            return field("policyVersion", "0", &self.policy_version);
        }
        if self.minimum_coverage_percent > 100 {
            return field("minimumCoveragePercent", "0 to 100", &self.minimum_coverage_percent);
        }
        let rules = self.signers.as_deref().unwrap_or_default();
        let longest = rules.iter().flat_map(|rule| [rule.roles.len(), rule.keys.len(), rule.identities.len()]);
        let longest = longest.chain([rules.len(), self.required_predicate_types.len()]).max().unwrap_or(0);
        if longest > MAX_LIST {
            return field("list", "at most 256 entries", &longest);
        }
        let twice =
            rules.iter().enumerate().find(|(at, rule)| rules.iter().take(*at).any(|other| other.predicate_type == rule.predicate_type));
        match twice {
            Some((_, rule)) => field("signers", "each predicate type once", &rule.predicate_type),
            None => Ok(()),
        }
    }
}

/// The predicate type of a symbol bundle's statement (`sealtrace-bundle` defines it, and compares).
pub const RELEASE_PREDICATE: &str = "https://sealtrace.dev/attestation/symbol-bundle/v0";
/// The predicate type of a trace witness (`sealtrace-trace` defines it, `sealtrace-case` compares).
pub const SITE_PREDICATE: &str = "https://sealtrace.dev/attestation/micro-witness/v0";

impl Policy {
    /// What holds under a kit that brings no policy: releases seal symbol bundles, sites sign trace witnesses.
    pub fn by_role() -> Self {
        let rule = |predicate: &str, role: &str| SignerRule {
            predicate_type: predicate.to_owned(),
            roles: Role::parse(role).into_iter().collect(),
            keys: Vec::new(),
            identities: Vec::new(),
        };
        Self { signers: Some(vec![rule(RELEASE_PREDICATE, Role::RELEASE), rule(SITE_PREDICATE, Role::SITE)]), ..Self::default() }
    }
}

impl Default for Policy {
    /// What holds without a policy: genuine and logged is enough.
    fn default() -> Self {
        Self {
            policy_version: VERSION,
            signers: None,
            minimum_assurance: MinimumAssurance::LoggedLocally,
            require_time: false,
            require_quorum: false,
            minimum_logs: 1,
            minimum_timestamps: 0,
            maximum_kit_age_seconds: None,
            required_predicate_types: Vec::new(),
            minimum_coverage_percent: 0,
        }
    }
}

/// The rules in force: those of every policy together. A further policy can only add to them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    policies: Vec<Policy>,
}

impl Rules {
    /// No rule but that evidence is genuine.
    pub fn none() -> Self {
        Self::default()
    }

    /// The same rules and those of another policy.
    pub fn strengthen(&mut self, policy: Policy) {
        self.policies.push(policy);
    }

    /// Each policy in force.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// The least assurance.
    pub fn minimum_assurance(&self) -> Option<Assurance> {
        self.policies.iter().map(|policy| Assurance::from(policy.minimum_assurance)).max()
    }

    /// Whether some policy says so.
    pub fn require_time(&self) -> bool {
        self.policies.iter().any(|policy| policy.require_time)
    }

    /// Whether some policy says so.
    pub fn require_quorum(&self) -> bool {
        self.policies.iter().any(|policy| policy.require_quorum)
    }

    /// The largest number of logs asked for.
    pub fn minimum_logs(&self) -> u32 {
        self.policies.iter().map(|policy| policy.minimum_logs).max().unwrap_or(0)
    }

    /// The largest number of time stamps asked for.
    pub fn minimum_timestamps(&self) -> u32 {
        self.policies.iter().map(|policy| policy.minimum_timestamps).max().unwrap_or(0)
    }

    /// The least age allowed.
    pub fn maximum_kit_age(&self) -> Option<u64> {
        self.policies.iter().filter_map(|policy| policy.maximum_kit_age_seconds).min()
    }

    /// The largest coverage asked for.
    pub fn minimum_coverage(&self) -> u32 {
        self.policies.iter().map(|policy| policy.minimum_coverage_percent).max().unwrap_or(0)
    }

    /// Every predicate type asked for.
    pub fn required_predicate_types(&self) -> impl Iterator<Item = &str> {
        self.policies.iter().flat_map(|policy| policy.required_predicate_types.iter().map(String::as_str))
    }

    /// Whether a signer with this key and these roles may sign statements of a type, by every policy that has signer rules. The error says
    /// who may.
    ///
    /// # Errors
    /// Who may sign such a statement.
    pub fn may_sign(&self, predicate_type: &str, key: KeyId, roles: &[Role]) -> Result<(), String> {
        for rules in self.policies.iter().filter_map(|policy| policy.signers.as_ref()) {
            let Some(rule) = rules.iter().find(|rule| rule.predicate_type == predicate_type) else {
                return Err("nobody".to_owned());
            };
            if !rule.keys.contains(&key) && !rule.roles.iter().any(|role| roles.contains(role)) {
                return Err(rule.who());
            }
        }
        Ok(())
    }
}

impl SignerRule {
    fn who(&self) -> String {
        let roles = self.roles.iter().map(|role| format!("role {role}"));
        let keys = self.keys.iter().map(|key| format!("key {}", key.hex()));
        let identities = self.identities.iter().map(|one| format!("identity {} of {}", one.identity, one.issuer));
        let who: Vec<String> = roles.chain(keys).chain(identities).collect();
        if who.is_empty() { "nobody".to_owned() } else { who.join(", ") }
    }
}
