//! `trace-verify explain`: how one frame was derived, from the address to the log's checkpoint, each step with its digest and
//! the command that repeats it by hand.

mod code;
mod materials;
mod steps;
mod taken;

use sealtrace_case::OpenTrace;
use sealtrace_console::{ExitCode, Failure, Outcome, escape, print, print_json};
use sealtrace_layout::Descriptor;
use sealtrace_resolve::{Derived, SourceBundle, Sources, derive};
use sealtrace_symbols::BlobRef;
use sealtrace_trace::{Capture, FrameRecord};
use sealtrace_unwind::{Placement, Word};
use sealtrace_verdict::Conclusion;
use serde_json::json;

use crate::audit::{judge_layer, trace_layers};
use crate::cli::ExplainArgs;
use crate::judge::Judged;
use crate::pack::TITLE;
use crate::run::judge_file;
use crate::world::{World, is_archive};
use materials::Materials;
use steps::Step;

/// A frame with everything it was derived from.
pub(crate) struct Explained<'a> {
    pub(crate) record: &'a FrameRecord,
    pub(crate) position: usize,
    pub(crate) derived: &'a Derived,
    pub(crate) sources: &'a Sources,
    pub(crate) capture: &'a Capture,
    pub(crate) trace: &'a OpenTrace,
    /// Stack and position in it.
    pub(crate) stack: (usize, usize),
}

/// Explains a frame.
pub(crate) fn run(args: &ExplainArgs) -> Outcome {
    let Some(frame) = args.frame else { return code::run(&args.trace, args.output.json) };
    let (world, judged) = open(args)?;
    if matches!(judged.verdict.conclusion(), Conclusion::Rejected | Conclusion::Malformed) {
        let check = judged.verdict.decisive().map_or("", |check| check.id.as_str()).to_owned();
        return Err(Failure::new(judged.verdict.exit(), format_args!("the trace is not to be explained: check {check} failed"))
            .hint(format_args!("see every check: trace-verify {} --json", args.trace.display())));
    }
    let bundles: Vec<SourceBundle<'_>> = judged.bundles.iter().map(|bundle| SourceBundle::of(bundle, world.blobs.as_ref())).collect();
    let failed = |error: sealtrace_resolve::ResolveError| {
        Failure::from_error(error.exit(), "resolve", &error).hint("the store, the archive or the capture was changed: ask for it again")
    };
    let sources = Sources::open(&judged.capture, &bundles).map_err(failed)?;
    let placement = Placement::canonical(&judged.capture.region_sizes())
        .map_err(|error| Failure::from_error(ExitCode::Malformed, "capture regions", &error))?;
    let derived = derive(&judged.capture, &sources, &placement).map_err(failed)?;
    let explained = locate(frame, &judged, &derived, &sources)?;
    let materials = Materials::collect(&judged, &world, explained.record.bundle_sha256, explained.table_part())?;
    let steps = steps::steps(&explained, &materials, &judged);
    if let Some(folder) = &args.materials {
        materials.write(folder)?;
    }
    report(args, &explained, &steps);
    Ok(ExitCode::Done)
}

/// Opens a trace of a store, or one of an evidence archive.
fn open(args: &ExplainArgs) -> Result<(World, Judged), Failure> {
    if !is_archive(&args.trace) {
        let world = World::open(&args.world)?;
        let judged = judge_file(&args.trace, &world, args.world.capture.as_deref())?;
        return Ok((world, judged));
    }
    let trust = args.world.trust.as_deref().ok_or_else(|| {
        Failure::new(ExitCode::NoVerdict, "an evidence archive is explained with its trust folder").hint("add --trust FOLDER")
    })?;
    let world = World::open_archive(&args.trace, trust, &args.world.judging)?;
    let layers = trace_layers(&world.graph)?;
    let named = |layer: &&Descriptor| args.name.as_ref().is_none_or(|name| layer.annotations.get(TITLE) == Some(name));
    let names = || layers.iter().filter_map(|layer| layer.annotations.get(TITLE).cloned()).collect::<Vec<_>>().join(", ");
    let layer = layers.iter().find(named).ok_or_else(|| {
        Failure::new(ExitCode::NoVerdict, "the archive holds no trace of that name").hint(format_args!("--name one of: {}", names()))
    })?;
    let judged = judge_layer(layer, &world)?;
    Ok((world, judged))
}

impl<'a> Explained<'a> {
    /// The part of a bundle that holds the symbol table of this frame's module.
    fn table_part(&self) -> Option<&'a BlobRef> {
        match self.derived.derivations.get(self.position)?.frame.pc {
            Word::At(place) => self.sources.matched(place.region).ok()?.module.table.as_ref(),
            Word::Null | Word::Invalid => None,
        }
    }
}

/// The frame with this index, derived again and compared with what was signed.
fn locate<'a>(frame: u64, judged: &'a Judged, derived: &'a Derived, sources: &'a Sources) -> Result<Explained<'a>, Failure> {
    let total = judged.trace.witness.coverage.frames_total;
    let outside = || {
        Failure::new(ExitCode::NoVerdict, format_args!("no frame {frame}: the trace has {total} frames")).hint("frames are counted from 0")
    };
    let position = usize::try_from(frame).map_err(|_overflow| outside())?;
    let mut before = 0;
    for (stack, record) in derived.stacks.iter().enumerate() {
        let within = position - before;
        if let Some(again) = record.frames.get(within) {
            let signed = judged.trace.witness.stacks.get(stack).and_then(|stack| stack.frames.get(within)).ok_or_else(outside)?;
            if signed != again {
                return Err(Failure::new(ExitCode::Rejected, format_args!("frame {frame} derives otherwise than it was recorded"))
                    .hint("list what differs: trace-replay --trace TRACE --strict"));
            }
            return Ok(Explained {
                record: signed,
                position,
                derived,
                sources,
                capture: &judged.capture,
                trace: &judged.trace,
                stack: (stack, within),
            });
        }
        before += record.frames.len();
    }
    Err(outside())
}

fn report(args: &ExplainArgs, explained: &Explained<'_>, steps: &[Step]) {
    if args.output.json {
        print_json(&json!({"frame": explained.record, "steps": steps}));
        return;
    }
    let name = explained.record.function.as_deref().unwrap_or("(no name)");
    print(&format!("frame {}  {}", explained.record.frame_index, escape(name)));
    for (number, step) in (1..).zip(steps) {
        print(&format!("\n{number:2}. {}", escape(&step.says)));
        for (key, value) in &step.values {
            print(&format!("    {key:<16}{}", escape(value)));
        }
        for command in &step.commands {
            print(&format!("    $ {}", escape(command)));
        }
    }
    if let Some(folder) = &args.materials {
        print(&format!(
            "\nRun the commands in {}; $RELEASE is the release tree, $DEBUG_DIR what build had as --debug-dir; paths of",
            folder.display()
        ));
        print("modules are those of the captured host: the same files of the release tree do as well (compare their sha256).");
    } else {
        print(
            "\nThe files named in the commands are written by --materials DIR; $RELEASE is the release tree, $DEBUG_DIR what build had as --debug-dir.",
        );
    }
}
