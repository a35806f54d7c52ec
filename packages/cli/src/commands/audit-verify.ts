/** `edge-idp audit verify`: verifies saved files of a trail, without the service. */
import type { Command } from "commander";
import { exitCodes, Failure } from "../failure.ts";
import { addExamples } from "../help.ts";

interface VerifyOptions {
  readonly bundle?: string;
  readonly proof?: string;
  readonly consistency?: string;
  readonly keys?: string;
  readonly json?: boolean;
}

const description = `Verifies saved files of a tenant's audit trail, without the service, network and secrets. The option says what is verified:

  verify EXPORT CHECKPOINT [OLDER]         a whole trail
  verify --bundle BUNDLE                   one event, with all that proves it
  verify --proof PROOF EVENT [CHECKPOINT]  one event
  verify --consistency PROOF OLDER NEWER   that the log only grew

EXPORT is the answer of GET /v1/audit/export, from leaf 0 on. CHECKPOINT, OLDER and NEWER are answers of GET /v1/audit/checkpoint. Take the CHECKPOINT before the EXPORT; OLDER is an earlier one, and proves that history was not rewritten since. EVENT is one event of the list, or one line of an export.

Exits with 0 if all is verified, with 1 if not, and with 2 if there is no verdict: an argument is wrong, or a file cannot be used. docs/audit-verification.md explains each message.`;

/** @throws Failure if the files are too few or too many for their names */
function requireFiles(
  files: readonly string[],
  names: { readonly needed: readonly string[]; readonly optional?: string },
  option: string,
): void {
  const { needed, optional } = names;
  const most = needed.length + (optional === undefined ? 0 : 1);
  if (files.length >= needed.length && files.length <= most) return;
  const words = [option, ...needed, ...(optional === undefined ? [] : [`[${optional}]`])];
  throw new Failure(
    `The files must be these: edge-idp audit verify ${words.filter((word) => word !== "").join(" ")}`,
    exitCodes.unusable,
  );
}

/** @throws Failure if there can be no verdict */
async function verify(files: readonly string[], options: VerifyOptions) {
  const { bundle, proof, consistency, keys } = options;
  const { verifyBundleFile, verifyConsistencyFiles, verifyProofFiles } = await import(
    "../audit/verify-proof.ts"
  );
  const [first = "", second = "", third] = files;
  if (bundle !== undefined) {
    requireFiles(files, { needed: [] }, "--bundle BUNDLE");
    return await verifyBundleFile(bundle, keys);
  }
  if (proof !== undefined) {
    requireFiles(files, { needed: ["EVENT"], optional: "CHECKPOINT" }, "--proof PROOF");
    return await verifyProofFiles({ proof, event: first, checkpoint: files[1], keys });
  }
  if (consistency !== undefined) {
    requireFiles(files, { needed: ["OLDER", "NEWER"] }, "--consistency PROOF");
    return await verifyConsistencyFiles({ proof: consistency, older: first, newest: second, keys });
  }
  requireFiles(files, { needed: ["EXPORT", "CHECKPOINT"], optional: "OLDER" }, "");
  const { verifyFiles } = await import("../audit/verify-trail.ts");
  const { formatTrailJson, formatTrailText } = await import("../audit/verdict.ts");
  const verdict = await verifyFiles({ exported: first, checkpoint: second, older: third, keys });
  const text = formatTrailText(verdict, keys !== undefined);
  return { ok: verdict.ok, text, json: formatTrailJson(verdict) };
}

export function addVerifyCommand(group: Command): void {
  const command = group
    .command("verify")
    .summary("verify a saved trail, or one event, without the service")
    .description(description)
    .argument("[files...]", "the files, in the order above")
    .option("--keys <file>", "an earlier answer of GET /v1/audit/keys: accept only these keys")
    .option("--json", "print one JSON object instead of text");
  const kinds = [
    ["bundle", "the answer of GET /v1/audit/events/{id}/bundle"],
    ["proof", "the answer of GET /v1/audit/events/{id}/proof"],
    ["consistency", "the answer of GET /v1/audit/consistency"],
  ] as const;
  for (const [name, source] of kinds) {
    const others = kinds.flatMap(([other]) => (other === name ? [] : [other]));
    command.addOption(command.createOption(`--${name} <file>`, source).conflicts(others));
  }
  command.action(async (files: readonly string[], options: VerifyOptions) => {
    const { ok, text, json } = await verify(files, options);
    process.stdout.write(`${options.json ? json : text}\n`);
    process.exitCode = ok ? exitCodes.success : exitCodes.failed;
  });
  addExamples(command, [
    { line: "audit verify export.ndjson checkpoint.json", what: "as saved by audit export" },
    {
      line: "audit verify export.ndjson checkpoint.json last-year.json --keys keys.json",
      what: "also that history was not rewritten, nor signed with another key",
    },
    {
      line: "audit verify --bundle bundle.json --keys keys.json",
      what: "one event, with keys that do not come from the bundle",
    },
    {
      line: "audit verify --consistency proof.json last-year.json checkpoint.json",
      what: "that the log of last year is the beginning of the log of now",
    },
  ]);
}
