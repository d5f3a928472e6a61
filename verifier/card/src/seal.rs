//! Seals from what verification returned, so that a card can only name signers and logs that were accepted.

use sealtrace_bundle::{VerifiedBundle, VerifiedStatement};

/// Who signed something and where it was logged, as verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    pub(crate) signer: String,
    pub(crate) origin: String,
    pub(crate) index: u64,
    pub(crate) tree_size: u64,
    pub(crate) checkpoint: String,
}

impl From<&VerifiedStatement> for Seal {
    fn from(statement: &VerifiedStatement) -> Self {
        let log = statement.log();
        Self {
            signer: statement.signed().signer().to_string(),
            origin: log.origin().to_owned(),
            index: log.index().0,
            tree_size: log.tree_size().0,
            checkpoint: log.checkpoint().to_owned(),
        }
    }
}

/// A symbol bundle that names came from, as verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleLine {
    pub(crate) digest: String,
    pub(crate) name: String,
    pub(crate) seal: Seal,
}

impl From<&VerifiedBundle> for BundleLine {
    fn from(bundle: &VerifiedBundle) -> Self {
        Self {
            digest: bundle.digest().to_string(),
            name: format!("{} {}", bundle.name(), bundle.version()),
            seal: bundle.statement().into(),
        }
    }
}
