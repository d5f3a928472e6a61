//! Physical frames of a stopped process as eu-stack and gdb find them.

use std::process::Command;

use sealtrace_acceptance::run;

/// A physical frame: absolute pc, and the name where the tool prints one.
pub(crate) type Frame = (u64, Option<String>);

/// The stacks that `eu-stack` prints, one for each thread.
pub(crate) fn eu_stack(pid: u32) -> Vec<Vec<Frame>> {
    let output = run(Command::new("eu-stack").args(["-n", "0", "-p", &pid.to_string()]));
    let mut stacks: Vec<Vec<Frame>> = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Some((number, rest)) = line.strip_prefix('#').and_then(|line| line.split_once(' ')) else { continue };
        if number == "0" {
            stacks.push(Vec::new());
        }
        let (address, name) = rest.trim_start().split_once(' ').unwrap_or((rest.trim(), ""));
        let pc = u64::from_str_radix(address.trim_start_matches("0x"), 16).unwrap();
        stacks.last_mut().unwrap().push((pc, (!name.is_empty()).then(|| name.to_owned())));
    }
    stacks
}

/// The stacks that gdb finds, without inlined frames and without tail-call frames, which gdb adds from call-site records: neither has a return
/// address on the stack. `info frame` tells them apart; `bt` does not, and leaves out the pc of frames at the start of a line.
pub(crate) fn gdb(pid: u32) -> Vec<Vec<Frame>> {
    let mut command = Command::new("gdb");
    command.args(["-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex", "set auto-load off", "-p", &pid.to_string()]);
    command.args(["-ex", "set backtrace past-main on", "-ex", "set backtrace past-entry on", "-ex", "set backtrace limit unlimited"]);
    let output = run(command.args(["-ex", "thread apply all -q frame apply all -q info frame"]));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut stacks: Vec<Vec<Frame>> = Vec::new();
    for block in text.split("Stack level ").skip(1) {
        if block.starts_with("0,") {
            stacks.push(Vec::new());
        }
        if !block.contains(" inlined into frame") && !block.contains(" tail call frame") {
            stacks.last_mut().unwrap().push(info_frame(block));
        }
    }
    stacks
}

/// ` rip = 0x… in NAME (FILE:LINE); saved rip = …`
fn info_frame(block: &str) -> Frame {
    let rest = block.split_once("rip = 0x").unwrap_or_else(|| panic!("no pc in {block}")).1;
    let (address, rest) = rest.split_at(rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len()));
    let rest = rest.split("; saved rip").next().unwrap_or_default().lines().next().unwrap_or_default();
    let name =
        rest.strip_prefix(" in ").map(|name| name.strip_suffix(')').and_then(|name| name.rsplit_once(" (")).map_or(name, |(name, _)| name));
    let pc = u64::from_str_radix(address, 16).unwrap();
    (pc, name.filter(|name| !name.starts_with('<') && !name.starts_with('?')).map(str::to_owned))
}
