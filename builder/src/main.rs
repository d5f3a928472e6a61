//! The binary `symbol-bundle`; its command line and modules are in the library beside it.

fn main() -> std::process::ExitCode {
    symbol_bundle::run()
}
