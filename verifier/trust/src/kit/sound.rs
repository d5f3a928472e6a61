//! What a kit must fulfil beyond its shape: bounds, distinct names, keys whose ids fit, checkpoints of logs that the kit trusts.

use std::collections::BTreeSet;
use std::fmt::Display;

use sealtrace_tlog::{LogKey, SignedCheckpoint};

use super::payload::Kit;
use super::{KIT_VERSION, KitError, MAX_KIT_KEYS, excerpt};
use crate::consistency::ConsistencyBody;

/// The most entries of one list of a kit (ours).
const MAX_LIST: usize = 4096;
/// The most characters of a name or reason (ours).
const MAX_NAME: usize = 256;

impl Kit {
    /// # Errors
    /// [`KitError`]
    pub(super) fn check(&self) -> Result<(), KitError> {
        equal("kitVersion", KIT_VERSION, self.kit_version)?;
        hold("sequence", "1 or more", self.sequence, self.sequence >= 1)?;
        hold(
            "previous",
            "null in the first kit and a digest in every other",
            self.sequence,
            self.previous.is_none() == (self.sequence == 1),
        )?;
        hold("keys", "1 to 16", self.keys.len(), (1..=MAX_KIT_KEYS).contains(&self.keys.len()))?;
        let keys = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        hold("threshold", "1 to the number of keys", self.threshold, (1..=keys).contains(&self.threshold))?;
        self.check_lists()?;
        distinct("keys", self.public_keys()?.len(), self.keys.len())?;
        distinct("signers", self.signer_keys()?.len(), self.signers.len())?;
        self.check_sites()?;
        self.check_checkpoints()?;
        self.cosigners()?;
        for denied in &self.deny {
            hold("deny", "no compromise time or index for an artifact", &denied.reason, denied.is_sound())?;
        }
        let Some(policy) = &self.policy else { return Ok(()) };
        Ok(policy.check()?)
    }

    fn check_lists(&self) -> Result<(), KitError> {
        let lengths = [self.signers.len(), self.sites.len(), self.witnesses.len(), self.pins.len(), self.consistency.len()];
        let more = [self.frozen.len(), self.checkpoints.len(), self.deny.len()];
        let longest = lengths.into_iter().chain(more).max().unwrap_or(0);
        hold("list", "at most 4096 entries", longest, longest <= MAX_LIST)?;
        let names = self.sites.iter().map(|site| &site.name).chain(self.deny.iter().map(|denied| &denied.reason));
        for name in names.chain(self.witnesses.iter().map(|witness| &witness.name)) {
            let plain = !name.is_empty() && name.chars().count() <= MAX_NAME && !name.chars().any(char::is_control);
            hold("name or reason", "1 to 256 printable characters", excerpt(name), plain)?;
        }
        let witnesses: BTreeSet<&str> = self.witnesses.iter().map(|witness| witness.name.as_str()).collect();
        distinct("witnesses", witnesses.len(), self.witnesses.len())
    }

    /// A site's keys are keys of the kit, and its name and log are its own.
    fn check_sites(&self) -> Result<(), KitError> {
        let logs = self.logs()?;
        let names: BTreeSet<&str> = self.sites.iter().map(|site| site.name.as_str()).collect();
        distinct("sites", names.len(), self.sites.len())?;
        for site in &self.sites {
            let known = logs.iter().any(|log| log.log.origin.as_str() == site.origin && log.log.key.key_id() == site.log_key);
            hold("sites", "a log of the trusted root", excerpt(&site.origin), known)?;
            let signs = |key: &sealtrace_digest::KeyId| self.signers.iter().any(|signer| signer.key_id == *key);
            hold("sites", "signers of the kit", &site.name, !site.signer_keys.is_empty() && site.signer_keys.iter().all(signs))?;
        }
        Ok(())
    }

    /// Every checkpoint is signed by a log that the kit trusts, and says what stands beside it.
    fn check_checkpoints(&self) -> Result<(), KitError> {
        let logs: Vec<LogKey> = self.logs()?.into_iter().map(|log| log.log).collect();
        for pin in &self.pins {
            let checkpoint = signed("pins", &pin.checkpoint, &logs)?;
            let said = checkpoint.checkpoint();
            equal("pins origin", &said.origin, &pin.origin)?;
            equal("pins size", said.tree.size.0, pin.size)?;
            equal("pins root", said.tree.root.hex(), pin.root.hex())?;
        }
        for frozen in &self.frozen {
            equal("frozen origin", &signed("frozen", &frozen.checkpoint, &logs)?.checkpoint().origin, &frozen.origin)?;
        }
        for checkpoint in &self.checkpoints {
            signed("checkpoints", checkpoint, &logs)?;
        }
        for one in &self.consistency {
            let body = ConsistencyBody::parse(&one.body).map_err(|error| KitError::Field {
                what: "consistency body",
                expected: "a C2SP add-checkpoint body".to_owned(),
                found: error.to_string(),
            })?;
            let newer = signed("consistency", body.checkpoint().text(), &logs)?;
            equal("consistency origin", &newer.checkpoint().origin, &one.origin)?;
            equal("consistency from", body.old_size(), one.from)?;
            equal("consistency to", newer.checkpoint().tree.size.0, one.to)?;
            hold("consistency from", "below to", one.from, one.from < one.to)?;
        }
        let origins: BTreeSet<&str> = self.frozen.iter().map(|frozen| frozen.origin.as_str()).collect();
        distinct("frozen", origins.len(), self.frozen.len())?;
        let pinned: BTreeSet<(&str, u64)> = self.pins.iter().map(|pin| (pin.origin.as_str(), pin.size)).collect();
        distinct("pins", pinned.len(), self.pins.len())
    }
}

/// A checkpoint whose origin line and signature are those of one of these logs.
fn signed(what: &'static str, text: &str, logs: &[LogKey]) -> Result<SignedCheckpoint, KitError> {
    let wrong = |source| KitError::Checkpoint { what, source };
    let checkpoint = SignedCheckpoint::parse(text).map_err(wrong)?;
    let origin = &checkpoint.checkpoint().origin;
    let log = logs.iter().find(|log| log.origin.as_str() == origin).ok_or_else(|| KitError::Field {
        what,
        expected: "a log of the trusted root".to_owned(),
        found: excerpt(origin),
    })?;
    checkpoint.verify(log).map_err(wrong)?;
    Ok(checkpoint)
}

fn equal<T: PartialEq + Display>(what: &'static str, expected: T, found: T) -> Result<(), KitError> {
    if expected == found {
        return Ok(());
    }
    Err(KitError::Field { what, expected: excerpt(&expected.to_string()), found: excerpt(&found.to_string()) })
}

fn hold(what: &'static str, expected: &str, found: impl Display, holds: bool) -> Result<(), KitError> {
    if holds { Ok(()) } else { Err(KitError::Field { what, expected: expected.to_owned(), found: excerpt(&found.to_string()) }) }
}

fn distinct(what: &'static str, distinct: usize, all: usize) -> Result<(), KitError> {
    hold(what, "each once", format_args!("{} twice", all.saturating_sub(distinct)), distinct == all)
}
