"""Verifies every case of an instance with `sigstore` for Python, which shares no code with this project.

    python cases.py INSTANCE [CASE [RUNS]]        (the folder with cases.json; one case of it; how often it is verified)

One line of JSON for each case: {"name", "outcome": "accept" | "reject" | "unsupported", "why"}, with RUNS also "micros", the median.
Exit 2: cannot run.
The library verifies no managed keys. It compares no DSSE subject with a file; its own command does, so this one does too.
"""

import hashlib
import json
import sys
import time
from pathlib import Path

try:
    from sigstore.models import Bundle, TrustedRoot
    from sigstore.verify import Verifier, policy
except ImportError as error:
    print(f"cannot load sigstore: {error}", file=sys.stderr)
    sys.exit(2)


def verify(instance: Path, case: dict) -> None:
    bundle = Bundle.from_json((instance / case["bundle"]).read_bytes())
    verifier = Verifier(trusted_root=TrustedRoot.from_file(str(instance / case["trustedRoot"])))
    artifact = (instance / case["artifact"]).read_bytes()
    expected = policy.Identity(identity=case["identity"], issuer=case["issuer"])
    if "dsseEnvelope" not in json.loads((instance / case["bundle"]).read_bytes()):
        verifier.verify_artifact(artifact, bundle, expected)
        return
    kind, payload = verifier.verify_dsse(bundle, expected)
    digest = hashlib.sha256(artifact).hexdigest()
    if kind != "application/vnd.in-toto+json":
        raise ValueError(f"the envelope holds {kind}")
    if all(subject["digest"].get("sha256") != digest for subject in json.loads(payload)["subject"]):
        raise ValueError("no subject of the statement is the artifact")


def outcome(instance: Path, case: dict) -> tuple[str, str]:
    if case["key"] is not None:
        return "unsupported", "managed keys"
    try:
        verify(instance, case)
    except Exception as error:  # noqa: BLE001 - whatever the library raises is its refusal
        return "reject", f"{type(error).__name__}: {error}"
    return "accept", ""


def median_micros(instance: Path, case: dict, runs: int) -> int:
    times = []
    for _ in range(runs):
        start = time.perf_counter_ns()
        verify(instance, case)
        times.append(time.perf_counter_ns() - start)
    return sorted(times)[runs // 2] // 1000


def main() -> None:
    if not 2 <= len(sys.argv) <= 4:
        print("usage: python cases.py INSTANCE [CASE [RUNS]]", file=sys.stderr)
        sys.exit(2)
    instance = Path(sys.argv[1])
    listed = instance / "cases.json" if len(sys.argv) == 2 else instance / sys.argv[2] / "case.json"
    cases = json.loads(listed.read_text())
    for case in cases if isinstance(cases, list) else [cases]:
        said, why = outcome(instance, case)
        line = {"name": case["name"], "outcome": said, "why": why}
        if len(sys.argv) == 4 and said == "accept":
            line["micros"] = median_micros(instance, case, int(sys.argv[3]))
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
