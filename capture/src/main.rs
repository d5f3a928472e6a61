//! `trace-capture`: captures the stacks of a process into a `capture.jsonl`. It never resolves a name.

mod child;
mod cli;
mod code;
mod collect;
mod core_dump;
mod doctor;
mod ebpf;
mod elf;
mod failure;
mod host;
mod live;
mod maps;
mod memory;
mod modules;
mod output;
mod process;
mod ptrace;
mod recent;
mod record;
mod run;
mod session;
mod space;
mod sys;
mod tracer;
mod track;

fn main() -> std::process::ExitCode {
    let cli: cli::Cli = sealtrace_console::parse();
    let json = cli.json();
    sealtrace_console::finish("trace-capture", json, run::run(&cli))
}
