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
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "archive", run: archive::run, seeds: archive::seeds },
    Target { name: "bundle", run: bundle::run, seeds: bundle::seeds },
    Target { name: "note", run: note::run, seeds: note::seeds },
    Target { name: "fragment", run: fragment::run, seeds: fragment::seeds },
    Target { name: "manifest", run: layout::run_manifest, seeds: layout::manifest_seeds },
    Target { name: "layout", run: layout::run_layout, seeds: layout::layout_seeds },
    Target { name: "symbol-bundle", run: own::run, seeds: own::seeds },
    Target { name: "entry-body", run: documents::run_entry, seeds: documents::entry_seeds },
    Target { name: "statement", run: documents::run_statement, seeds: documents::statement_seeds },
    Target { name: "json", run: documents::run_json, seeds: documents::json_seeds },
    Target { name: "public-key", run: public_key::run, seeds: public_key::seeds },
    Target { name: "certificate", run: certificates::run_certificate, seeds: certificates::certificate_seeds },
    Target { name: "sct-list", run: certificates::run_sct, seeds: certificates::sct_seeds },
    Target { name: "timestamp", run: certificates::run_token, seeds: certificates::token_seeds },
    Target { name: "trusted-root", run: certificates::run_root, seeds: certificates::root_seeds },
    Target { name: "vkey", run: logs::run_vkey, seeds: logs::vkey_seeds },
    Target { name: "tlog-policy", run: logs::run_policy, seeds: logs::policy_seeds },
    Target { name: "tlog-proof", run: logs::run_proof, seeds: logs::proof_seeds },
    Target { name: "witness-request", run: logs::run_request, seeds: logs::request_seeds },
    Target { name: "consistency", run: logs::run_consistency, seeds: logs::consistency_seeds },
    Target { name: "tiles", run: logs::run_tiles, seeds: logs::tiles_seeds },
    Target { name: "kit", run: trust::run_kit, seeds: trust::kit_seeds },
    Target { name: "trust-folder", run: trust::run_folder, seeds: trust::folder_seeds },
    Target { name: "rules", run: trust::run_rules, seeds: trust::rules_seeds },
    Target { name: "pins", run: trust::run_pins, seeds: trust::pins_seeds },
    Target { name: "enrolment", run: trust::run_enrolment, seeds: trust::enrolment_seeds },
    Target { name: "symbol-index", run: symbols::run_index, seeds: symbols::index_seeds },
    Target { name: "symbol-table", run: symbols::run_table, seeds: symbols::table_seeds },
    Target { name: "unwind", run: unwind::run, seeds: unwind::seeds },
    Target { name: "capture", run: trace::run_capture, seeds: trace::capture_seeds },
    Target { name: "witness", run: trace::run_witness, seeds: trace::witness_seeds },
    Target { name: "object-id", run: objects::run_identity, seeds: objects::identity_seeds },
    Target { name: "btf", run: objects::run_btf, seeds: objects::btf_seeds },
];

/// The target of this name.
pub fn target_named(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
