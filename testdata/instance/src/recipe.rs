//! One instance with one signed artifact, before anything is issued: honest as made, until a variant changes one part of it.
//!
//! Whatever comes after the changed part is made from it (re-issued, re-signed, re-logged), so that one check alone can notice.

use serde_json::Value;

use crate::certificate::{
    CERT_AND_CRL_SIGN, CODE_SIGNING, DIGITAL_SIGNATURE, Sct, Template, authority, extended_key_usage, identity, issuer, key_usage,
    time_stamping,
};
use crate::key::Key;
use crate::log::Note;
use crate::time::{BEGIN, END, ISSUED, LIFETIME, SIGNED};
use crate::timestamp::Token;

/// The name of the instance's log, which is its checkpoints' origin too.
pub(crate) const ORIGIN: &str = "log.instance.example";
/// Who signs: the URI in the signer's certificate.
pub(crate) const IDENTITY: &str = "https://build.instance.example/release.yml@refs/heads/main";
/// Who vouches for it.
pub(crate) const ISSUER: &str = "https://oidc.instance.example";
/// The signed file.
pub(crate) const ARTIFACT: &[u8] = b"an artifact of the private instance\n";

/// What is signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Message,
    Dsse,
}

/// How the signer is named.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signer {
    Certificate,
    ManagedKey,
}

/// What an envelope's signature says of a managed key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyId {
    /// The bundle's hint: base64 of the SHA-256 of the `SubjectPublicKeyInfo`.
    Hint,
    Absent,
}

/// Which Rekor logged it, and in which bundle.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Rekor v2 in a bundle v0.3.
    Rekor2,
    /// Rekor v1 in a bundle v0.3: promise and proof.
    Rekor1,
    /// Rekor v1 in a bundle v0.2: promise and proof, a chain of one certificate.
    Rekor1V02,
    /// Rekor v1 in a bundle v0.1: the promise alone.
    Rekor1V01,
}

/// Everything that is to be issued, signed and logged.
#[derive(Clone)]
pub(crate) struct Recipe {
    pub(crate) content: Content,
    pub(crate) signer: Signer,
    pub(crate) shape: Shape,
    /// The signer's key, as certificate and hint name it.
    pub(crate) key: Key,
    /// The key that makes the signature.
    pub(crate) signed_by: Key,
    /// The key that the verifier is told to trust.
    pub(crate) given_key: Key,
    pub(crate) root: Template,
    pub(crate) intermediate: Template,
    pub(crate) leaf: Template,
    pub(crate) sct: Option<Sct>,
    /// What was signed, and what the verifier is shown.
    pub(crate) signed_artifact: Vec<u8>,
    pub(crate) artifact: Vec<u8>,
    pub(crate) edit_statement: fn(&mut Value),
    pub(crate) keyid: KeyId,
    pub(crate) identity: &'static str,
    pub(crate) issuer: &'static str,
    pub(crate) entry: Entry,
    pub(crate) origin: &'static str,
    pub(crate) log_key: Key,
    pub(crate) edit_note: fn(&mut Note),
    pub(crate) tsa_root: Template,
    pub(crate) tsa: Template,
    /// None where no authority stamps the signature.
    pub(crate) token: Option<fn(&mut Token)>,
    pub(crate) edit_root: fn(&mut Value),
    pub(crate) edit_bundle: fn(&mut Value),
}

/// How the log entry is made, and which leaf is proven.
#[derive(Clone)]
pub(crate) struct Entry {
    /// Another key than the signer's, in the entry's verifier.
    pub(crate) key: Option<Key>,
    pub(crate) signature: Option<Vec<u8>>,
    /// Another message than the signed one.
    pub(crate) message: Option<Vec<u8>>,
    pub(crate) edit_body: fn(&mut Value),
    /// After the canonical form is made.
    pub(crate) encode: fn(String) -> String,
    /// The index of the proof, where it is of another leaf.
    pub(crate) proven: Option<usize>,
    /// Rekor v1: the promised time and who promises.
    pub(crate) time: u64,
    pub(crate) promised_by: Key,
}

/// An authority's own certificate.
fn root(subject: &'static str, key: &Key, serial: u64) -> Template {
    Template {
        serial,
        subject,
        issuer: subject,
        not_before: BEGIN,
        not_after: END,
        key: key.clone(),
        authority: key.clone(),
        signed_by: key.clone(),
        extensions: vec![authority(None), key_usage(CERT_AND_CRL_SIGN)],
    }
}

/// A certificate below an authority.
fn below(above: &Template, subject: &'static str, key: Key, serial: u64) -> Template {
    let (authority, signed_by) = (above.key.clone(), above.key.clone());
    Template {
        serial,
        subject,
        issuer: above.subject,
        not_before: BEGIN,
        not_after: END,
        key,
        authority,
        signed_by,
        extensions: Vec::new(),
    }
}

/// The certificate of a timestamp authority below a root.
pub(crate) fn tsa_below(above: &Template, key: Key) -> Template {
    let mut tsa = below(above, "instance tsa", key, 0x5153);
    tsa.extensions = vec![key_usage(DIGITAL_SIGNATURE), time_stamping()];
    tsa
}

/// A root of timestamp authorities.
pub(crate) fn tsa_root(key: &Key) -> Template {
    root("instance tsa root", key, 0x5152)
}

impl Recipe {
    /// A message signature by certificate: logged in Rekor v2, timestamped.
    pub(crate) fn message() -> Self {
        let key = Key::p256("instance signer");
        let (ca_root, intermediate) = Self::authorities(&Key::p256("instance root"), Key::p256("instance intermediate"));
        let tsa_root = tsa_root(&Key::p256("instance tsa root"));
        let ct = Key::p256("instance ct log");
        Self {
            content: Content::Message,
            signer: Signer::Certificate,
            shape: Shape::Rekor2,
            signed_by: key.clone(),
            given_key: key.clone(),
            leaf: Self::signer_certificate(&intermediate, key.clone()),
            key,
            root: ca_root,
            intermediate,
            sct: Some(Sct { log: ct.clone(), signed_by: ct, time: ISSUED, seen: |_| {} }),
            signed_artifact: ARTIFACT.to_vec(),
            artifact: ARTIFACT.to_vec(),
            edit_statement: |_| {},
            keyid: KeyId::Hint,
            identity: IDENTITY,
            issuer: ISSUER,
            entry: Entry::honest(),
            origin: ORIGIN,
            log_key: Key::p256("instance log"),
            edit_note: |_| {},
            tsa: tsa_below(&tsa_root, Key::p256("instance tsa")),
            tsa_root,
            token: Some(|_| {}),
            edit_root: |_| {},
            edit_bundle: |_| {},
        }
    }

    /// A DSSE envelope by certificate: logged in Rekor v2, timestamped.
    pub(crate) fn dsse() -> Self {
        Self { content: Content::Dsse, ..Self::message() }
    }

    /// The same, by a managed key.
    pub(crate) fn by_key(mut self) -> Self {
        self.signer = Signer::ManagedKey;
        self
    }

    /// The same, with no keyid in the envelope.
    pub(crate) fn without_keyid(mut self) -> Self {
        self.keyid = KeyId::Absent;
        self
    }

    /// The same, without a timestamp.
    pub(crate) fn unstamped(mut self) -> Self {
        self.token = None;
        self
    }

    /// The same, logged in Rekor v1, whose promise is the time.
    pub(crate) fn rekor1(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self.unstamped()
    }

    /// The same, by another key of the same signer.
    pub(crate) fn signed_with(mut self, key: &Key) -> Self {
        self.key = key.clone();
        self.signed_by = key.clone();
        self.given_key = key.clone();
        self.leaf.key = key.clone();
        self
    }

    /// The same, below authorities with other keys.
    pub(crate) fn below(mut self, root: &Key, intermediate: Key) -> Self {
        (self.root, self.intermediate) = Self::authorities(root, intermediate);
        self.leaf = Self::signer_certificate(&self.intermediate, self.key.clone());
        self
    }

    fn authorities(root_key: &Key, intermediate_key: Key) -> (Template, Template) {
        let root = root("instance root", root_key, 0x1001);
        let mut intermediate = below(&root, "instance intermediate", intermediate_key, 0x1002);
        intermediate.extensions = vec![authority(Some(0)), key_usage(CERT_AND_CRL_SIGN), extended_key_usage(CODE_SIGNING)];
        (root, intermediate)
    }

    fn signer_certificate(intermediate: &Template, key: Key) -> Template {
        let mut leaf = below(intermediate, "", key, 0x1003);
        (leaf.not_before, leaf.not_after) = (ISSUED, ISSUED + LIFETIME);
        leaf.extensions = vec![key_usage(DIGITAL_SIGNATURE), extended_key_usage(CODE_SIGNING), identity(IDENTITY)];
        leaf.extensions.extend(issuer(ISSUER));
        leaf
    }
}

impl Entry {
    fn honest() -> Self {
        Self {
            key: None,
            signature: None,
            message: None,
            edit_body: |_| {},
            encode: |body| body,
            proven: None,
            time: SIGNED,
            promised_by: Key::p256("instance log"),
        }
    }
}
