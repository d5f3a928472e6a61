//! The rules in force on one statement: who may sign, what is denied, how fresh the kit is, how much assurance and time is asked for.

use sealtrace_trust::{DeniedKind, Known, SignerClaim, Trust};
use sealtrace_verdict::Checks;

use crate::judge::Place;
use crate::log::LogPosition;
use crate::statement::SignedStatement;

/// `policy-signer-role`, `deny-list`, `kit-age`, and one check for each rule that asks for something.
pub(crate) fn check(signed: &SignedStatement, log: &LogPosition, place: &Place, trust: &Trust, checks: &mut Checks) {
    check_signer(signed, trust, checks);
    check_denied(signed, log, place, trust, checks);
    check_kit_age(place, trust, checks);
    check_place(place, log.origin(), signed.times().len(), trust, checks);
}

fn check_signer(signed: &SignedStatement, trust: &Trust, checks: &mut Checks) {
    let rules = trust.rules();
    if rules.policies().iter().all(|policy| policy.signers.is_none()) {
        return;
    }
    let (key, roles) = (signed.signer(), trust.roles_of(signed.signer()));
    let predicate = &signed.statement().predicate_type;
    let (claim, found) = match signed.identity() {
        Some(identity) => (SignerClaim::Identity(identity), format!("identity {} of {}", identity.identity, identity.issuer)),
        None => {
            let named: Vec<&str> = roles.iter().map(sealtrace_trust::Role::as_str).collect();
            let role = if named.is_empty() { "none".to_owned() } else { named.join(", ") };
            (SignerClaim::Key { key, roles }, format!("key {} with role {role}", key.hex()))
        }
    };
    match rules.may_sign(predicate, &claim) {
        Ok(()) => checks.pass("policy-signer-role", &found),
        Err(who) => {
            checks.differ("policy-signer-role", &who, &found, &format!("this signer may not sign statements of type {predicate}"));
        }
    }
}

fn check_denied(signed: &SignedStatement, log: &LogPosition, place: &Place, trust: &Trust, checks: &mut Checks) {
    let Some(kit) = trust.kit() else { return };
    let deny = &kit.kit().deny;
    let subjects = &signed.statement().subject;
    let (signer, log_key) = (signed.signer().hex(), log.log.key.key_id().hex());
    let known = Known { not_after: place.bounds.not_after(), anchored: place.anchored.then_some((log.origin(), log.index.0)) };
    let names = |kind: DeniedKind, digest: &str| match kind {
        DeniedKind::Artifact => subjects.iter().any(|subject| subject.digest.sha256 == digest),
        DeniedKind::Key => digest == signer || digest == log_key,
        DeniedKind::Certificate => signed.certificate().is_some_and(|certificate| certificate.hex() == digest),
    };
    let named = deny.iter().filter(|denied| names(denied.kind, &denied.digest.hex()));
    let (mut spared, mut against) = (0_usize, None);
    for denied in named {
        if denied.spares(known) {
            spared = spared.saturating_add(1);
        } else {
            against = against.or(Some(denied));
        }
    }
    match against {
        None => checks.pass("deny-list", &format!("{} entries, {spared} name this and are from after it", deny.len())),
        Some(denied) => {
            let since = match (denied.compromise_time, &denied.log_index) {
                (None, None) => String::new(),
                (time, index) => {
                    let time = time.map(|time| format!(" since {time}")).unwrap_or_default();
                    let index =
                        index.as_ref().map(|order| format!(" from entry {} of {} on", order.index, order.origin)).unwrap_or_default();
                    format!("{time}{index}, and neither authenticated time nor the order of a known tree shows that this is from before")
                }
            };
            let kind = format!("{:?}", denied.kind).to_lowercase();
            checks.fail("deny-list", &format!("{kind} {} is denied{since}: {}", denied.digest.hex(), denied.reason));
        }
    }
}

/// `kit-age`, `policy-kit-age`: the kit against the largest authenticated time. A host's clock has no say.
fn check_kit_age(place: &Place, trust: &Trust, checks: &mut Checks) {
    let Some(kit) = trust.kit() else {
        if trust.rules().maximum_kit_age().is_some() {
            checks.undecided("policy-kit-age", "the policy asks for a kit of some age, and no kit is installed");
        }
        return;
    };
    let said = kit.kit();
    let age = place.reference.map_or(0, |now| now.since(said.reference_time));
    let found = format!("kit {} of {}, {age} seconds before the reference time", said.sequence, said.reference_time);
    let over = |limit: Option<u64>| limit.filter(|limit| age > *limit);
    if let Some(limit) = over(said.staleness.fail_after_seconds) {
        checks.differ("kit-age", &format!("at most {limit} seconds"), &found, "the kit is too old: apply the next one");
    } else if over(said.staleness.warn_after_seconds).is_some() {
        checks.warn("kit-age", &found, "the kit grows old: ask for the next one");
    } else {
        checks.pass("kit-age", &found);
    }
    if let Some(limit) = trust.rules().maximum_kit_age() {
        if age > limit {
            checks.differ("policy-kit-age", &format!("at most {limit} seconds"), &found, "the policy asks for a newer kit");
        } else {
            checks.pass("policy-kit-age", &found);
        }
    }
}

/// `policy-assurance`, `policy-time`, `policy-quorum`, `policy-logs`, `policy-timestamps`.
fn check_place(place: &Place, origin: &str, stamps: usize, trust: &Trust, checks: &mut Checks) {
    let rules = trust.rules();
    if let Some(minimum) = rules.minimum_assurance() {
        let (minimum_name, found) = (minimum.as_str(), place.assurance.as_str());
        if place.assurance >= minimum {
            checks.pass("policy-assurance", found);
        } else {
            let why = place.unproven.as_ref().map_or_else(
                || format!("cosignatures over {origin} are missing: {}", missing(trust)),
                |known| format!("nothing proves that the log's tree and the known one of size {} are of one log", known.tree.size),
            );
            checks.differ("policy-assurance", minimum_name, found, &why);
        }
    }
    if rules.require_time() {
        match place.bounds.not_after() {
            Some(time) => checks.pass("policy-time", &format!("not after {time}")),
            None => checks.fail("policy-time", "the policy asks for an authenticated time, and nothing gives one"),
        }
    }
    if rules.require_quorum() {
        if place.quorum {
            checks.pass("policy-quorum", "the cosignatures meet the kit's tlog-policy");
        } else {
            checks.fail("policy-quorum", &format!("the policy asks for cosignatures over {origin}: {}", missing(trust)));
        }
    }
    // A statement of ours is in one log.
    counted("policy-logs", "log(s)", rules.minimum_logs(), 1, checks);
    counted("policy-timestamps", "time stamp(s)", rules.minimum_timestamps(), u32::try_from(stamps).unwrap_or(u32::MAX), checks);
}

fn missing(trust: &Trust) -> &'static str {
    match trust.kit() {
        Some(_) => "those that are here do not meet the kit's tlog-policy",
        None => "no kit is installed, so no log witness is known",
    }
}

fn counted(id: &'static str, what: &str, minimum: u32, found: u32, checks: &mut Checks) {
    let (expected, shown) = (format!("at least {minimum} {what}"), format!("{found} {what}"));
    match () {
        () if minimum == 0 || (minimum == 1 && found == 1) => {}
        () if found >= minimum => checks.pass(id, &shown),
        () => checks.differ(id, &expected, &shown, "the policy asks for more"),
    }
}
