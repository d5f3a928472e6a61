//! Media and artifact types (DESIGN, *Symbol bundle*).

/// OCI image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI image index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The empty config.
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// artifactType of a symbol bundle's manifest.
pub const SYMBOL_BUNDLE: &str = "application/vnd.sealtrace.symbol-bundle.v1";
/// `symbol_index.json`.
pub const SYMBOL_INDEX: &str = "application/vnd.sealtrace.symbol-index.v1+json";
/// A module's symbol table.
pub const SYMBOL_TABLE: &str = "application/vnd.sealtrace.symbol-table.v1";
/// A module's unwind data.
pub const UNWIND: &str = "application/vnd.sealtrace.unwind.v1";
/// A BTF blob.
pub const BTF: &str = "application/vnd.sealtrace.btf.v1";
/// A whole debug file, zstd compressed.
pub const DEBUG_FILE_ZSTD: &str = "application/vnd.sealtrace.debug-file.v1+zstd";
/// A whole debug file, gzip compressed.
pub const DEBUG_FILE_GZIP: &str = "application/vnd.sealtrace.debug-file.v1+gzip";
/// Tables and unwind data of many modules in one layer.
pub const PACK: &str = "application/vnd.sealtrace.pack.v1";
/// A Sigstore bundle v0.3: layer media type and artifactType of the attached signature manifest.
pub const SIGSTORE_BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// artifactType of the attached tile fragment's manifest.
pub const TLOG_FRAGMENT: &str = "application/vnd.sealtrace.tlog-fragment.v1";
/// Layer media type of the tile fragment.
pub const TLOG_FRAGMENT_TAR: &str = "application/vnd.sealtrace.tlog-fragment.v1.tar";
/// artifactType of an evidence archive's manifest.
pub const EVIDENCE: &str = "application/vnd.sealtrace.evidence.v1";
/// A `capture.jsonl`, as a layer of an evidence archive.
pub const CAPTURE: &str = "application/vnd.sealtrace.capture.v1+jsonl";
