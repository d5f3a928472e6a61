//! `sealtrace-instance OUT` writes the instance into a folder; `sealtrace-instance stamp` answers an RFC 3161 query on its standard input.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "a small program")]

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(out) = std::env::args_os().nth(1) else {
        eprintln!("usage: sealtrace-instance OUT | sealtrace-instance stamp");
        return ExitCode::from(2);
    };
    if out == "stamp" {
        return stamp();
    }
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

/// One query in, one response out, as an external program of `--timestamp` does.
fn stamp() -> ExitCode {
    use std::io::{Read as _, Write as _};
    let mut query = Vec::new();
    let answer = std::io::stdin().take(1 << 16).read_to_end(&mut query).ok().and_then(|_| sealtrace_instance::stamp(&query));
    match answer {
        Some(response) if std::io::stdout().write_all(&response).is_ok() => ExitCode::SUCCESS,
        _ => {
            eprintln!("not a query over a SHA-256");
            ExitCode::from(1)
        }
    }
}
