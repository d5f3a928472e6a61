//! The binary `btf-archive`; its command line and modules are in the library beside it.

fn main() -> std::process::ExitCode {
    btf_archive::run()
}
