// Verifies every case of an instance with `@sigstore/verify`, which shares no code with this project.
//
//   node cases.mjs INSTANCE [CASE [RUNS]]        (the folder with cases.json; one case of it; how often it is verified)
//
// One line of JSON for each case: {"name", "outcome": "accept" | "reject", "why"}, with RUNS also "micros", the median. Exit 2: cannot run.
// The library compares no DSSE subject with a file; its callers do, so this caller does too.
import { createHash, createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

let lib;
try {
  const home = process.env.SEALTRACE_INTEROP ?? import.meta.dirname;
  const require = createRequire(join(home, "package.json"));
  lib = {
    ...require("@sigstore/bundle"),
    ...require("@sigstore/verify"),
    TrustedRoot: require("@sigstore/protobuf-specs").TrustedRoot,
  };
} catch (error) {
  console.error(`cannot load @sigstore/verify: ${error.message}`);
  process.exit(2);
}

const [instance, only, runs] = process.argv.slice(2);
if (instance === undefined) {
  console.error("usage: node cases.mjs INSTANCE [CASE [RUNS]]");
  process.exit(2);
}

const exactly = (text) => `^${text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")}$`;

function verify(test) {
  const read = (file) => readFileSync(join(instance, file));
  const bundle = lib.bundleFromJSON(JSON.parse(read(test.bundle)));
  const root = lib.TrustedRoot.fromJSON(JSON.parse(read(test.trustedRoot)));
  const artifact = read(test.artifact);
  const keys = {};
  if (test.key !== null) {
    const spki = createPublicKey(read(test.key)).export({ type: "spki", format: "der" });
    keys[createHash("sha256").update(spki).digest("base64")] = { rawBytes: spki };
  }
  const options = { tlogThreshold: 1, timestampThreshold: test.key === null ? 1 : 0 };
  const verifier = new lib.Verifier(lib.toTrustMaterial(root, keys), options);
  const policy = test.key === null
    ? { subjectAlternativeName: exactly(test.identity), extensions: { issuer: test.issuer } }
    : undefined;
  verifier.verify(lib.toSignedEntity(bundle, artifact), policy);
  if (bundle.content.$case === "dsseEnvelope") {
    const digest = createHash("sha256").update(artifact).digest("hex");
    const statement = JSON.parse(bundle.content.dsseEnvelope.payload.toString("utf8"));
    if (!statement.subject.some((subject) => subject.digest.sha256 === digest)) {
      throw new Error("no subject of the statement is the artifact");
    }
  }
}

function medianMicros(test) {
  const times = [];
  for (let run = 0; run < Number(runs); run += 1) {
    const start = process.hrtime.bigint();
    verify(test);
    times.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  return Math.round(times.sort((a, b) => a - b)[times.length >> 1]);
}

const cases = only === undefined
  ? JSON.parse(readFileSync(join(instance, "cases.json"), "utf8"))
  : [JSON.parse(readFileSync(join(instance, only, "case.json"), "utf8"))];
for (const test of cases) {
  const line = { name: test.name, outcome: "accept", why: "" };
  try {
    verify(test);
    if (runs !== undefined) line.micros = medianMicros(test);
  } catch (error) {
    line.outcome = "reject";
    line.why = `${error.code ?? error.name}: ${error.message}`;
  }
  console.log(JSON.stringify(line));
}
