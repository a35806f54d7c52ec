/** Reads the files of `edge-idp audit verify`. */
import { readFile } from "node:fs/promises";
import { CannotVerifyError } from "@edge-idp/sdk/audit";
import { exitCodes, Failure } from "../failure.ts";

/**
 * Reads a saved answer of the API. The verifier checks what it contains.
 * @throws Failure if the file has no JSON; an error of the file system
 */
export async function readJson(path: string) {
  const text = await readFile(path, "utf8");
  try {
    return JSON.parse(text);
  } catch {
    throw new Failure(`${path} is not JSON, or is cut off.`, exitCodes.unusable);
  }
}

/** The value of an option that names a file; undefined without the option. */
export async function readOptionalJson(path: string | undefined) {
  return path === undefined ? undefined : await readJson(path);
}

/** @throws Failure if there can be no verdict, because a file cannot be read or is something else */
export async function requireVerdict<T>(verify: () => Promise<T>): Promise<T> {
  try {
    return await verify();
  } catch (error) {
    const isExpected =
      error instanceof CannotVerifyError || (error instanceof Error && "syscall" in error);
    throw isExpected ? new Failure(error.message, exitCodes.unusable) : error;
  }
}
