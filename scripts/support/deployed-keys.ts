/** Compares a file of secrets with the keys that the service uses. */

import { Failure } from "../../packages/cli/src/failure.ts";
import { findSecret, readSecret } from "../../packages/cli/src/secret-file.ts";
import { type Keyring, parseKeyring } from "../../src/crypto/keyring.ts";
import { keyringNames, secretOf } from "../../src/keys/keyring-names.ts";
import { listPublishedKeys } from "../../src/step-up/token-keys.ts";
import type { OperatorApi } from "./operator-api.ts";

export const tokenSigningSecret = "TOKEN_SIGNING_KEYS";

function parseRing(file: string, name: string, text: string): Keyring {
  const ring = parseKeyring(text);
  if (typeof ring === "string") throw new Failure(`${name} in ${file} ${ring}.`);
  return ring;
}

/** @throws Failure if the file has no such keyring, or an invalid one */
export function readKeyring(file: string, name: string): { text: string; ring: Keyring } {
  const text = readSecret(file, name);
  return { text, ring: parseRing(file, name, text) };
}

/** Undefined if the file has no such keyring. @throws Failure if it is invalid */
export function findKeyring(file: string, name: string): Keyring | undefined {
  const text = findSecret(file, name);
  return text === undefined ? undefined : parseRing(file, name, text);
}

type DeployedKeys = Awaited<ReturnType<OperatorApi["keys"]>>;

/** One sentence for each keyring whose newest version in the file is not the one that the service uses. */
function compareVersions(file: string, { keys }: DeployedKeys): string[] {
  return keyringNames.flatMap((keyring) => {
    const name = secretOf[keyring];
    const inFile = readKeyring(file, name).ring.newest;
    const used = keys.find((key) => key.keyring === keyring && key.newest)?.version;
    if (used === inFile) return [];
    const where = used === undefined ? "no version of this file" : `version ${used}`;
    return [`The newest version of ${name} in ${file} is ${inFile}; the service uses ${where}.`];
  });
}

/** The service publishes the keys of step-up tokens by their thumbprints, without numbers. */
async function compareTokenKeys(file: string, api: OperatorApi): Promise<string[]> {
  const ring = findKeyring(file, tokenSigningSecret);
  const [newest] = ring === undefined ? [] : await listPublishedKeys(ring);
  const [published] = await api.stepUpKeys();
  if (newest?.kid === published?.kid) return [];
  if (ring === undefined) {
    return [`The service has ${tokenSigningSecret}, and ${file} has none.`];
  }
  return [
    `The newest version of ${tokenSigningSecret} in ${file} is ${ring.newest}; the service does not publish it as its newest key.`,
  ];
}

/**
 * Compares the newest version of each keyring with what the service uses, so that a command never reports what is true
 * of the file alone.
 * @throws Failure if one differs
 */
export async function requireDeployed(file: string, api: OperatorApi): Promise<DeployedKeys> {
  const deployed = await api.keys();
  const problems = [...compareVersions(file, deployed), ...(await compareTokenKeys(file, api))];
  if (problems.length === 0) return deployed;
  throw new Failure(
    `${problems.join("\n")}\nDeploy with this file and wait a minute (local: restart "npm run dev"), or name the file that the service was deployed with.`,
  );
}
