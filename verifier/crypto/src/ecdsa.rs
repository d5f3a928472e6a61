//! ECDSA over one curve: strict DER, then the curve's own verification of a digest.

use crate::key::SignatureError;

macro_rules! verify_on_curve {
    ($(#[$doc:meta])* $name:ident, $curve:ident) => {
        $(#[$doc])*
        pub(crate) fn $name(key: &$curve::ecdsa::VerifyingKey, digest: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
            use $curve::ecdsa::signature::hazmat::PrehashVerifier as _;
            let parsed = $curve::ecdsa::DerSignature::from_bytes(signature).map_err(|_reason| SignatureError::NotDer)?;
            if parsed.as_bytes() != signature {
                return Err(SignatureError::NotDer);
            }
            let scalars = $curve::ecdsa::Signature::from_der(signature).map_err(|_reason| SignatureError::NotDer)?;
            key.verify_prehash(digest, &scalars).map_err(|_reason| SignatureError::Mismatch)
        }
    };
}

verify_on_curve!(
    /// P-256.
    verify_p256,
    p256
);
verify_on_curve!(
    /// P-384.
    verify_p384,
    p384
);
verify_on_curve!(
    /// P-521.
    verify_p521,
    p521
);
