//! P5: order of bundles, order of index rows, duplicate rows, and rows that nothing refers to. The tier order is policy and never permuted.

use sealtrace_digest::FileSha256;
use sealtrace_object_id::ObjectIds;
use sealtrace_resolve::SourceBundle;
use sealtrace_symbols::Module;

use crate::seeds::{Stream, moved};

/// Draws P5. Returns the bundles and how many entries were moved, repeated or added.
pub(crate) fn draw_bundles<'a>(stream: &mut Stream, bundles: &[&SourceBundle<'a>]) -> (Vec<SourceBundle<'a>>, u64) {
    let order = stream.permutation(bundles.len());
    let mut changed = moved(&order);
    let mut drawn = Vec::with_capacity(bundles.len());
    for bundle in order.into_iter().filter_map(|from| bundles.get(from)) {
        let (modules, changes) = draw_modules(stream, &bundle.modules);
        changed += changes;
        drawn.push(SourceBundle { digest: bundle.digest, modules, blobs: bundle.blobs });
    }
    (drawn, changed)
}

fn draw_modules(stream: &mut Stream, modules: &[Module]) -> (Vec<Module>, u64) {
    let mut rows = modules.to_vec();
    let Some(repeated) = modules.get(stream.position(modules.len())) else {
        return (rows, 0);
    };
    rows.push(repeated.clone());
    if let Some(model) = modules.get(stream.position(modules.len())) {
        rows.push(orphan(stream, model));
    }
    let order = stream.permutation(rows.len());
    let changed = moved(&order).saturating_add(2);
    (order.into_iter().filter_map(|from| rows.get(from).cloned()).collect(), changed)
}

/// A row with another identity and file: no capture can name it, so it must not matter.
fn orphan(stream: &mut Stream, model: &Module) -> Module {
    let text = format!("{:016x}{:016x}{:016x}", stream.word(), stream.word(), stream.word());
    Module {
        path: format!("orphan/{text}"),
        file_sha256: FileSha256::of(text.as_bytes()),
        ids: ObjectIds { gnu_build_id: Some(text), ..ObjectIds::default() },
        unidentified_reason: None,
        ..model.clone()
    }
}
