"""Judges what the virtual machines of `make kernels` sent, and prints the table. Exit 1 when any value is wrong, 2 without any kernel.

check.py PLAN.json, which .ci/kernels.sh writes: `calls`, `leastSamples`, `object` (digest), `tools`, `store`, `skipped` (a file), and for
each kernel `line`, `wanted` (its release), `out` (a folder), `steps`, `foreign` (the BTF offered to that step). Standard library only.
"""

import json
import os
import subprocess
import sys

CHAIN = ["chain_three", "chain_two", "chain_one", "main"]
NO_BTF = 5
# Of a processor: how long the machine took beside what else runs here is told, and not judged.
SECONDS_A_KERNEL = 15


def processor(text):
    """Seconds of the children in what the shell's `times` prints: two lines like `0m5.32s 0m0.41s`, the second of the children."""
    parts = [part.rstrip("s").split("m") for part in text.split()[2:]]
    return sum(int(minutes) * 60 + float(rest) for minutes, rest in parts)


def read(path, default=""):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return default


def lines(text):
    """The JSON objects of a text, one a line; anything else is passed over."""
    found = []
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


class Step:
    """One capture in one machine: its values, and what is wrong with them."""

    def __init__(self, plan, kernel, name):
        self.plan, self.kernel, self.name = plan, kernel, name
        self.wrong = []
        self.folder = kernel["out"]
        steps = lines(read(os.path.join(self.folder, "steps.jsonl")))
        self.exit = next((step["exit"] for step in steps if step["step"] == name), None)
        self.stderr = read(os.path.join(self.folder, name + ".stderr")).strip()
        printed = lines(read(os.path.join(self.folder, name + ".stdout")))
        self.counts = next((one for one in printed if "calls" in one), {})
        self.capture = lines(read(os.path.join(self.folder, name + ".jsonl")))
        self.header = next((one for one in self.capture if one.get("record") == "header"), {})
        self.btf = self.header.get("btfSource", {})
        self.probe = (self.header.get("probeObject") or {}).get("sha256", "")
        self.rules = "-"

    def expect(self, holds, what):
        if not holds:
            self.wrong.append(what)

    def samples(self, probe):
        """How many deliveries the samples of this kind of probe stand for."""
        kinds = ("Uprobe",) if probe else ("PerfSample", "PtraceStop")
        return sum(one["count"] for one in self.capture if one.get("probeType") in kinds)

    def judge(self):
        if self.exit is None:
            self.wrong.append("the step did not run")
        elif self.name == "doctor":
            self.judge_doctor()
        elif self.name in ("hidden", "foreign"):
            self.expect(self.exit == NO_BTF, f"exit {self.exit}, wanted {NO_BTF}: {self.stderr[-200:]}")
            self.expect(not self.capture, "a capture was written")
            offered = os.path.basename(self.kernel.get("foreign", ""))
            self.expect(self.name == "hidden" or offered in self.stderr, f"the refusal does not name {offered}: {self.stderr[-200:]}")
        else:
            self.judge_capture()
        return self

    def judge_doctor(self):
        self.expect(self.exit == 0, f"exit {self.exit}")
        backends = next(iter(lines(read(os.path.join(self.folder, "doctor.json")))), {}).get("backends", [])
        usable = [one for one in backends if one.get("backend") == "ebpf" and one.get("usable") is True]
        self.expect(bool(usable), f"doctor does not call eBPF usable: {backends}")

    def judge_capture(self):
        if self.exit != 0:
            self.wrong.append(f"exit {self.exit}: {self.stderr[-300:]}")
            return
        self.expect(self.counts.get("calls") == self.plan["calls"], f"the program counted {self.counts.get('calls')}")
        loss = self.header.get("loss", {})
        parts = [loss.get(name, -1) for name in ("delivered", "ringLost", "rateLimited", "filtered")]
        self.expect(loss.get("kernelHits") == sum(parts), f"hits {loss.get('kernelHits')} are not the sum of {parts}")
        self.expect(self.samples(probe=False) >= self.plan["leastSamples"], f"only {self.samples(probe=False)} samples")
        self.expect(sum(one.get("count", 0) for one in self.capture) == loss.get("delivered"), "the samples do not add up to delivered")
        if self.name != "ptrace":
            self.judge_probe()
        if not self.wrong:
            self.judge_frames()

    def judge_probe(self):
        self.expect(self.samples(probe=True) == self.plan["calls"], f"the uprobe was hit {self.samples(probe=True)} times")
        self.expect(self.probe == self.plan["object"], f"object {self.probe or 'unknown'}")
        wanted = {"kernel": "kernel", "archive": "external"}[self.name]
        self.expect(self.btf.get("sourceKind") == wanted, f"BTF source {self.btf.get('sourceKind')}")
        self.expect(bool(self.btf.get("sha256")) and bool(self.btf.get("selectionReason")), "the BTF has no digest or no reason")

    def judge_frames(self):
        """Names and rules, through trace-resolve and the sealed workload."""
        statement = os.path.join(self.folder, self.name + ".statement.json")
        command = [os.path.join(self.plan["tools"], "trace-resolve"), "--store", self.plan["store"], "--bundle", "kernels:1.0", "--force"]
        capture = os.path.join(self.folder, self.name + ".jsonl")
        done = subprocess.run(command + [capture, "-o", statement], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.wrong.append("trace-resolve: " + done.stderr.strip()[-300:])
            return
        witness = json.loads(read(statement))["predicate"]
        frames = [frame for stack in witness["stacks"] for frame in stack["frames"]]
        rules = [frame.get("rule") for frame in frames]
        self.expect(bool(frames) and all(rules), f"frames without a rule: {rules.count(None)} of {len(frames)}")
        counted = sorted((str(rule), rules.count(rule)) for rule in set(rules))
        self.rules = " ".join(f"{rule}:{count}" for rule, count in counted)
        chained = hits(witness, ("PerfSample", "PtraceStop"), CHAIN)
        self.expect(chained >= self.plan["leastSamples"], f"only {chained} of {self.samples(probe=False)} samples show {CHAIN}")
        inmost = hits(witness, ("PerfSample", "PtraceStop"), CHAIN[:1])
        self.expect(chained == inmost, f"{inmost - chained} samples in {CHAIN[0]} do not show {CHAIN}")
        if self.name != "ptrace":
            probed = hits(witness, ("Uprobe",), ["probed", "main"])
            self.expect(probed == self.plan["calls"], f"{probed} hits of the uprobe show probed below main")

    def row(self):
        source = self.btf.get("sourceKind") or ("refused" if self.name in ("hidden", "foreign") and self.exit == NO_BTF else "-")
        hits = f"{self.samples(probe=True)}={self.counts.get('calls')}" if self.name in ("kernel", "archive") else "-"
        loss = self.header.get("loss")
        identity = "-"
        if loss:
            identity = f"{loss['kernelHits']}={loss['delivered']}+{loss['ringLost']}+{loss['rateLimited']}+{loss['filtered']}"
        samples = str(self.samples(probe=False)) if loss else "-"
        cells = [self.kernel["release"] or self.kernel["line"], self.name, source, self.probe[:12] or "-", samples, hits, identity]
        return cells + [self.rules, "right" if not self.wrong else "WRONG"]


def hits(witness, kinds, chain):
    """How many observations of these kinds of probe begin, innermost first, with these functions."""
    names = [[frame.get("function") for frame in stack["frames"]] for stack in witness["stacks"]]
    seen = (one for one in witness["observations"] if one.get("probeType") in kinds)
    return sum(one["hits"] for one in seen if names[one["stackRef"]][: len(chain)] == chain)


def table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def main():
    plan = json.loads(read(sys.argv[1]))
    rows = [["kernel", "step", "BTF", "object", "samples", "uprobe hits=calls", "hits=delivered+lost+limited+filtered", "rules", "verdict"]]
    wrong, seconds = [], []
    for kernel in plan["kernels"]:
        kernel["release"] = read(os.path.join(kernel["out"], "release")).strip()
        took = int(read(os.path.join(kernel["out"], "milliseconds"), "0") or 0) / 1000
        used = processor(read(os.path.join(kernel["out"], "times")))
        seconds.append(f"{kernel['line']}: {took:.1f} ({used:.1f})")
        label = kernel["release"] or kernel["line"]
        if os.path.exists(os.path.join(kernel["out"], "broken")) or kernel["release"] != kernel["wanted"]:
            wrong.append(f"{label}: the machine did not answer: {read(os.path.join(kernel['out'], 'console'))[-300:]}")
        if used > SECONDS_A_KERNEL:
            wrong.append(f"{label}: {used:.1f} s of a processor, more than {SECONDS_A_KERNEL} s")
        steps = {name: Step(plan, kernel, name).judge() for name in kernel["steps"]}
        if "kernel" in steps and "archive" in steps:
            reduced = {(step.btf.get("used") or {}).get("reducedSha256") for step in (steps["kernel"], steps["archive"])}
            steps["archive"].expect(len(reduced) == 1 and None not in reduced, "the archive's BTF means something else than the kernel's")
        for name, step in steps.items():
            rows.append(step.row())
            wrong.extend(f"{label}, {name}: {what}" for what in step.wrong)
    for skipped in read(plan["skipped"]).splitlines():
        line, _, why = skipped.removeprefix("SKIPPED: kernel ").partition(" (")
        rows.append([line, "-", "-", "-", "-", "-", "-", "-", "SKIPPED (" + why])
    print(table(rows))
    print("\nseconds a kernel, boot to power-off (of a processor): " + ", ".join(seconds))
    for what in wrong:
        print("WRONG: " + what)
    if not plan["kernels"]:
        print("no verdict: not one kernel could be had", file=sys.stderr)
        sys.exit(2)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
