//! The two spellings of an ECDSA P-256 signature: DER, as everything here keeps it, and raw r‖s, as PKCS#11 answers it.
//!
//! Both halves of a signature's twin (s and n − s) are taken, as every peer takes them. Not here: whether it verifies.

use p256::ecdsa::Signature;

/// The bytes of r‖s (PKCS#11 v3.1, section 6.3.1: 2·nLen).
pub const RAW_SIGNATURE_BYTES: usize = 64;

/// Why bytes are no raw signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RawSignatureError {
    /// Of another length.
    #[error("a raw P-256 signature has {RAW_SIGNATURE_BYTES} bytes, found {found}")]
    Length {
        /// Bytes found.
        found: usize,
    },
    /// Zero, or not below the group order.
    #[error("r or s of the raw signature is zero or not below the order of P-256")]
    Range,
}

/// Raw r‖s as strict DER.
///
/// # Errors
/// [`RawSignatureError`]
pub fn raw_to_der(raw: &[u8]) -> Result<Vec<u8>, RawSignatureError> {
    if raw.len() != RAW_SIGNATURE_BYTES {
        return Err(RawSignatureError::Length { found: raw.len() });
    }
    let signature = Signature::from_slice(raw).map_err(|_range| RawSignatureError::Range)?;
    Ok(signature.to_der().as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKey;

    const N: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

    #[test]
    fn a_raw_signature_of_rfc_6979_is_its_der() {
        let raw = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
        let scalar = hex::decode("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721").unwrap();
        let key = SigningKey::from_scalar(&scalar.try_into().unwrap()).unwrap();
        assert_eq!(raw_to_der(&hex::decode(raw).unwrap()).unwrap(), key.sign(b"sample").unwrap());
    }

    #[test]
    fn high_and_low_s_are_both_taken() {
        let key = SigningKey::from_scalar(&[5; 32]).unwrap();
        for message in [b"a", b"b", b"c", b"d"] {
            let der = key.sign(message).unwrap();
            let signature = Signature::from_der(&der).unwrap();
            let (r, s) = signature.split_scalars();
            let twin = Signature::from_scalars(r, -s).unwrap();
            assert_ne!(twin, signature);
            let twin = raw_to_der(&twin.to_bytes()).unwrap();
            assert_eq!(key.public_key().verify(message, &twin), Ok(()));
        }
    }

    #[test]
    fn zero_the_order_and_other_lengths_are_refused() {
        let (n, one) = (hex::decode(N).unwrap(), [&[0; 31][..], &[1]].concat());
        for raw in
            [[&[0; 32][..], &one].concat(), [&one[..], &[0; 32]].concat(), [&n[..], &one].concat(), [&one[..], &n].concat(), vec![0xff; 64]]
        {
            assert_eq!(raw_to_der(&raw), Err(RawSignatureError::Range));
        }
        for length in [0, 1, 63, 65, 72, 96, 128] {
            assert_eq!(raw_to_der(&vec![1; length]), Err(RawSignatureError::Length { found: length }));
        }
        assert!(raw_to_der(&[one.clone(), one].concat()).is_ok());
    }
}
