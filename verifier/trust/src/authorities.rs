//! Issuers of certificates, CT logs and time stamp authorities, as `trusted_root.json` lists them: kept as written, and parsed.
//!
//! Only a site or release that signs with certificates or time stamps needs them. Which identity may sign what is for the policy.

use sealtrace_sigstore::TrustedRoot;
use serde_json::{Value, json};

use crate::root::{TRUSTED_ROOT_MEDIA_TYPE, TrustedRootError};

/// What is trusted besides logs and keys.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Authorities {
    pub(crate) issuers: Vec<Value>,
    pub(crate) ctlogs: Vec<Value>,
    pub(crate) stampers: Vec<Value>,
    root: TrustedRoot,
}

/// Comparison is by what was parsed.
impl Eq for Authorities {}

impl Authorities {
    /// Reads the three lists of a trusted root; its logs are not looked at.
    ///
    /// # Errors
    /// [`TrustedRootError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, TrustedRootError> {
        let root = sealtrace_json::parse_value(bytes, sealtrace_sigstore::MAX_ROOT_BYTES).map_err(TrustedRootError::Json)?;
        let list = |name: &str| root.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        Self::of(list("certificateAuthorities"), list("ctlogs"), list("timestampAuthorities"))
    }

    pub(crate) fn of(issuers: Vec<Value>, ctlogs: Vec<Value>, stampers: Vec<Value>) -> Result<Self, TrustedRootError> {
        let document = json!({
            "mediaType": TRUSTED_ROOT_MEDIA_TYPE, "tlogs": [], "certificateAuthorities": issuers,
            "ctlogs": ctlogs, "timestampAuthorities": stampers,
        });
        let bytes = sealtrace_json::canonical(&document).map_err(TrustedRootError::Json)?;
        let root = TrustedRoot::parse(&bytes).map_err(TrustedRootError::Authorities)?;
        Ok(Self { issuers, ctlogs, stampers, root })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.issuers.is_empty() && self.ctlogs.is_empty() && self.stampers.is_empty()
    }

    /// As the verification of certificates and time stamps takes them.
    pub fn root(&self) -> &TrustedRoot {
        &self.root
    }

    /// Those of both, each once, in the order of `self`, then of `other`.
    ///
    /// # Errors
    /// [`TrustedRootError`], which two values that were parsed do not cause.
    pub fn merged(&self, other: &Self) -> Result<Self, TrustedRootError> {
        let union = |one: &[Value], two: &[Value]| {
            let mut all = one.to_vec();
            all.extend(two.iter().filter(|value| !one.contains(value)).cloned());
            all
        };
        Self::of(union(&self.issuers, &other.issuers), union(&self.ctlogs, &other.ctlogs), union(&self.stampers, &other.stampers))
    }
}
