//! `symbol-bundle log witness serve`: add-checkpoint requests over HTTP on loopback.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, print, print_json};

use super::open;
use crate::commands::log::clock::TimeArgs;
use crate::commands::log::note_keys::LogKeyArgs;
use crate::witness::serve;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    /// The log witness's folder
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    #[command(flatten)]
    keys: LogKeyArgs,
    /// A loopback address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    #[command(flatten)]
    time: TimeArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Runs the command. It ends with the process.
pub(super) fn run(args: &ServeArgs) -> Outcome {
    let state = open(&args.state)?;
    let keys = args.keys.keys()?;
    if !args.listen.ip().is_loopback() {
        return Err(Failure::new(ExitCode::NoVerdict, format_args!("{} is not on loopback", args.listen))
            .hint("listen on 127.0.0.1 or ::1, and put a proxy with TLS before it for other machines"));
    }
    let bound = TcpListener::bind(args.listen).and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (address, listener) = bound.map_err(|error| {
        Failure::new(ExitCode::NoVerdict, format_args!("cannot listen on {}: {error}", args.listen)).hint("name another port with --listen")
    })?;
    let vkey = state.key().public().key().vkey();
    if args.output.json {
        print_json(&serde_json::json!({ "url": format!("http://{address}"), "vkey": vkey }));
    } else {
        print(&format!("listening on http://{address} for POST /add-checkpoint"));
        print(&format!("vkey {vkey}"));
    }
    serve(&listener, &state, &keys, &|| args.time.time());
    Ok(ExitCode::Done)
}
