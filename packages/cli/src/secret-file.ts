/** Reads and changes single values in a file of secrets with lines `NAME=value`. */
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { Failure } from "./failure.ts";

/** Undefined if the file has no value. @throws Failure if the file does not exist */
export function findSecret(file: string, name: string): string | undefined {
  if (!existsSync(file))
    throw new Failure(`${file} does not exist; name yours with --secrets-file.`);
  return parseEnv(readFileSync(file, "utf8"))[name] || undefined;
}

/** @throws Failure if the file or the value does not exist */
export function readSecret(file: string, name: string): string {
  const value = findSecret(file, name);
  if (value === undefined) throw new Failure(`${file} has no ${name}.`);
  return value;
}

/** Replaces the value and nothing else. An interrupted write leaves the old file intact. */
export function writeSecret(file: string, name: string, value: string): void {
  const text = readFileSync(file, "utf8");
  const line = new RegExp(`^([ \\t]*(?:export[ \\t]+)?${name}[ \\t]*=).*$`, "m");
  const beside = `${file}.new`;
  writeFileSync(
    beside,
    text.replace(line, (_all, before: string) => `${before}${value}`),
    { mode: 0o600 },
  );
  // The mode above applies only to a new file.
  chmodSync(beside, 0o600);
  renameSync(beside, file);
}
