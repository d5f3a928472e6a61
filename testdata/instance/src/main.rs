//! `sealtrace-instance OUT` writes the instance into a folder. See the library.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "a small program")]

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(out) = std::env::args_os().nth(1) else {
        eprintln!("usage: sealtrace-instance OUT");
        return ExitCode::from(2);
    };
    match sealtrace_instance::write(Path::new(&out)) {
        Ok(cases) => {
            eprintln!("{} cases in {}", cases.len(), Path::new(&out).display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cannot write {}: {error}", Path::new(&out).display());
            ExitCode::from(2)
        }
    }
}
