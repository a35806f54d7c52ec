/** The secrets that the service runs with, in a file with lines `NAME=value`: `.dev.vars` or `.prod.vars`. */
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { parseEnv } from "node:util";

const newKey = () => randomBytes(32).toString("base64");

/** Generates each secret. .dev.vars.example describes them. */
const generators = {
  OPERATOR_TOKEN: () => randomBytes(32).toString("hex"),
  SEALING_KEYS: () => `1:${newKey()}`,
  BACKUP_CODE_KEYS: () => `1:${newKey()}`,
  AUDIT_SIGNING_KEYS: () => `1:${newKey()}`,
  ADDRESS_HASH_KEY: newKey,
  // The first signs, and the second is announced.
  TOKEN_SIGNING_KEYS: () => `1:${newKey()},2:${newKey()}`,
};

export interface ServiceSecrets {
  /** The names that had no value before. */
  readonly added: readonly string[];
  readonly operatorToken: string;
}

export interface SecretFile {
  readonly present: Readonly<Record<string, string | undefined>>;
  /** The names of secrets that have no value. */
  readonly missing: readonly string[];
}

/** A file that does not exist has no secrets. */
export function readServiceSecrets(file: string): SecretFile {
  const present = existsSync(file) ? parseEnv(readFileSync(file, "utf8")) : {};
  return { present, missing: Object.keys(generators).filter((name) => !present[name]) };
}

/**
 * Gives every secret without a value a random one, and keeps existing values. An interrupted write leaves the old file
 * intact.
 */
export function ensureServiceSecrets(file: string): ServiceSecrets {
  let text = existsSync(file) ? readFileSync(file, "utf8") : "";
  const present = parseEnv(text);
  const added: string[] = [];
  for (const [name, make] of Object.entries(generators)) {
    if (present[name]) continue;
    const line = `${name}=${make()}`;
    // An empty `NAME=`, as in a copy of the example, gets its value in the same line.
    const empty = new RegExp(`^[ \\t]*(?:export[ \\t]+)?${name}[ \\t]*=.*$`, "m");
    if (empty.test(text)) {
      text = text.replace(empty, line);
    } else {
      text += `${text === "" || text.endsWith("\n") ? "" : "\n"}${line}\n`;
    }
    added.push(name);
  }
  if (added.length > 0) writePrivately(file, text);
  const { OPERATOR_TOKEN: operatorToken = "" } = parseEnv(text);
  return { added, operatorToken };
}

/** Writes a file that only its owner can read. An interrupted write leaves the old file intact. */
export function writePrivately(file: string, text: string): void {
  const beside = `${file}.new`;
  writeFileSync(beside, text, { mode: 0o600 });
  // The mode above applies only to a new file.
  chmodSync(beside, 0o600);
  renameSync(beside, file);
}
