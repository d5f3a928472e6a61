//! `trace-verify --bundle` and `trace-verify bundles`.

use sealtrace_bundle::OpenedBundle;
use sealtrace_case::check_reference;
use sealtrace_console::{ExitCode, Failure, Outcome, Progress, print, print_json};
use sealtrace_store::{Receipt, ReceiptKit, StoreError};
use sealtrace_verdict::{Checks, TimeInterval, Verdict};

use crate::cli::{BundlesArgs, VerifyArgs};
use crate::render;
use crate::world::{World, open_store};

/// Verifies a bundle of the store.
pub(crate) fn verify(name: &str, args: &VerifyArgs) -> Outcome {
    let world = World::open(&args.world)?;
    let store = world.store.as_ref().ok_or_else(|| Failure::new(ExitCode::NoVerdict, "no store"))?;
    let stored = store.find_bundle(name).map_err(|error| {
        let next = match &error {
            StoreError::Ambiguous { .. } => "name one of these digests with --bundle",
            _ => "list what the store holds: trace-verify bundles --store DIR; import what is missing: symbol-bundle import ARCHIVE",
        };
        Failure::from_error(ExitCode::NoVerdict, "symbol bundle", &error).hint(next)
    })?;
    let opened = world.bundles().open(&stored.digest)?;
    if let Some(verified) = &opened.verified {
        check_reference(name, verified)?;
    }
    let verdict = with_layers(&opened, &stored.receipt, &world);
    world.judging.keep(&verdict, opened.verified.as_slice());
    let verdict = without_skipped(verdict, &args.skip)?;
    if args.output.json {
        print_json(&verdict);
    } else {
        render::bundle(&stored.digest, &verdict, opened.verified.as_ref());
    }
    Ok(verdict.exit())
}

/// Adds the check `layers`: every layer of the bundle is there and has the digest and size that the manifest says. Resolving would
/// notice one bad table when it is used; whoever verifies a bundle asks about all of it. The receipt is named as a source of time.
fn with_layers(opened: &OpenedBundle, receipt: &Receipt, world: &World) -> Verdict {
    let mut checks = Checks::new();
    checks.absorb("", &opened.verdict);
    checks.set_time(opened.verdict.time().clone());
    checks.narrow_time(&TimeInterval { sources: receipt.kit.iter().map(imported_under).collect(), ..TimeInterval::default() });
    let Some(bundle) = &opened.verified else { return opened.verdict.clone() };
    let layers = &bundle.manifest().layers;
    let progress = Progress::start("verify", layers.len());
    let bad = layers.iter().find_map(|layer| {
        progress.advance();
        match world.blobs.blob(&layer.digest, layer.size) {
            Ok(bytes) if u64::try_from(bytes.len()) == Ok(layer.size) => None,
            Ok(bytes) => Some(format!("blob {} has {} bytes, the manifest says {}", layer.digest, bytes.len(), layer.size)),
            Err(error) => Some(error.to_string()),
        }
    });
    drop(progress);
    match bad {
        None => checks.pass("layers", &format!("all {} layers", layers.len())),
        Some(reason) => checks.fail("layers", &reason),
    }
    checks.conclude(opened.verdict.assurance())
}

/// What a receipt adds: no clock stood beside the import, so it is a record and moves neither end.
fn imported_under(kit: &ReceiptKit) -> String {
    format!(
        "import receipt: admitted to this store under kit {}, so not before {}; a record, which bounds nothing",
        kit.sequence, kit.reference_time
    )
}

/// Applies `--skip`.
pub(crate) fn without_skipped(verdict: Verdict, skip: &[String]) -> Result<Verdict, Failure> {
    let known: Vec<&str> = verdict.checks().iter().map(|check| check.id.as_str()).collect();
    match skip.iter().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => Err(Failure::new(ExitCode::NoVerdict, format_args!("--skip {unknown}: there is no such check here"))
            .hint(format_args!("the checks are: {}", known.join(", ")))),
        None => Ok(verdict.skipping(skip)),
    }
}

/// Lists the bundles of the store.
pub(crate) fn list(args: &BundlesArgs) -> Outcome {
    let store = open_store(&args.store)?;
    let bundles = store.bundles().map_err(|error| Failure::from_error(ExitCode::NoVerdict, "store", &error))?;
    if args.output.json {
        let rows = bundles.iter().map(
            |bundle| serde_json::json!({"manifestDigest": bundle.digest, "name": bundle.receipt.name, "version": bundle.receipt.version}),
        );
        print_json(&rows.collect::<Vec<_>>());
    } else {
        for bundle in &bundles {
            print(&format!("{}  {}", bundle.digest, bundle.reference()));
        }
        if bundles.is_empty() {
            sealtrace_console::note("trace-verify: the store holds no bundle; next: symbol-bundle import ARCHIVE");
        }
    }
    Ok(ExitCode::Done)
}
