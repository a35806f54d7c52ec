/** `.dev.vars`: the secrets of a service on a person's own machine, random and never in git. */
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseEnv } from "node:util";

const key = () => randomBytes(32).toString("base64");

/** How each secret is made. What it holds stands in .dev.vars.example. */
const makers = {
  OPERATOR_TOKEN: () => randomBytes(32).toString("hex"),
  SEALING_KEYS: () => `1:${key()}`,
  BACKUP_CODE_KEYS: () => `1:${key()}`,
  AUDIT_SIGNING_KEYS: () => `1:${key()}`,
  ADDRESS_HASH_KEY: key,
};

export interface DevVars {
  /** Names that had no value and have one now. */
  readonly added: readonly string[];
  readonly operatorToken: string;
}

/** Gives every secret without a value a random one. Values that are there stay as they are. */
export function ensureDevVars(file: string): DevVars {
  let text = existsSync(file) ? readFileSync(file, "utf8") : "";
  const present = parseEnv(text);
  const added: string[] = [];
  for (const [name, make] of Object.entries(makers)) {
    if (present[name]) continue;
    const line = `${name}=${make()}`;
    // `NAME=` left empty, as in a copy of the example, is filled in where it stands.
    const empty = new RegExp(`^[ \\t]*(?:export[ \\t]+)?${name}[ \\t]*=.*$`, "m");
    if (empty.test(text)) {
      text = text.replace(empty, line);
    } else {
      text += `${text === "" || text.endsWith("\n") ? "" : "\n"}${line}\n`;
    }
    added.push(name);
  }
  if (added.length > 0) {
    writeFileSync(file, text, { mode: 0o600 });
    // The mode above counts only for a new file.
    chmodSync(file, 0o600);
  }
  const { OPERATOR_TOKEN: operatorToken = "" } = parseEnv(text);
  return { added, operatorToken };
}
