//! The signatures of a kit: those it is made with, and `kit sign`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, escape, note, print, print_json};
use sealtrace_digest::KeyId;
use sealtrace_envelope::PublicKey;
use sealtrace_signer::{SigningKey, read_public_key_file};
use sealtrace_trust::kit::{Kit, KitDraft, SignedKit};

use super::files::{kit_failure, make_failure, read_draft, read_kit, write_new};
use super::signatures::Signatures;
use crate::attach::key_failure;
use crate::commands::next;
use crate::kit::{Making, sign as sign_payload};

/// Who signs.
#[derive(Debug, clap::Args)]
pub(crate) struct KitKeys {
    /// A key that signs this kit (repeatable); other hands add theirs with `kit sign`
    #[arg(long, value_name = "K.key", required = true)]
    key: Vec<PathBuf>,
    /// A public key that may sign the next kit (repeatable) [default: those of the kit before, else those of --key]
    #[arg(long, value_name = "K.pub")]
    kit_key: Vec<PathBuf>,
    /// How many of these keys must sign [default: that of the kit before, else 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    threshold: Option<u32>,
}

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct SignArgs {
    /// The kit
    #[arg(value_name = "KIT")]
    kit: PathBuf,
    /// The key (repeatable)
    #[arg(long, value_name = "K.key", required = true)]
    key: Vec<PathBuf>,
    /// The kit that it follows, whose keys sign it too where they are other ones
    #[arg(long, value_name = "KIT")]
    previous: Option<PathBuf>,
    /// The kit to write
    #[arg(short, long, value_name = "KIT")]
    output: PathBuf,
    #[command(flatten)]
    pub(super) report: OutputArgs,
}

/// Where a kit goes, and what it follows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) previous: Option<(&'a Path, &'a SignedKit)>,
    pub(crate) output: &'a Path,
    pub(crate) report: OutputArgs,
}

impl Target<'_> {
    fn kit_before(&self) -> Option<&Kit> {
        self.previous.map(|(_path, kit)| kit.kit())
    }
}

/// Sets the keys and signs.
pub(crate) fn make(mut making: Making, keys: &KitKeys, target: Target<'_>) -> Result<KitDraft, Failure> {
    let signing = load(&keys.key)?;
    set_keys(&mut making, keys, &signing, target)?;
    let payload = making.payload().map_err(|error| make_failure(&error))?;
    let wrong = |error| kit_failure(target.output, &error);
    let kit = Kit::parse(&payload).map_err(wrong)?;
    check_keys(&keys.key, &signing, &kit, target.kit_before())?;
    let signatures = sign_payload(&payload, &signing).map_err(|error| make_failure(&error))?;
    KitDraft::parse(&SignedKit::file(&payload, signatures).map_err(wrong)?).map_err(wrong)
}

fn set_keys(making: &mut Making, keys: &KitKeys, signing: &[SigningKey], target: Target<'_>) -> Result<(), Failure> {
    let before = target.kit_before();
    let threshold = keys.threshold.or(before.map(|kit| kit.threshold)).unwrap_or(1);
    let mut public: Vec<PublicKey> = if keys.kit_key.is_empty() && !making.has_keys() {
        signing.iter().map(|key| key.public_key().clone()).collect()
    } else {
        let read = keys.kit_key.iter().map(|path| read_public_key_file(path)).collect::<Result<_, _>>();
        read.map_err(|error| key_failure(&error))?
    };
    // A key that is named twice is one key.
    public.sort_by_key(PublicKey::key_id);
    public.dedup_by_key(|key| key.key_id());
    let count = if public.is_empty() { before.map_or(0, |kit| kit.keys.len()) } else { public.len() };
    if u32::try_from(count).is_ok_and(|count| threshold > count) {
        return Err(Failure::new(
            ExitCode::NoVerdict,
            format_args!("a threshold of {threshold} is more than the {count} key(s) of the kit"),
        )
        .hint("name every key that may sign with --kit-key K.pub, or a lower --threshold N"));
    }
    if public.is_empty() {
        making.threshold(threshold);
        return Ok(());
    }
    making.keys(&public, threshold).map_err(|error| make_failure(&error))
}

fn load(paths: &[PathBuf]) -> Result<Vec<SigningKey>, Failure> {
    paths.iter().map(|path| SigningKey::load(path)).collect::<Result<Vec<_>, _>>().map_err(|error| key_failure(&error))
}

/// That each key is one whose signature counts: a signature that nobody asks for looks like one more.
fn check_keys(paths: &[PathBuf], keys: &[SigningKey], kit: &Kit, before: Option<&Kit>) -> Result<(), Failure> {
    let counts: BTreeSet<KeyId> = kit.keys.iter().chain(before.iter().flat_map(|kit| &kit.keys)).map(|key| key.key_id).collect();
    let Some((path, key)) = paths.iter().zip(keys).find(|(_path, key)| !counts.contains(&key.key_id())) else { return Ok(()) };
    let shown = escape(&path.display().to_string());
    let ids: Vec<String> = counts.iter().map(KeyId::hex).collect();
    let more = if before.is_none() && kit.previous.is_some() { "; a key of the kit before counts with --previous KIT" } else { "" };
    Err(Failure::new(ExitCode::Rejected, format_args!("{shown} is none of this kit's keys (key ID {})", key.key_id()))
        .hint(format_args!("nothing was written: sign with one of {}{more}", ids.join(", "))))
}

/// Adds signatures to a kit.
pub(crate) fn run(args: &SignArgs) -> Outcome {
    let draft = read_draft(&args.kit)?;
    let previous = args.previous.as_deref().map(read_kit).transpose()?;
    let target = Target { previous: args.previous.as_deref().zip(previous.as_ref()), output: &args.output, report: args.report };
    check_follows(&draft, target)?;
    let wrong = |error| kit_failure(&args.kit, &error);
    let keys = load(&args.key)?;
    check_keys(&args.key, &keys, draft.kit(), target.kit_before())?;
    let held = Signatures::of(&draft, target.kit_before()).map_err(wrong)?.signed();
    let (already, new): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| held.contains(&key.key_id()));
    for key in &already {
        note(&format!("  signed already by {}", key.key_id()));
    }
    if new.is_empty() {
        return write_kit(&draft, target);
    }
    let mut signatures = draft.signatures().to_vec();
    signatures.extend(sign_payload(draft.payload(), &new).map_err(|error| make_failure(&error))?);
    signatures.sort_by(|a, b| a.keyid.cmp(&b.keyid));
    let file = SignedKit::file(draft.payload(), signatures).map_err(wrong)?;
    write_kit(&KitDraft::parse(&file).map_err(wrong)?, target)
}

fn check_follows(draft: &KitDraft, target: Target<'_>) -> Result<(), Failure> {
    let Some((path, previous)) = target.previous.filter(|(_path, kit)| draft.kit().previous != Some(kit.digest())) else { return Ok(()) };
    let expected = draft.kit().previous.map_or_else(|| "none: it is a first kit".to_owned(), |digest| digest.hex());
    let shown = escape(&path.display().to_string());
    Err(Failure::new(
        ExitCode::NoVerdict,
        format_args!("--previous {shown} is kit {}, the kit to sign follows {expected}", previous.digest()),
    )
    .hint("name the kit that it follows, or leave --previous out"))
}

/// Writes and reports a kit.
pub(crate) fn write_kit(draft: &KitDraft, target: Target<'_>) -> Outcome {
    let signatures = Signatures::of(draft, target.kit_before()).map_err(|error| kit_failure(target.output, &error))?;
    write_new(target.output, draft.bytes())?;
    let (kit, digest) = (draft.kit(), draft.digest());
    if target.report.json {
        print_json(&serde_json::json!({
            "kit": target.output, "sequence": kit.sequence, "digest": digest, "words": digest.words(), "previous": kit.previous,
            "threshold": kit.threshold, "signatures": draft.signatures().len(), "complete": signatures.are_enough(),
            "signers": signatures.json(),
        }));
        return Ok(ExitCode::Done);
    }
    print(&format!("kit {} in {}", kit.sequence, escape(&target.output.display().to_string())));
    signatures.lines().iter().for_each(|line| print(line));
    print(&format!("fingerprint {digest}"));
    print(&format!("      words {}", digest.words()));
    tell_next(draft, &signatures, target);
    Ok(ExitCode::Done)
}

/// The next command: another signature while they are too few, installing it once they are enough.
fn tell_next(draft: &KitDraft, signatures: &Signatures, target: Target<'_>) {
    let is_first = draft.kit().previous.is_none();
    if is_first {
        note("  tell the fingerprint by another way than the kit goes; a site that has no kit yet asks for it");
    }
    let kit = next::word(target.output);
    if signatures.are_enough() {
        if !is_first && target.previous.is_none() {
            note("  not counted: the keys of the kit before, which decide where they are other ones (--previous KIT)");
        }
        let fingerprint = if is_first { format!(" --fingerprint {}", draft.digest()) } else { String::new() };
        note(&format!("  next: symbol-bundle kit apply {kit} --store DIR{fingerprint}"));
        return;
    }
    let before = target.previous.filter(|_kit| signatures.need_the_kit_before()).map(|(path, _kit)| path);
    note(&format!("  next: symbol-bundle kit sign {kit} --key K.key{} -o SIGNED", next::option("--previous", before)));
}
