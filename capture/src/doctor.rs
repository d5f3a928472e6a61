//! `trace-capture doctor`: what this host allows, by asking it, and by trying.
//!
//! The facts tell a person where to look; the trial (load the probe object, run its canary) is what decides.

use std::path::Path;

use sealtrace_console::{ExitCode, print, print_json};
use serde::Serialize;

use crate::cli::DoctorArgs;
use crate::ebpf;

/// What a fact means for the eBPF backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Meaning {
    /// As it needs it.
    Good,
    /// It cannot work like this.
    Bad,
    /// It may work or not; the trial tells.
    Open,
}

/// One fact about this host.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Fact {
    name: &'static str,
    found: String,
    meaning: Meaning,
    /// What to do where it is not good.
    next: Option<&'static str>,
}

/// One backend.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    backend: &'static str,
    usable: bool,
    why: String,
}

/// Runs the command.
pub(crate) fn run(args: &DoctorArgs) -> ExitCode {
    let facts = facts();
    let backends = [trial(args), ptrace(), core()];
    if args.print.json {
        print_json(&serde_json::json!({"facts": facts, "backends": backends}));
        return ExitCode::Done;
    }
    for Fact { name, found, meaning, next } in &facts {
        let mark = match meaning {
            Meaning::Good => "ok",
            Meaning::Bad => "no",
            Meaning::Open => "?",
        };
        print(&format!("{mark:3} {name:28} {found}"));
        if let (Some(next), false) = (next, *meaning == Meaning::Good) {
            print(&format!("    {:28} next: {next}", ""));
        }
    }
    print("");
    for Answer { backend, usable, why } in &backends {
        print(&format!("{} {backend:28} {why}", if *usable { "yes" } else { "no " }));
    }
    ExitCode::Done
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn facts() -> Vec<Fact> {
    vec![
        kernel(),
        architecture(),
        capabilities(),
        lockdown(),
        kernel_btf(),
        user_probes(),
        setting("perf_event_paranoid", "/proc/sys/kernel/perf_event_paranoid"),
        setting("unprivileged_bpf_disabled", "/proc/sys/kernel/unprivileged_bpf_disabled"),
        setting("yama ptrace_scope", "/proc/sys/kernel/yama/ptrace_scope"),
        seccomp(),
    ]
}

/// Ring buffers come with Linux 5.8.
fn kernel() -> Fact {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split(['.', '-']).map(|part| part.parse::<u32>().ok());
    let meaning = match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) if (major, minor) >= (5, 8) => Meaning::Good,
        (Some(_), Some(_)) => Meaning::Bad,
        _ => Meaning::Open,
    };
    Fact { name: "kernel", found: release, meaning, next: Some("the eBPF backend needs Linux 5.8 or later; use --backend ptrace") }
}

fn architecture() -> Fact {
    let found = rustix::system::uname().machine().to_string_lossy().into_owned();
    let meaning = if found == "x86_64" { Meaning::Good } else { Meaning::Bad };
    Fact { name: "architecture", found, meaning, next: Some("this release captures on x86_64 only") }
}

/// `CAP_SYS_ADMIN`, or `CAP_BPF` with `CAP_PERFMON` (capabilities(7)). User probes through perf need the former on most kernels.
fn capabilities() -> Fact {
    const NAMES: [(u32, &str); 3] = [(21, "CAP_SYS_ADMIN"), (38, "CAP_PERFMON"), (39, "CAP_BPF")];
    let status = read("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    let held: Vec<&str> = NAMES.iter().filter(|(bit, _)| effective >> bit & 1 == 1).map(|&(_, name)| name).collect();
    let meaning = match held.as_slice() {
        ["CAP_SYS_ADMIN", ..] => Meaning::Good,
        ["CAP_PERFMON", "CAP_BPF"] => Meaning::Open,
        _ => Meaning::Bad,
    };
    let found = if held.is_empty() { "none of CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF".to_owned() } else { held.join(", ") };
    Fact { name: "capabilities", found, meaning, next: Some("run this as root; a container needs --privileged or --cap-add SYS_ADMIN") }
}

fn lockdown() -> Fact {
    let text = read("/sys/kernel/security/lockdown");
    let mode = text.as_deref().and_then(|text| text.split_once('[')?.1.split_once(']')).map(|(mode, _)| mode.to_owned());
    let (found, meaning) = match mode.as_deref() {
        Some("confidentiality") => ("confidentiality: programs may not read memory".to_owned(), Meaning::Bad),
        Some(mode) => (mode.to_owned(), Meaning::Good),
        None => ("not told (securityfs is not mounted, or the kernel has no lockdown)".to_owned(), Meaning::Open),
    };
    Fact { name: "lockdown", found, meaning, next: Some("boot with lockdown=integrity or none, or use --backend ptrace") }
}

fn kernel_btf() -> Fact {
    let found = std::fs::metadata("/sys/kernel/btf/vmlinux").ok().map(|metadata| metadata.len());
    let meaning = if found.is_some() { Meaning::Good } else { Meaning::Open };
    let found = found.map_or("none in /sys/kernel/btf/vmlinux".to_owned(), |bytes| format!("/sys/kernel/btf/vmlinux, {bytes} bytes"));
    Fact {
        name: "kernel types (BTF)",
        found,
        meaning,
        next: Some("give them with --with-btf=PATH, or --bundle of a bundle that holds this kernel's"),
    }
}

fn user_probes() -> Fact {
    let there = Path::new("/sys/bus/event_source/devices/uprobe/type").exists();
    let (found, meaning) = if there { ("allowed by this kernel", Meaning::Good) } else { ("no uprobe event source", Meaning::Open) };
    Fact {
        name: "user probes",
        found: found.to_owned(),
        meaning,
        next: Some("without them --uprobe and --uretprobe cannot be used; samples can"),
    }
}

fn setting(name: &'static str, path: &str) -> Fact {
    Fact { name, found: read(path).unwrap_or_else(|| "absent".to_owned()), meaning: Meaning::Good, next: None }
}

fn seccomp() -> Fact {
    let status = read("/proc/self/status").unwrap_or_default();
    let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:")).map(str::trim).unwrap_or_default().to_owned();
    let (found, meaning) = match mode.as_str() {
        "0" | "" => ("none".to_owned(), Meaning::Good),
        mode => (format!("mode {mode}: a container's filter may forbid bpf and perf_event_open"), Meaning::Open),
    };
    Fact { name: "seccomp", found, meaning, next: Some("run the container with another seccomp profile") }
}

/// Loads the probe object and runs its canary.
fn trial(args: &DoctorArgs) -> Answer {
    match ebpf::prepare(&args.btf) {
        Ok(prepared) => Answer { backend: "ebpf", usable: true, why: format!("tried: {}", prepared.describe()) },
        Err(failure) => {
            Answer { backend: "ebpf", usable: false, why: format!("tried: {}", failure.message().trim_start_matches("no eBPF capture: ")) }
        }
    }
}

fn ptrace() -> Answer {
    let why = match read("/proc/sys/kernel/yama/ptrace_scope").as_deref() {
        Some("3") => {
            return Answer { backend: "ptrace", usable: false, why: "yama ptrace_scope is 3: no tracing until the next boot".to_owned() };
        }
        Some("2") => "with CAP_SYS_PTRACE only (yama ptrace_scope is 2)",
        Some("1") => "of commands that it starts; of other processes as root (yama ptrace_scope is 1)",
        _ => "of commands that it starts, of your own processes; of all as root",
    };
    Answer { backend: "ptrace", usable: true, why: why.to_owned() }
}

fn core() -> Answer {
    Answer { backend: "core", usable: true, why: "needs nothing of this host".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_that_is_not_good_says_what_to_do() {
        for fact in facts() {
            assert!(!fact.found.is_empty(), "{}", fact.name);
            assert!(fact.meaning == Meaning::Good || fact.next.is_some(), "{}", fact.name);
        }
    }
}
