/** `edge-idp keys rotate`: the steps of a rotation. docs/operations.md has the whole procedure. */
import { randomBytes } from "node:crypto";
import type { EdgeIdp } from "@edge-idp/sdk";
import { listVersions, signingVersionOf } from "../../../../src/step-up/signing-version.ts";
import { Failure } from "../failure.ts";
import { longRequest } from "../long-request.ts";
import { writeSecret } from "../secret-file.ts";
import { requireDeployed } from "./deployed-keys.ts";
import {
  findKeyring,
  type RotatedName,
  readKeyring,
  secretNames,
  tokenSigning,
} from "./keyrings.ts";

const keyBytes = 32;
/** After this many passes, the operator must examine the identities that still fail. */
const maxPasses = 3;
const deployStep = 'deploy (local: restart "npm run dev")';

/** What a step works on. */
export interface Rotation {
  /** The file of secrets that the service was deployed with. */
  readonly file: string;
  readonly idp: EdgeIdp;
  /** The options of service and file as they were given, with a space before each. */
  readonly given: string;
}

/** What the operator does after a version has been added. @param runOptions for the command that a step proposes */
function describeNext(
  file: string,
  runOptions: string,
  keyring: RotatedName,
  version: number,
): string {
  const run = `npx edge-idp keys rotate run${runOptions}`;
  const steps: Readonly<Record<RotatedName, () => string>> = {
    sealing: () => `keep a copy of the file, ${deployStep}, then: ${run}`,
    backup_codes: () =>
      `keep a copy of the file, and ${deployStep}. Codes that users have stay under their version; to count them: ${run}`,
    audit_signing: () =>
      `keep a copy of the file, and ${deployStep}. Keep every older version: checkpoints are signed with them.`,
    token_signing: () =>
      `${deployStep}. Version ${signingVersionOf(readKeyring(file, tokenSigning).ring)} signs then, and ${version} is announced.`,
  };
  return steps[keyring]();
}

/** Adds a version to the file. @returns what to print */
export function addVersion(file: string, keyring: RotatedName, runOptions: string): string {
  const name = secretNames[keyring];
  const { text, ring } = readKeyring(file, keyring);
  const version = ring.newest + 1;
  writeSecret(file, name, `${text},${version}:${randomBytes(keyBytes).toString("base64")}`);
  const next = describeNext(file, runOptions, keyring, version);
  return `${name} has version ${version} in ${file} now.\nNext: ${next}\n`;
}

/** Re-encrypts all data under the newest version, and prints the progress. @param limit identities in one request */
export async function reEncrypt({ file, idp }: Rotation, limit: number): Promise<void> {
  const from = (await requireDeployed(file, idp)).re_encryption;
  for (;;) {
    const now = await idp.keys.reEncrypt({ limit }, longRequest);
    const share = now.total === 0 ? 100 : Math.floor((100 * now.seen) / now.total);
    process.stdout.write(
      `Version ${now.version}: ${now.seen} of ${now.total} identities (${Math.min(share, 100)} %)${now.failed > 0 ? `, ${now.failed} failed` : ""}\n`,
    );
    if (now.done) break;
    if (now.passes - (from?.passes ?? 0) >= maxPasses) {
      throw new Failure(
        `${now.left_over} identities could not be re-encrypted under version ${now.version}; the service's log says why. Old versions are still needed.`,
      );
    }
  }
  process.stdout.write("Everything is under the newest sealing key.\n");
}

/** Prints what a deployment with the file does with each key of step-up tokens. */
function printTokenKeys(file: string): void {
  const ring = findKeyring(file, tokenSigning);
  if (ring === undefined) return;
  const signing = signingVersionOf(ring);
  for (const version of listVersions(ring).toReversed()) {
    const use = version > signing ? "announced" : version === signing ? "signs" : "earlier tokens";
    process.stdout.write(`${tokenSigning} ${version}: ${use} (by ${file})\n`);
  }
}

export async function printStatus({ file, idp }: Rotation): Promise<void> {
  const { keys, counted } = await requireDeployed(file, idp);
  for (const key of keys) {
    const use = key.newest ? "newest" : key.in_use ? "in use" : "unused";
    const sets = key.backup_code_sets ? `, ${key.backup_code_sets} sets of codes` : "";
    const gone = key.in_keyring ? "" : ", not in the keyring";
    process.stdout.write(`${key.keyring} ${key.version}: ${use}${sets}${gone}\n`);
  }
  const at = counted.complete ? `counted at ${counted.at}` : 'not counted yet; "run" counts them';
  process.stdout.write(`Sets of codes: ${at}.\n`);
  printTokenKeys(file);
}

/** Removes an unused version from the file. @returns what to print @throws Failure if the version is in use */
export async function dropVersion(
  { file, idp, given }: Rotation,
  keyring: RotatedName,
  version: number,
): Promise<string> {
  const name = secretNames[keyring];
  const { ring, text: before } = readKeyring(file, keyring);
  if (!ring.keys.has(version)) throw new Failure(`${name} in ${file} has no version ${version}.`);
  const { keys } = await requireDeployed(file, idp);
  const isInUse =
    keyring === tokenSigning
      ? version >= signingVersionOf(ring)
      : (keys.find((key) => key.keyring === keyring && key.version === version)?.in_use ?? true);
  if (isInUse) {
    throw new Failure(
      `Version ${version} of ${name} is still in use; see: npx edge-idp keys rotate status${given}`,
    );
  }
  const rest = before.split(",").filter((entry) => Number(entry.split(":")[0]) !== version);
  writeSecret(file, name, rest.join(","));
  return `${name} in ${file} no longer has version ${version}. Next: deploy.\n`;
}
