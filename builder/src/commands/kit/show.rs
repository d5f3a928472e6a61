//! `kit show`: what a kit says, also while signatures are lacking, since who is to sign must look first. Looking is not trusting.

use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, escape, print, print_json};
use sealtrace_digest::KeyId;
use sealtrace_envelope::{PublicKey, decode_base64};
use sealtrace_trust::Denied;
use sealtrace_trust::kit::{Kit, KitDraft};

use super::checkpoints;
use super::files::{kit_failure, read_draft};
use super::signatures::Signatures;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// The kit
    #[arg(value_name = "KIT")]
    kit: PathBuf,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Shows a kit.
pub(crate) fn run(args: &ShowArgs) -> Outcome {
    let wrong = |error| kit_failure(&args.kit, &error);
    let draft = read_draft(&args.kit)?;
    let signatures = Signatures::of(&draft, None).map_err(wrong)?;
    let kit = draft.kit();
    if args.output.json {
        print_json(&serde_json::json!({
            "valid": signatures.are_enough(), "signers": signatures.json(), "digest": draft.digest(), "words": draft.digest().words(),
            "checkpoints": checkpoints::list(kit), "kit": kit,
        }));
        return Ok(ExitCode::Done);
    }
    if let Some(lacking) = signatures.lacking() {
        print(&format!("NOT VALID YET: {lacking}"));
    }
    heading(&draft);
    show_keys(&draft, &args.kit)?;
    for signer in &kit.signers {
        let roles: Vec<&str> = signer.roles.iter().map(sealtrace_trust::Role::as_str).collect();
        print(&format!("signer      {} {}", signer.key_id, roles.join(",")));
    }
    for log in kit.logs().map_err(wrong)? {
        print(&format!("log         {} {} ({})", log.log.key.key_id(), log.log.origin, log.shown_window()));
    }
    show_rest(kit);
    Ok(ExitCode::Done)
}

fn heading(draft: &KitDraft) {
    let kit = draft.kit();
    print(&format!("kit {} of {}", kit.sequence, kit.reference_time));
    print(&format!("fingerprint {}", draft.digest()));
    print(&format!("      words {}", draft.digest().words()));
    print(&format!("follows     {}", kit.previous.map_or_else(|| "nothing: it is the first".to_owned(), |previous| previous.hex())));
}

/// The keys of the next kit, and who signed this one.
fn show_keys(draft: &KitDraft, path: &Path) -> Result<(), Failure> {
    let kit = draft.kit();
    for key in &kit.keys {
        let signed = if draft.own().signed.contains(&key.key_id) { ", signed this kit" } else { "" };
        print(&format!("kit key     {} (threshold {}){signed}", key.key_id, kit.threshold));
    }
    let own = kit.public_keys().map_err(|error| kit_failure(path, &error))?;
    let own: Vec<String> = own.values().map(PublicKey::hint).collect();
    for other in draft.signatures().iter().filter(|signature| !own.contains(&signature.keyid)) {
        print(&format!("signature   {} (none of these keys: not verified)", key_of_hint(&other.keyid)));
    }
    Ok(())
}

/// The key that a signature names, spelled as keys are everywhere else.
fn key_of_hint(hint: &str) -> String {
    let bytes = decode_base64(hint).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.map_or_else(|| escape(hint), |bytes| KeyId::from_bytes(bytes).hex())
}

fn show_rest(kit: &Kit) {
    for site in &kit.sites {
        print(&format!("site        {} in {}, request {}", escape(&site.name), escape(&site.origin), site.request_sha256));
    }
    for pin in &kit.pins {
        print(&format!("pin         {} size {} root {}", escape(&pin.origin), pin.size, pin.root));
    }
    for frozen in &kit.frozen {
        print(&format!("frozen      {}", escape(&frozen.origin)));
    }
    for checkpoint in checkpoints::list(kit) {
        print(&format!("checkpoint  {}", checkpoint.line()));
    }
    for denied in &kit.deny {
        print(&format!("denied      {}", denial(denied)));
    }
    let counts = [("proofs", kit.consistency.len()), ("checkpoints", kit.checkpoints.len()), ("log witnesses", kit.witnesses.len())];
    print(&format!("carries     {}", counts.map(|(what, count)| format!("{count} {what}")).join(", ")));
    print(&format!(
        "policy      {}",
        if kit.policy.is_some() { "its own (--json shows it)" } else { "by role: release seals bundles, site signs traces" }
    ));
}

/// What is denied, and from when on it is.
fn denial(denied: &Denied) -> String {
    let kind = format!("{:?}", denied.kind).to_lowercase();
    let since = denied.compromise_time.map_or_else(String::new, |time| format!(" since {time}"));
    let from =
        denied.log_index.as_ref().map_or_else(String::new, |order| format!(" from entry {} of {} on", order.index, escape(&order.origin)));
    format!("{kind} {}{since}{from}: {}", denied.digest, escape(&denied.reason))
}

#[cfg(test)]
mod tests {
    use sealtrace_digest::FileSha256;
    use sealtrace_trust::{DeniedKind, LogOrder};

    use super::*;

    #[test]
    fn a_denial_says_from_when_and_from_which_entry_on_it_holds() {
        let digest = FileSha256::of(b"x");
        let mut denied = Denied { kind: DeniedKind::Key, digest, compromise_time: None, log_index: None, reason: "stolen".to_owned() };
        assert_eq!(denial(&denied), format!("key {digest}: stolen"));
        denied.compromise_time = Some("2026-11-02T00:00:00Z".parse().unwrap());
        assert_eq!(denial(&denied), format!("key {digest} since 2026-11-02T00:00:00Z: stolen"));
        denied.log_index = Some(LogOrder { origin: "example.org/log".to_owned(), index: 7 });
        assert_eq!(denial(&denied), format!("key {digest} since 2026-11-02T00:00:00Z from entry 7 of example.org/log on: stolen"));
    }
}
