/** Compares a file of secrets with the keys that the service uses. */
import type { EdgeIdp, KeyList } from "@edge-idp/sdk";
import { keyringNames } from "../../../../src/keys/keyring-names.ts";
import { listPublishedKeys } from "../../../../src/step-up/token-keys.ts";
import { Failure } from "../failure.ts";
import { findKeyring, readKeyring, secretNames, tokenSigning } from "./keyrings.ts";

/** One sentence for each keyring whose newest version in the file is not the one that the service uses. */
function compareVersions(file: string, { keys }: KeyList): string[] {
  return keyringNames.flatMap((keyring) => {
    const inFile = readKeyring(file, keyring).ring.newest;
    const used = keys.find((key) => key.keyring === keyring && key.newest)?.version;
    if (used === inFile) return [];
    const where = used === undefined ? "no version of this file" : `version ${used}`;
    return [
      `The newest version of ${secretNames[keyring]} in ${file} is ${inFile}; the service uses ${where}.`,
    ];
  });
}

/** The service publishes the keys of step-up tokens by their thumbprints, without numbers. */
async function compareTokenKeys(file: string, idp: EdgeIdp): Promise<string[]> {
  const name = secretNames[tokenSigning];
  const ring = findKeyring(file, tokenSigning);
  const [newest] = ring === undefined ? [] : await listPublishedKeys(ring);
  const [published] = (await idp.stepUp.keys()).keys;
  if (newest?.kid === published?.kid) return [];
  if (ring === undefined) return [`The service has ${name}, and ${file} has none.`];
  return [
    `The newest version of ${name} in ${file} is ${ring.newest}; the service does not publish it as its newest key.`,
  ];
}

/**
 * Compares the newest version of each keyring with what the service uses, so that a command never reports what is true
 * of the file alone.
 * @throws Failure if one differs
 */
export async function requireDeployed(file: string, idp: EdgeIdp): Promise<KeyList> {
  const deployed = await idp.keys.list();
  const problems = [...compareVersions(file, deployed), ...(await compareTokenKeys(file, idp))];
  if (problems.length === 0) return deployed;
  throw new Failure(
    `${problems.join("\n")}\nDeploy with this file and wait a minute (local: restart "npm run dev"), or name the file that the service was deployed with.`,
  );
}
