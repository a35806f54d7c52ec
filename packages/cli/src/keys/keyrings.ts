/** The keyrings in a file of secrets: their names, and the versions that they have. */
import { type Keyring, parseKeyring } from "../../../../src/crypto/keyring.ts";
import { keyringNames, secretOf } from "../../../../src/keys/keyring-names.ts";
import { Failure } from "../failure.ts";
import { findSecret, readSecret } from "../secret-file.ts";

/** No stored data needs a key of step-up tokens, so this keyring has no versions in use, and the file decides. */
export const tokenSigning = "token_signing";
export const rotatedNames = [...keyringNames, tokenSigning] as const;
export type RotatedName = (typeof rotatedNames)[number];

export const secretNames: Readonly<Record<RotatedName, string>> = {
  ...secretOf,
  token_signing: "TOKEN_SIGNING_KEYS",
};

function parseRing(file: string, name: string, text: string): Keyring {
  const ring = parseKeyring(text);
  if (typeof ring === "string") throw new Failure(`${name} in ${file} ${ring}.`);
  return ring;
}

/** @throws Failure if the file has no such keyring, or an invalid one */
export function readKeyring(file: string, keyring: RotatedName): { text: string; ring: Keyring } {
  const name = secretNames[keyring];
  const text = readSecret(file, name);
  return { text, ring: parseRing(file, name, text) };
}

/** Undefined if the file has no such keyring. @throws Failure if it is invalid */
export function findKeyring(file: string, keyring: RotatedName): Keyring | undefined {
  const name = secretNames[keyring];
  const text = findSecret(file, name);
  return text === undefined ? undefined : parseRing(file, name, text);
}
