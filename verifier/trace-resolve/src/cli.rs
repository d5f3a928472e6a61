//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;
use sealtrace_console::{OutputArgs, StoreArgs};

/// Resolves a capture against symbol bundles and writes the trace witness, signed and logged or unsigned
#[derive(Debug, Parser)]
#[command(name = "trace-resolve", version, max_term_width = 110)]
pub(crate) struct Cli {
    /// A symbol bundle of the store: its manifest digest, or name:version (repeatable)
    #[arg(long = "bundle", value_name = "sha256:…|NAME:VERSION", required = true)]
    pub(crate) bundles: Vec<String>,
    /// The capture that trace-capture wrote
    #[arg(value_name = "CAPTURE")]
    pub(crate) capture: PathBuf,
    /// Where to write the witness
    #[arg(short, long = "output", value_name = "FILE", default_value = "trace.sigstore.json")]
    pub(crate) output_file: PathBuf,
    /// The site's signing key: a file, or exec:PROGRAM of an external signer; without it the statement stays unsigned
    #[arg(long, value_name = "REF", requires = "log")]
    pub(crate) key: Option<OsString>,
    /// A certificate over the key (PEM, the leaf first): the witness names it in place of the key
    #[arg(long, value_name = "PEM", requires = "key")]
    pub(crate) certificate: Option<PathBuf>,
    /// A program that is asked for an RFC 3161 time stamp over the signature: 'exec:PROGRAM ARG…'
    #[arg(long, value_name = "exec:PROGRAM…", requires = "key")]
    pub(crate) timestamp: Option<OsString>,
    /// The site's log
    #[arg(long, value_name = "DIR", requires = "key")]
    pub(crate) log: Option<PathBuf>,
    /// The log's own key, where it is not kept in the log's folder
    #[arg(long, value_name = "L.key", requires = "log")]
    pub(crate) log_key: Option<PathBuf>,
    /// Write the wire event trace.capture here (JSON Lines)
    #[arg(long, value_name = "FILE")]
    pub(crate) events: Option<PathBuf>,
    /// Trust folder [default: the store's]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) trust: Option<PathBuf>,
    /// A policy file whose rules the bundles must satisfy besides those of the kit
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Replace files that are already there
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
