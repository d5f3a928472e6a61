//! `trace-verify --bundle` and `trace-verify bundles`.

use sealtrace_case::Bundles;
use sealtrace_console::{ExitCode, Failure, Outcome, print, print_json};
use sealtrace_verdict::Verdict;

use crate::cli::{BundlesArgs, VerifyArgs};
use crate::render;
use crate::world::{World, open_store};

/// Verifies a bundle of the store.
pub(crate) fn verify(name: &str, args: &VerifyArgs) -> Outcome {
    let world = World::open(&args.world)?;
    let stored = world.store.find_bundle(name).map_err(|error| {
        Failure::from_error(ExitCode::NoVerdict, "symbol bundle", &error)
            .hint("list what the store holds: trace-verify bundles; import what is missing: symbol-bundle import ARCHIVE")
    })?;
    let bundles = Bundles { blobs: world.store.oci(), graph: &world.graph, trust: &world.trust };
    let opened = bundles.open(&stored.digest)?;
    let verdict = without_skipped(opened.verdict, &args.skip)?;
    if args.output.json {
        print_json(&verdict);
    } else {
        render::bundle(&stored.digest, &verdict, opened.verified.as_ref());
    }
    Ok(verdict.exit())
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
