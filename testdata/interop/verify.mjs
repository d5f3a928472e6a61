// Verifies one Sigstore bundle with `@sigstore/verify`, a verifier that shares no code with this project.
//
//   node verify.mjs BUNDLE TRUSTED_ROOT PUBLIC_KEY_PEM
//
// Exit 0: accepted (prints the subject digests); 1: refused (prints why); 2: cannot run.
// The packages are looked up in $SEALTRACE_INTEROP/node_modules, else beside this file.
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

const [bundleFile, rootFile, keyFile] = process.argv.slice(2);
if (keyFile === undefined) {
  console.error("usage: node verify.mjs BUNDLE TRUSTED_ROOT PUBLIC_KEY_PEM");
  process.exit(2);
}

try {
  const bundle = lib.bundleFromJSON(JSON.parse(readFileSync(bundleFile, "utf8")));
  const root = lib.TrustedRoot.fromJSON(JSON.parse(readFileSync(rootFile, "utf8")));
  const spki = createPublicKey(readFileSync(keyFile)).export({ type: "spki", format: "der" });
  const hint = createHash("sha256").update(spki).digest("base64");
  const keys = { [hint]: { rawBytes: spki } };
  const verifier = new lib.Verifier(lib.toTrustMaterial(root, keys), { tlogThreshold: 1, timestampThreshold: 0 });
  verifier.verify(lib.toSignedEntity(bundle));
  const statement = JSON.parse(bundle.content.dsseEnvelope.payload.toString("utf8"));
  console.log(statement.subject.map((subject) => `sha256:${subject.digest.sha256}`).join("\n"));
} catch (error) {
  console.error(`refused: ${error.code ?? error.name}: ${error.message}`);
  process.exit(1);
}
