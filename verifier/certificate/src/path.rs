//! From a leaf to a trusted root, at one moment (RFC 5280 §6, for paths whose authorities are all named by the trust configuration).
//!
//! Every authority comes from the trusted chain, none from the evidence. Name constraints and policies are not evaluated: an authority
//! that carries them as critical is refused.

use sealtrace_crypto::SignatureError;
use sealtrace_verdict::UnixTime;

use crate::asn1::DerError;
use crate::certificate::Certificate;
use crate::extensions::SubjectName;

/// The most authorities of a path (ours).
pub const MAX_PATH: usize = 8;
const DIGITAL_SIGNATURE: u8 = 0;
const KEY_CERT_SIGN: u8 = 5;

/// What the leaf's key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// `id-kp-codeSigning`.
    CodeSigning,
    /// `id-kp-timeStamping`, critical and alone (RFC 3161 §2.3).
    TimeStamping,
}

impl Purpose {
    fn oid(self) -> &'static str {
        match self {
            Self::CodeSigning => "1.3.6.1.5.5.7.3.3",
            Self::TimeStamping => "1.3.6.1.5.5.7.3.8",
        }
    }
}

/// A leaf whose path to a trusted root held at one moment. Made by [`verify_path`] only.
#[derive(Debug, Clone)]
pub struct VerifiedPath<'a> {
    leaf: &'a Certificate,
    issuer: &'a Certificate,
    at: UnixTime,
}

impl<'a> VerifiedPath<'a> {
    /// The leaf.
    pub fn leaf(&self) -> &'a Certificate {
        self.leaf
    }

    /// The authority that issued it.
    pub fn issuer(&self) -> &'a Certificate {
        self.issuer
    }

    /// The moment at which the path held.
    pub fn at(&self) -> UnixTime {
        self.at
    }

    /// The names of the leaf's subject.
    ///
    /// # Errors
    /// [`DerError`] when the extension is malformed.
    pub fn subject_names(&self) -> Result<Vec<SubjectName>, DerError> {
        self.leaf.extensions.subject_names()
    }

    /// The OIDC issuer in the leaf; `None` when there is none, or two that differ.
    ///
    /// # Errors
    /// [`DerError`] when the extension is malformed.
    pub fn oidc_issuer(&self) -> Result<Option<String>, DerError> {
        self.leaf.extensions.oidc_issuer()
    }
}

/// Why a path does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// No authority, or more than [`MAX_PATH`].
    #[error("trusted chain has {found} certificates, expected 1 to {MAX_PATH}")]
    Length {
        /// How many.
        found: usize,
    },
    /// A certificate names another issuer than the next one of the chain.
    #[error("certificate {position} of the path was not issued by the next one")]
    Issuer {
        /// From the leaf, 0.
        position: usize,
    },
    /// A signature does not verify.
    #[error("certificate {position} of the path: {source}")]
    Signature {
        /// From the leaf, 0.
        position: usize,
        /// Why.
        source: SignatureError,
    },
    /// Outside its validity.
    #[error("certificate {position} of the path is valid from {from} to {until}, not at {at}")]
    Validity {
        /// From the leaf, 0.
        position: usize,
        /// First moment.
        from: UnixTime,
        /// Last moment.
        until: UnixTime,
        /// The moment in question.
        at: UnixTime,
    },
    /// An authority that may not sign certificates, or a leaf that may not do what it did.
    #[error("certificate {position} of the path {what}")]
    Usage {
        /// From the leaf, 0.
        position: usize,
        /// What is missing.
        what: &'static str,
    },
    /// A critical extension that is not understood.
    #[error("certificate {position} of the path has the critical extension {oid}, which is not understood")]
    Critical {
        /// From the leaf, 0.
        position: usize,
        /// Its identifier.
        oid: String,
    },
    /// An extension is malformed.
    #[error("certificate of the path: {0}")]
    Der(#[from] DerError),
}

/// Verifies that `leaf` was issued, through every certificate of `chain` in order, under the last of them, and that all of them were
/// valid at `at` and may do what they did.
///
/// # Errors
/// [`PathError`]
pub fn verify_path<'a>(
    leaf: &'a Certificate,
    chain: &'a [Certificate],
    purpose: Purpose,
    at: UnixTime,
) -> Result<VerifiedPath<'a>, PathError> {
    let issuer = chain.first().filter(|_| chain.len() <= MAX_PATH).ok_or(PathError::Length { found: chain.len() })?;
    check_leaf(leaf, purpose)?;
    let path: Vec<&Certificate> = std::iter::once(leaf).chain(chain).collect();
    for (position, certificate) in path.iter().enumerate() {
        let (from, until) = certificate.validity();
        if !certificate.is_valid_at(at) {
            return Err(PathError::Validity { position, from, until, at });
        }
        if let Some(oid) = certificate.extensions.unknown_critical() {
            return Err(PathError::Critical { position, oid: oid.to_owned() });
        }
        if position > 0 {
            check_authority(certificate, position, purpose)?;
        }
    }
    for (position, pair) in path.windows(2).enumerate() {
        let [below, above] = pair else { continue };
        if below.issuer != above.subject {
            return Err(PathError::Issuer { position });
        }
        below.verify_signature(above.key()).map_err(|source| PathError::Signature { position, source })?;
    }
    Ok(VerifiedPath { leaf, issuer, at })
}

fn check_leaf(leaf: &Certificate, purpose: Purpose) -> Result<(), PathError> {
    let usage = |what| PathError::Usage { position: 0, what };
    if leaf.extensions.basic_constraints()?.is_some_and(|constraints| constraints.is_authority) {
        return Err(usage("is an authority, not a leaf"));
    }
    if leaf.extensions.key_usage(DIGITAL_SIGNATURE)? != Some(true) {
        return Err(usage("has no key usage digitalSignature"));
    }
    let (purposes, critical) = leaf.extensions.purposes()?.ok_or_else(|| usage("has no extended key usage"))?;
    match purpose {
        Purpose::CodeSigning if !purposes.iter().any(|held| held == purpose.oid()) => Err(usage("is not for code signing")),
        Purpose::TimeStamping if !critical || purposes != [purpose.oid()] => Err(usage("is not for time stamping alone, as critical")),
        _ => Ok(()),
    }
}

fn check_authority(authority: &Certificate, position: usize, purpose: Purpose) -> Result<(), PathError> {
    let usage = |what| PathError::Usage { position, what };
    let constraints = authority.extensions.basic_constraints()?.filter(|constraints| constraints.is_authority);
    let constraints = constraints.ok_or_else(|| usage("is no certificate authority"))?;
    if authority.extensions.key_usage(KEY_CERT_SIGN)? == Some(false) {
        return Err(usage("may not sign certificates"));
    }
    // Authorities between this one and the leaf.
    let below = position.saturating_sub(1);
    if constraints.path_length.is_some_and(|length| usize::from(length) < below) {
        return Err(usage("allows fewer authorities below it"));
    }
    // Where an authority names purposes at all, they bind what is below it, as browsers and Go have it.
    let any = "2.5.29.37.0";
    match authority.extensions.purposes()? {
        Some((purposes, _)) if !purposes.iter().any(|held| held == purpose.oid() || held == any) => {
            Err(usage("is an authority for other purposes"))
        }
        _ => Ok(()),
    }
}
