//! The binary `trace-resolve`; its command line and modules are in the library beside it.

fn main() -> std::process::ExitCode {
    trace_resolve::run()
}
