//! The table of targets.

use crate::{
    archive, bundle, certificates, documents, fragment, layout, logs, note, objects, own, public_key, symbols, trace, trust, unwind,
};

/// One parser, or several of one format, with what must hold for what they accept.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, as in `docs/fuzzing.md`.
    pub name: &'static str,
    /// Runs it on bytes; panics when a promise is broken.
    pub run: fn(&[u8]),
    /// Inputs that are accepted, or nearly.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How many damaged inputs of a kind `cargo test` tries.
    pub runs: usize,
}

/// Where a run takes microseconds.
const MANY: usize = 1000;
/// Where every run verifies signatures.
const FEW: usize = 60;

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "archive", run: archive::run, seeds: archive::seeds, runs: MANY },
    Target { name: "bundle", run: bundle::run, seeds: bundle::seeds, runs: FEW },
    Target { name: "note", run: note::run, seeds: note::seeds, runs: MANY },
    Target { name: "fragment", run: fragment::run, seeds: fragment::seeds, runs: MANY },
    Target { name: "manifest", run: layout::run_manifest, seeds: layout::manifest_seeds, runs: MANY },
    Target { name: "layout", run: layout::run_layout, seeds: layout::layout_seeds, runs: MANY },
    Target { name: "symbol-bundle", run: own::run, seeds: own::seeds, runs: FEW },
    Target { name: "entry-body", run: documents::run_entry, seeds: documents::entry_seeds, runs: FEW },
    Target { name: "statement", run: documents::run_statement, seeds: documents::statement_seeds, runs: MANY },
    Target { name: "json", run: documents::run_json, seeds: documents::json_seeds, runs: MANY },
    Target { name: "public-key", run: public_key::run, seeds: public_key::seeds, runs: FEW },
    Target { name: "certificate", run: certificates::run_certificate, seeds: certificates::certificate_seeds, runs: MANY },
    Target { name: "sct-list", run: certificates::run_sct, seeds: certificates::sct_seeds, runs: FEW },
    Target { name: "timestamp", run: certificates::run_token, seeds: certificates::token_seeds, runs: FEW },
    Target { name: "trusted-root", run: certificates::run_root, seeds: certificates::root_seeds, runs: FEW },
    Target { name: "vkey", run: logs::run_vkey, seeds: logs::vkey_seeds, runs: MANY },
    Target { name: "tlog-policy", run: logs::run_policy, seeds: logs::policy_seeds, runs: MANY },
    Target { name: "tlog-proof", run: logs::run_proof, seeds: logs::proof_seeds, runs: MANY },
    Target { name: "witness-request", run: logs::run_request, seeds: logs::request_seeds, runs: MANY },
    Target { name: "consistency", run: logs::run_consistency, seeds: logs::consistency_seeds, runs: MANY },
    Target { name: "tiles", run: logs::run_tiles, seeds: logs::tiles_seeds, runs: MANY },
    Target { name: "kit", run: trust::run_kit, seeds: trust::kit_seeds, runs: MANY },
    Target { name: "trust-folder", run: trust::run_folder, seeds: trust::folder_seeds, runs: MANY },
    Target { name: "rules", run: trust::run_rules, seeds: trust::rules_seeds, runs: MANY },
    Target { name: "pins", run: trust::run_pins, seeds: trust::pins_seeds, runs: MANY },
    Target { name: "enrolment", run: trust::run_enrolment, seeds: trust::enrolment_seeds, runs: MANY },
    Target { name: "symbol-index", run: symbols::run_index, seeds: symbols::index_seeds, runs: MANY },
    Target { name: "symbol-table", run: symbols::run_table, seeds: symbols::table_seeds, runs: MANY },
    Target { name: "unwind", run: unwind::run, seeds: unwind::seeds, runs: MANY },
    Target { name: "capture", run: trace::run_capture, seeds: trace::capture_seeds, runs: MANY },
    Target { name: "witness", run: trace::run_witness, seeds: trace::witness_seeds, runs: MANY },
    Target { name: "object-id", run: objects::run_identity, seeds: objects::identity_seeds, runs: MANY },
    Target { name: "btf", run: objects::run_btf, seeds: objects::btf_seeds, runs: MANY },
];

/// The target of this name.
pub fn target_named(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
