//! Who signed a kit, who may still, and what that means for the next step.
//!
//! Not here: verifying signatures (`sealtrace-trust`), making them (`sign.rs`).

use std::collections::BTreeSet;

use sealtrace_digest::KeyId;
use sealtrace_trust::kit::{Kit, KitDraft, KitError, Tally};
use serde_json::{Value, json};

/// The signatures that a kit needs.
#[derive(Debug)]
pub(super) struct Signatures {
    own: Tally,
    /// By the keys of the kit before, where they or their threshold are other ones.
    before: Option<Tally>,
}

impl Signatures {
    /// Counts the signatures of a kit by its own keys, and by those of the kit before where it is known.
    pub(super) fn of(draft: &KitDraft, previous: Option<&Kit>) -> Result<Self, KitError> {
        let kit = draft.kit();
        let differs = |previous: &&Kit| previous.keys != kit.keys || previous.threshold != kit.threshold;
        let before = previous.map(|previous| draft.tally_by(previous)).transpose()?;
        Ok(Self { own: draft.own().clone(), before: before.filter(|_tally| previous.as_ref().is_some_and(differs)) })
    }

    /// Whether nobody needs to sign any more.
    pub(super) fn are_enough(&self) -> bool {
        self.counts().iter().all(|(_whose, tally)| tally.is_reached())
    }

    /// Whether keys count that are not the kit's own.
    pub(super) fn need_the_kit_before(&self) -> bool {
        self.before.is_some()
    }

    /// Every key whose signature is there and holds.
    pub(super) fn signed(&self) -> BTreeSet<KeyId> {
        self.counts().iter().flat_map(|(_whose, tally)| tally.signed.iter().copied()).collect()
    }

    /// What is counted, and by whose keys.
    fn counts(&self) -> Vec<(&'static str, &Tally)> {
        match &self.before {
            None => vec![("", &self.own)],
            Some(before) => vec![(" by the keys of the kit before", before), (" by its own keys", &self.own)],
        }
    }

    /// For people: how many there are, and who may add one.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |(whose, tally): &(&str, &Tally)| {
            let count = format!("{} of {} signatures needed{whose}", tally.signed.len(), tally.needed);
            if tally.is_reached() { count } else { format!("{count}; may still sign: {}", ids(&tally.open)) }
        };
        self.counts().iter().map(line).collect()
    }

    /// For people: what is lacking, `1 of 2 signatures`; nothing where nothing is.
    pub(super) fn lacking(&self) -> Option<String> {
        let counts = self.counts();
        let short = counts.iter().filter(|(_whose, tally)| !tally.is_reached());
        let short: Vec<String> =
            short.map(|(whose, tally)| format!("{} of {} signatures{whose}", tally.signed.len(), tally.needed)).collect();
        (!short.is_empty()).then(|| short.join(", "))
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let value = |tally: &Tally| json!({"needed": tally.needed, "signed": tally.signed, "mayStillSign": tally.open});
        json!({"ownKeys": value(&self.own), "keysOfTheKitBefore": self.before.as_ref().map(value)})
    }
}

/// Who signed and who may still, as a hint names them.
pub(super) fn who(tally: &Tally) -> String {
    let signed = if tally.signed.is_empty() { "nobody".to_owned() } else { ids(&tally.signed) };
    format!("signed by {signed}; may still sign: {}", ids(&tally.open))
}

fn ids(keys: &BTreeSet<KeyId>) -> String {
    keys.iter().map(KeyId::hex).collect::<Vec<_>>().join(", ")
}
