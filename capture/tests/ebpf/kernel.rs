//! What the kernel holds of a capture, as `bpftool` lists it: the configuration that names the target, and what belongs to it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{send, trace_capture, wait_until};

fn list(what: &str) -> Vec<Value> {
    let output = Command::new("bpftool").args(["-j", what]).output().unwrap();
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    listed.as_array().unwrap_or_else(|| panic!("bpftool {what}: {listed}")).clone()
}

fn ids<'a>(of: impl IntoIterator<Item = &'a Value>) -> BTreeSet<u64> {
    of.into_iter().map(|one| one["id"].as_u64().unwrap()).collect()
}

/// The values of a map; none when it is gone.
fn values(map: u64) -> Vec<Value> {
    let output = Command::new("bpftool").args(["-j", "map", "dump", "id", &map.to_string()]).output().unwrap();
    let dumped: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    dumped.as_array().map(|all| all.iter().map(|entry| entry["formatted"]["value"].clone()).collect()).unwrap_or_default()
}

/// What one capture has in the kernel.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    programs: BTreeSet<u64>,
    links: BTreeSet<u64>,
    maps: BTreeSet<u64>,
    counters: u64,
}

impl Loaded {
    /// What the capture of a process has there, once it counts.
    pub(crate) fn of(target: u32) -> Option<Self> {
        let maps = list("map");
        let counts = |map: &&Value| {
            let config = |config: &Value| config["tgid"] == target && config["enabled"] == 1;
            map["name"] == "config" && map["id"].as_u64().is_some_and(|id| values(id).first().is_some_and(config))
        };
        let config = maps.iter().find(counts)?["id"].clone();
        // All is attached before the configuration is enabled.
        let (programs, links) = (list("prog"), list("link"));
        let uses = |program: &&Value| program["map_ids"].as_array().is_some_and(|maps| maps.contains(&config));
        let own: Vec<&Value> = programs.iter().filter(uses).collect();
        let programs = ids(own.iter().copied());
        let links = ids(links.iter().filter(|link| link["prog_id"].as_u64().is_some_and(|id| programs.contains(&id))));
        let used: BTreeSet<u64> = own.iter().filter_map(|one| one["map_ids"].as_array()).flatten().filter_map(Value::as_u64).collect();
        let counters = maps.iter().find(|map| map["name"] == "counters" && map["id"].as_u64().is_some_and(|id| used.contains(&id)))?;
        Some(Self { programs, links, counters: counters["id"].as_u64()?, maps: used })
    }

    /// Hits that a slot has delivered so far.
    pub(crate) fn delivered(&self, slot: usize) -> u64 {
        values(self.counters).get(slot).and_then(|counters| counters["delivered"].as_u64()).unwrap_or(0)
    }

    /// Programs and links there are.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.programs.len(), self.links.len())
    }

    /// Waits until none of it is there. Only the kernel's own delay passes: nobody else holds it.
    pub(crate) fn assert_gone(&self) {
        for (what, own) in [("prog", &self.programs), ("link", &self.links), ("map", &self.maps)] {
            wait_until(&format!("{what} {own:?} of the capture is gone"), || ids(&list(what)).is_disjoint(own));
        }
    }
}

/// A capture of a running process that counts; killed when dropped.
pub(crate) struct Counting {
    pub(crate) tool: Child,
    pub(crate) loaded: Loaded,
}

impl Counting {
    /// Starts the tool and waits until the kernel counts for it.
    pub(crate) fn start(target: u32, arguments: &[&str], file: &Path) -> Self {
        let mut tool = trace_capture();
        tool.args(["--backend", "ebpf", "--duration", "120s", "--pid", &target.to_string(), "-o"]).arg(file).args(arguments);
        let mut tool = tool.stderr(Stdio::piped()).spawn().unwrap();
        let mut loaded = None;
        wait_until("the capture counts", || {
            loaded = Loaded::of(target);
            loaded.is_some() || tool.try_wait().unwrap().is_some()
        });
        let loaded = loaded.unwrap_or_else(|| panic!("the capture ended before it counted"));
        Self { tool, loaded }
    }

    /// Sends a signal and waits for the end: the exit code (`None`: the signal killed it) and what was said.
    pub(crate) fn end(mut self, signal: &str) -> (Option<i32>, String, Loaded) {
        send(self.tool.id(), signal);
        let (code, said) = self.wait();
        (code, said, self.loaded.clone())
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self) -> (Option<i32>, String) {
        let said = std::io::read_to_string(self.tool.stderr.take().unwrap()).unwrap();
        (self.tool.wait().unwrap().code(), said)
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        drop(self.tool.kill());
        drop(self.tool.wait());
    }
}
