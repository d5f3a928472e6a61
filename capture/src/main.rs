//! The binary `trace-capture`; its command line and modules are in the library beside it.

fn main() -> std::process::ExitCode {
    trace_capture::run()
}
