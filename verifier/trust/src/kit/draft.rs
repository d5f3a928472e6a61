//! A kit that may still lack signatures: what a co-signer looks at before signing.
//!
//! Not here: believing it. Only [`SignedKit`](super::SignedKit) has its own threshold, and only [`accept()`](super::accept()) says whether to install it.

use std::collections::{BTreeMap, BTreeSet};

use sealtrace_digest::KeyId;
use sealtrace_envelope::{Envelope, EnvelopeSignature, MAX_ENVELOPE_SIGNATURES, PublicKey};

use super::{KIT_PAYLOAD_TYPE, Kit, KitDigest, KitError, MAX_KIT_BYTES, excerpt};

/// Who of the keys of a kit signed, and who may still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The threshold of those keys.
    pub needed: u32,
    /// Keys with a valid signature.
    pub signed: BTreeSet<KeyId>,
    /// Keys without one.
    pub open: BTreeSet<KeyId>,
}

impl Tally {
    /// Whether as many signed as must.
    pub fn is_reached(&self) -> bool {
        u32::try_from(self.signed.len()).unwrap_or(u32::MAX) >= self.needed
    }
}

/// A sound kit in which every signature by one of its own keys holds, though they may be too few.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KitDraft {
    kit: Kit,
    envelope: Envelope,
    digest: KitDigest,
    bytes: Vec<u8>,
    own: Tally,
}

impl KitDraft {
    /// Parses a kit's file and verifies the signatures by its own keys.
    ///
    /// # Errors
    /// [`KitError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, KitError> {
        let envelope = parse_envelope(bytes)?;
        let kit = Kit::parse(&envelope.payload)?;
        let digest = KitDigest::of(&envelope.payload);
        let own = tally(&envelope, &kit)?;
        Ok(Self { kit, envelope, digest, bytes: bytes.to_vec(), own })
    }

    /// What it says.
    pub fn kit(&self) -> &Kit {
        &self.kit
    }

    /// Its content address, which signatures do not change.
    pub fn digest(&self) -> KitDigest {
        self.digest
    }

    /// The file, verbatim.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its payload, which is signed.
    pub fn payload(&self) -> &[u8] {
        &self.envelope.payload
    }

    /// Its signatures; those by other keys than its own are not verified.
    pub fn signatures(&self) -> &[EnvelopeSignature] {
        &self.envelope.signatures
    }

    /// Who of its own keys signed.
    pub fn own(&self) -> &Tally {
        &self.own
    }

    /// Who of the keys of another kit signed: the one before, whose keys decide whether this one follows it.
    ///
    /// # Errors
    /// [`KitError::Signature`]
    pub fn tally_by(&self, kit: &Kit) -> Result<Tally, KitError> {
        tally(&self.envelope, kit)
    }

    pub(super) fn signers(&self, keys: &BTreeMap<KeyId, PublicKey>) -> Result<BTreeSet<KeyId>, KitError> {
        signers(&self.envelope, keys)
    }
}

fn parse_envelope(bytes: &[u8]) -> Result<Envelope, KitError> {
    let envelope: Envelope = sealtrace_json::parse(bytes, MAX_KIT_BYTES).map_err(KitError::Json)?;
    if envelope.payload_type != KIT_PAYLOAD_TYPE {
        let found = excerpt(&envelope.payload_type);
        return Err(KitError::Field { what: "payloadType", expected: KIT_PAYLOAD_TYPE.to_owned(), found });
    }
    if envelope.signatures.len() > MAX_ENVELOPE_SIGNATURES {
        let expected = format!("at most {MAX_ENVELOPE_SIGNATURES}");
        return Err(KitError::Field { what: "signatures", expected, found: envelope.signatures.len().to_string() });
    }
    if sealtrace_json::canonical(&envelope).map_err(KitError::Json)? != bytes {
        let (expected, found) = ("canonical JSON".to_owned(), "another spelling".to_owned());
        return Err(KitError::Field { what: "file", expected, found });
    }
    Ok(envelope)
}

fn tally(envelope: &Envelope, kit: &Kit) -> Result<Tally, KitError> {
    let keys = kit.public_keys()?;
    let signed = signers(envelope, &keys)?;
    let open = keys.into_keys().filter(|key| !signed.contains(key)).collect();
    Ok(Tally { needed: kit.threshold, signed, open })
}

fn signers(envelope: &Envelope, keys: &BTreeMap<KeyId, PublicKey>) -> Result<BTreeSet<KeyId>, KitError> {
    let by_hint: BTreeMap<String, &PublicKey> = keys.values().map(|key| (key.hint(), key)).collect();
    let pae = envelope.pae();
    let mut signers = BTreeSet::new();
    for signature in &envelope.signatures {
        let Some(key) = by_hint.get(&signature.keyid) else { continue };
        key.verify(&pae, &signature.sig).map_err(|_mismatch| KitError::Signature { key: key.key_id().hex() })?;
        signers.insert(key.key_id());
    }
    Ok(signers)
}
