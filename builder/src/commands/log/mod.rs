//! `symbol-bundle log`: a transparency log on disk, and logging signed bundles in it or in a Rekor log. One file per subcommand.

mod append;
mod check;
mod checkpoint;
mod clock;
mod cosign;
mod failure;
mod init;
mod note_keys;
mod pending;
mod prove;
mod queue_args;
mod submit;
mod target;
mod witness;

use sealtrace_console::Outcome;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct LogArgs {
    #[command(subcommand)]
    command: LogCommand,
}

#[derive(Debug, clap::Subcommand)]
enum LogCommand {
    /// Make an empty log with its own key
    Init(init::InitArgs),
    /// Log a signed bundle; attach its proof and tile fragment
    Append(append::AppendArgs),
    /// Log the bundles that are pending
    Submit(submit::SubmitArgs),
    /// List the bundles that are pending
    Pending(pending::PendingArgs),
    /// Print the current checkpoint
    Checkpoint(checkpoint::CheckpointArgs),
    /// Write the C2SP tlog-proof of an entry
    Prove(prove::ProveArgs),
    /// Hash every entry and tile; verify every published checkpoint
    Check(check::CheckArgs),
    /// Have a log witness cosign the current checkpoint, over HTTP
    Cosign(cosign::CosignArgs),
    /// Write the request for a log witness, to carry to it
    RequestCosign(cosign::RequestArgs),
    /// Add a log witness's answer to the log's checkpoint
    AddCosignature(cosign::AddArgs),
    /// Be a log witness: cosign the checkpoints of other machines' logs
    Witness(witness::WitnessArgs),
}

impl LogArgs {
    /// Whether `--json` was given.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            LogCommand::Init(args) => args.output.json,
            LogCommand::Append(args) => args.output.json,
            LogCommand::Submit(args) => args.output.json,
            LogCommand::Pending(args) => args.output.json,
            LogCommand::Checkpoint(args) => args.output.json,
            LogCommand::Prove(args) => args.output.json,
            LogCommand::Check(args) => args.output.json,
            LogCommand::Cosign(args) => args.output.json,
            LogCommand::RequestCosign(args) => args.output.json,
            LogCommand::AddCosignature(args) => args.output.json,
            LogCommand::Witness(args) => args.json(),
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &LogArgs) -> Outcome {
    match &args.command {
        LogCommand::Init(args) => init::run(args),
        LogCommand::Append(args) => append::run(args),
        LogCommand::Submit(args) => submit::run(args),
        LogCommand::Pending(args) => pending::run(args),
        LogCommand::Checkpoint(args) => checkpoint::run(args),
        LogCommand::Prove(args) => prove::run(args),
        LogCommand::Check(args) => check::run(args),
        LogCommand::Cosign(args) => cosign::cosign(args),
        LogCommand::RequestCosign(args) => cosign::request(args),
        LogCommand::AddCosignature(args) => cosign::add(args),
        LogCommand::Witness(args) => witness::run(args),
    }
}
