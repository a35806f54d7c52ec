/**
 * `npm run audit:verify`: verifies an exported audit trail on this machine, without the service and without
 * secrets. See `--help` and docs/audit-verification.md.
 */
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { parseArgs } from "node:util";
import type { SavedTrail, SignedCheckpoint, Verdict } from "@edge-idp/sdk/audit";
import { Failure } from "../packages/cli/src/failure.ts";

const helpText = `Verify a tenant's audit trail.

  npm run audit:verify -- EXPORT.ndjson CHECKPOINT.json [OLDER-CHECKPOINT.json] [options]

  EXPORT.ndjson          the answer of GET /v1/audit/export, from leaf 0 on
  CHECKPOINT.json        the answer of GET /v1/audit/checkpoint, taken before the export
  OLDER-CHECKPOINT.json  an earlier answer: proves that history was not rewritten since
  --keys KEYS.json       an earlier answer of GET /v1/audit/keys: accept only these keys
  --json                 print one JSON object instead of text
  --help

Exits with 0 if all is verified, 1 if not, and 2 if an argument is wrong or a file cannot be read.
docs/audit-verification.md explains each message.
`;

const exitCodes = { verified: 0, notVerified: 1, unusable: 2 };
const minProgressBytes = 10_000_000;
const progressStepBytes = 1_000_000;

/** Rewrites one line of a terminal; prints nothing elsewhere. */
function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}

/** Reads the file in chunks, and shows the progress through a large one. */
async function* readChunks(path: string, bytes: number): AsyncGenerator<Uint8Array> {
  let read = 0;
  let shown = 0;
  for await (const chunk of createReadStream(path)) {
    if (!Buffer.isBuffer(chunk)) continue;
    read += chunk.length;
    if (bytes > minProgressBytes && read - shown > progressStepBytes) {
      showProgress(`${Math.floor((100 * read) / bytes)} % of ${(bytes / 1e6).toFixed(0)} MB`);
      shown = read;
    }
    yield chunk;
  }
  showProgress("");
}

function countUncovered({ leaves, newest }: Verdict): number {
  return Math.max(0, leaves - (newest?.head.size ?? 0));
}

function formatTime({ head }: SignedCheckpoint): string {
  return new Date(head.signedAt).toISOString();
}

function formatJson(verdict: Verdict): string {
  const { ok, problems, leaves, newest, older } = verdict;
  return JSON.stringify({
    ok,
    problems,
    leaves,
    not_covered: newest === undefined ? null : countUncovered(verdict),
    origin: newest?.head.origin ?? null,
    tree_size: newest?.head.size ?? null,
    sealed_at: newest === undefined ? null : formatTime(newest),
    public_key: newest?.publicKey ?? null,
    older_tree_size: older?.head.size ?? null,
  });
}

function formatText(verdict: Verdict, pinned: boolean): string {
  const { ok, problems, leaves, newest, older } = verdict;
  const lines: string[] = [];
  const covers = (checkpoint: SignedCheckpoint) =>
    `${checkpoint.head.size} leaves, signed at ${formatTime(checkpoint)}`;
  if (newest !== undefined) {
    const known = pinned
      ? "one of --keys"
      : "compare it with a copy of /v1/audit/keys kept from earlier";
    const beyond = countUncovered(verdict);
    lines.push(`Log:        ${newest.head.origin}`);
    lines.push(`Checkpoint: ${covers(newest)}`);
    lines.push(`Signed by:  ${newest.publicKey} (${known})`);
    if (older !== undefined) lines.push(`Older:      ${covers(older)}`);
    const rest = beyond === 0 ? "" : `, ${beyond} of them not covered by the checkpoint`;
    lines.push(`Export:     ${leaves} leaves read${rest}`, "");
  }
  lines.push(
    ok
      ? "VERIFIED: every event under the checkpoint is as it was recorded, and none is missing or added."
      : "NOT VERIFIED",
  );
  for (const { message } of problems) lines.push(`  ${message}`);
  return lines.join("\n");
}

/** @throws Failure if the verifier is not built */
async function loadVerifier() {
  try {
    return await import("@edge-idp/sdk/audit");
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error;
    if (!isMissing || error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new Failure(
      "The verifier is not built; run npm run build:packages, which npm ci runs too unless told to skip scripts.",
    );
  }
}

/** @throws Failure if there can be no verdict */
async function verify(files: SavedTrail): Promise<Verdict> {
  const { CannotVerifyError, verifyTrail } = await loadVerifier();
  try {
    return await verifyTrail(files);
  } catch (error) {
    throw error instanceof CannotVerifyError ? new Failure(error.message) : error;
  }
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      keys: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(helpText);
    return exitCodes.verified;
  }
  const [exported, checkpoint, older, ...rest] = positionals;
  if (exported === undefined || checkpoint === undefined || rest.length > 0) {
    throw new Failure(
      "Name an export and a checkpoint, and at most one older checkpoint; see --help.",
    );
  }
  const text = (path: string | undefined) =>
    path === undefined ? undefined : readFile(path, "utf8");
  const { size } = await stat(exported);
  const verdict = await verify({
    read: () => readChunks(exported, size),
    checkpoint: await readFile(checkpoint, "utf8"),
    older: await text(older),
    keys: await text(values.keys),
  });
  const shown = values.json ? formatJson(verdict) : formatText(verdict, values.keys !== undefined);
  process.stdout.write(`${shown}\n`);
  return verdict.ok ? exitCodes.verified : exitCodes.notVerified;
}

try {
  process.exitCode = await main();
} catch (error) {
  showProgress("");
  // Errors of arguments and files have a code.
  const expected = error instanceof Failure || (error instanceof Error && "code" in error);
  if (!expected) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = exitCodes.unusable;
}
