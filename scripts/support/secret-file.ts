/** A file of secrets, `NAME=value` a line: one value changed, everything else left as it is. */
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { Failure } from "./failure.ts";

/** @throws Failure when there is no such file or value */
export function readSecret(file: string, name: string): string {
  if (!existsSync(file)) throw new Failure(`${file} is not there; name yours with --file.`);
  const value = parseEnv(readFileSync(file, "utf8"))[name];
  if (!value) throw new Failure(`${file} has no ${name}.`);
  return value;
}

/** Replaces the value. An interrupted write leaves the old file whole. */
export function writeSecret(file: string, name: string, value: string): void {
  const text = readFileSync(file, "utf8");
  const line = new RegExp(`^([ \\t]*(?:export[ \\t]+)?${name}[ \\t]*=).*$`, "m");
  const beside = `${file}.new`;
  writeFileSync(
    beside,
    text.replace(line, (_all, before: string) => `${before}${value}`),
    { mode: 0o600 },
  );
  // The mode above counts only for a new file.
  chmodSync(beside, 0o600);
  renameSync(beside, file);
}
