//! Making a kit: what the one before says, and what is added, as the payload of the next.

use std::collections::BTreeMap;

use sealtrace_digest::{FileSha256, KeyId};
use sealtrace_envelope::{EnvelopeSignature, KeyError, PublicKey, pae};
use sealtrace_signer::{SigningKey, SigningKeyError};
use sealtrace_tlog::{NodeHash, SignedCheckpoint};
use sealtrace_trust::kit::{
    KIT_PAYLOAD_TYPE, KIT_VERSION, Kit, KitConsistency, KitError, KitFrozen, KitKey, KitPin, KitSigner, KitSite, KitWitness, SignedKit,
    Staleness,
};
use sealtrace_trust::{CheckpointExport, ConsistencyBody, Denied, EnrolmentRequest, Policy, Role, Trust, TrustError};
use sealtrace_verdict::UnixTime;

/// Why no kit can be made of what was given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum KitMakeError {
    /// What was given contradicts itself, or makes no sound kit.
    #[error(transparent)]
    Kit(#[from] KitError),
    /// A trust folder contradicts another, or the kit before.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A key that cannot be used.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
    /// A key that cannot be written.
    #[error(transparent)]
    Public(#[from] KeyError),
    /// A site's name, log or key that another site has.
    #[error("site {name}: its {what} is enrolled already, for {holder}")]
    Site {
        /// The site.
        name: String,
        /// What.
        what: &'static str,
        /// Who has it.
        holder: String,
    },
}

/// A kit in the making.
#[derive(Debug)]
pub(crate) struct Making {
    kit: Kit,
    trust: Trust,
}

impl Making {
    /// Begins with what the kit before says; without one, with nothing.
    pub(crate) fn after(previous: Option<&SignedKit>, reference_time: UnixTime) -> Result<Self, KitMakeError> {
        let (mut kit, trust) = match previous {
            Some(previous) => {
                let mut trust = Trust::default();
                for key in previous.kit().signer_keys()?.into_values() {
                    trust.add_signer(key);
                }
                previous.kit().logs()?.into_iter().try_for_each(|log| trust.add_log(log))?;
                (previous.kit().clone(), trust)
            }
            None => (empty(reference_time), Trust::default()),
        };
        kit.sequence = previous.map_or(1, |previous| previous.kit().sequence.saturating_add(1));
        kit.previous = previous.map(SignedKit::digest);
        kit.reference_time = reference_time;
        Ok(Self { kit, trust })
    }

    /// Adds the logs of a trust folder, and its signers in these roles.
    pub(crate) fn add_folder(&mut self, folder: &Trust, roles: &[Role]) -> Result<(), KitMakeError> {
        for key in folder.signers() {
            self.add_signer(key, roles)?;
        }
        folder.logs().iter().try_for_each(|log| self.trust.add_log(log.clone()))?;
        Ok(())
    }

    fn add_signer(&mut self, key: &PublicKey, roles: &[Role]) -> Result<(), KitMakeError> {
        self.trust.add_signer(key.clone());
        if let Some(held) = self.kit.signers.iter_mut().find(|held| held.key_id == key.key_id()) {
            held.roles.extend(roles.iter().cloned());
            held.roles.sort();
            held.roles.dedup();
            return Ok(());
        }
        self.kit.signers.push(KitSigner { key_id: key.key_id(), public_key: key.to_pem()?, roles: roles.to_vec() });
        Ok(())
    }

    /// Replaces the keys that sign the next kit.
    pub(crate) fn keys(&mut self, keys: &[PublicKey], threshold: u32) -> Result<(), KitMakeError> {
        let keys =
            keys.iter().map(|key| Ok(KitKey { key_id: key.key_id(), public_key: key.to_pem()? })).collect::<Result<Vec<_>, KeyError>>()?;
        self.kit.keys = keys;
        self.kit.threshold = threshold;
        Ok(())
    }

    /// Sets the threshold.
    pub(crate) fn threshold(&mut self, threshold: u32) {
        self.kit.threshold = threshold;
    }

    /// Whether keys are set, by the kit before or by [`Making::keys`].
    pub(crate) fn has_keys(&self) -> bool {
        !self.kit.keys.is_empty()
    }

    /// Enrols a site.
    pub(crate) fn enroll(&mut self, request: &EnrolmentRequest) -> Result<(), KitMakeError> {
        let name = request.name().to_owned();
        let taken = |what, holder: &str| Err(KitMakeError::Site { name: name.clone(), what, holder: holder.to_owned() });
        let signers: Vec<KeyId> = request.signers().map(PublicKey::key_id).collect();
        for site in &self.kit.sites {
            let same = site.name == name && site.origin == request.log().origin.as_str() && site.log_key == request.log().key.key_id();
            match () {
                // A site that has further signers.
                () if same => {}
                () if site.name == name => return taken("name", &site.name),
                () if site.origin == request.log().origin.as_str() => return taken("log", &site.name),
                () if site.signer_keys.iter().any(|key| signers.contains(key)) => return taken("signer", &site.name),
                () => {}
            }
        }
        let role: Vec<Role> = Role::parse(Role::SITE).into_iter().collect();
        for key in request.signers() {
            self.add_signer(key, &role)?;
        }
        self.trust.add_log(sealtrace_trust::TrustedLog::new(request.log().clone()))?;
        self.kit.sites.retain(|site| site.name != name);
        self.kit.sites.push(KitSite {
            name,
            origin: request.log().origin.as_str().to_owned(),
            log_key: request.log().key.key_id(),
            signer_keys: signers,
            request_sha256: request.sha256(),
        });
        Ok(())
    }

    /// Pins a checkpoint; an older pin of that log stays, the proof that it is a beginning being the reader's to find.
    pub(crate) fn pin(&mut self, checkpoint: &SignedCheckpoint) {
        let said = checkpoint.checkpoint();
        let pin = KitPin {
            origin: said.origin.clone(),
            size: said.tree.size.0,
            root: FileSha256::from_bytes(*said.tree.root.as_bytes()),
            checkpoint: checkpoint.text().to_owned(),
        };
        self.kit.pins.retain(|held| (&held.origin, held.size) != (&pin.origin, pin.size));
        self.kit.pins.push(pin);
    }

    /// Says that a log takes no more entries.
    pub(crate) fn freeze(&mut self, checkpoint: &SignedCheckpoint) {
        let origin = checkpoint.checkpoint().origin.clone();
        self.kit.frozen.retain(|held| held.origin != origin);
        self.kit.frozen.push(KitFrozen { origin, checkpoint: checkpoint.text().to_owned() });
    }

    /// Takes back a checkpoint that a courier brought, with its proofs. Signatures of the same checkpoint from several files are kept together.
    pub(crate) fn courier(&mut self, export: &CheckpointExport) {
        let said = export.checkpoint.checkpoint();
        let same = |text: &String| SignedCheckpoint::parse(text).is_ok_and(|held| held.checkpoint() == said);
        match self.kit.checkpoints.iter_mut().find(|text| same(text)) {
            Some(held) => *held = joined(held, export.checkpoint.text()),
            None => self.kit.checkpoints.push(export.checkpoint.text().to_owned()),
        }
        export.consistency.iter().for_each(|body| self.consistency(body));
    }

    /// Adds a proof; an older proof from that size of that log goes when its target is smaller.
    pub(crate) fn consistency(&mut self, body: &ConsistencyBody) {
        let newer = body.checkpoint().checkpoint();
        let proof = KitConsistency { origin: newer.origin.clone(), from: body.old_size(), to: newer.tree.size.0, body: body.encode() };
        if proof.from >= proof.to || self.kit.consistency.contains(&proof) {
            return;
        }
        self.kit.consistency.retain(|held| (&held.origin, held.from, held.to) != (&proof.origin, proof.from, proof.to));
        self.kit.consistency.push(proof);
    }

    /// Sets the tlog-policy and where its log witnesses stand.
    pub(crate) fn tlog_policy(&mut self, text: String, witnesses: Vec<KitWitness>) {
        self.kit.tlog_policy = Some(text);
        self.kit.witnesses = witnesses;
    }

    /// Sets the policy.
    pub(crate) fn policy(&mut self, policy: Policy) {
        self.kit.policy = Some(policy);
    }

    /// Adds entries of a deny list.
    pub(crate) fn deny(&mut self, entries: Vec<Denied>) {
        self.kit.deny.extend(entries);
    }

    /// Sets the ages.
    pub(crate) fn staleness(&mut self, staleness: Staleness) {
        self.kit.staleness = staleness;
    }

    /// The payload: everything in order, so that the same content is the same bytes; checked as a reader checks it.
    pub(crate) fn payload(mut self) -> Result<Vec<u8>, KitMakeError> {
        let root = sealtrace_trust::trusted_root_json(self.trust.logs()).map_err(KitError::Root)?;
        self.kit.trusted_root = sealtrace_json::parse_value(&root, root.len()).map_err(KitError::Json)?;
        let kit = &mut self.kit;
        kit.keys.sort_by_key(|key| key.key_id);
        kit.signers.sort_by_key(|signer| signer.key_id);
        kit.sites.sort_by(|a, b| a.name.cmp(&b.name));
        kit.witnesses.sort_by(|a, b| a.name.cmp(&b.name));
        kit.pins.sort_by(|a, b| (&a.origin, a.size).cmp(&(&b.origin, b.size)));
        kit.frozen.sort_by(|a, b| a.origin.cmp(&b.origin));
        kit.consistency.sort_by(|a, b| (&a.origin, a.from, a.to).cmp(&(&b.origin, b.from, b.to)));
        kit.checkpoints.sort();
        kit.deny.sort();
        kit.deny.dedup();
        let payload = kit.encode()?;
        Kit::parse(&payload)?;
        Ok(payload)
    }
}

/// Signs a payload with each key.
pub(crate) fn sign(payload: &[u8], keys: &[SigningKey]) -> Result<Vec<EnvelopeSignature>, KitMakeError> {
    let message = pae(KIT_PAYLOAD_TYPE, payload);
    let signed = keys.iter().map(|key| Ok((key.key_id(), EnvelopeSignature { sig: key.sign(&message)?, keyid: key.public_key().hint() })));
    let signatures: BTreeMap<KeyId, EnvelopeSignature> = signed.collect::<Result<_, SigningKeyError>>()?;
    Ok(signatures.into_values().collect())
}

/// One checkpoint with the signature lines of two.
fn joined(one: &str, two: &str) -> String {
    let lines = |text: &str| text.rsplit_once("\n\n").map(|(_, lines)| lines.to_owned()).unwrap_or_default();
    let held = lines(one);
    let more: String =
        lines(two).lines().filter(|line| !held.lines().any(|held| held == *line)).fold(String::new(), |text, line| text + line + "\n");
    format!("{one}{more}")
}

fn empty(reference_time: UnixTime) -> Kit {
    Kit {
        kit_version: KIT_VERSION,
        sequence: 1,
        previous: None,
        reference_time,
        keys: Vec::new(),
        threshold: 0,
        trusted_root: serde_json::Value::Null,
        signers: Vec::new(),
        sites: Vec::new(),
        tlog_policy: None,
        witnesses: Vec::new(),
        pins: Vec::new(),
        consistency: Vec::new(),
        frozen: Vec::new(),
        checkpoints: Vec::new(),
        deny: Vec::new(),
        staleness: Staleness { warn_after_seconds: None, fail_after_seconds: None },
        policy: None,
    }
}

/// A proof of a log on disk, as the body that a log witness takes.
pub(crate) fn body_of(from: u64, proof: Vec<NodeHash>, checkpoint: &SignedCheckpoint) -> ConsistencyBody {
    ConsistencyBody::new(from, proof, checkpoint.clone())
}
