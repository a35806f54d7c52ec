/** A new API token goes to the terminal once, or to a file that only its owner can read. */
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import type { Command } from "commander";
import { Failure } from "./failure.ts";
import { ownerOnly } from "./file-mode.ts";

export function addSaveTokenOption(command: Command): Command {
  return command.option(
    "--save-token <file>",
    "write the token to this new file, which only you can read, and do not print it",
  );
}

/**
 * Creates the file before the token, so that no token is lost because it cannot be written.
 * @throws Failure if the file exists, or cannot be created
 */
export async function saveToken<T extends { readonly secret: string }>(
  file: string | undefined,
  create: () => Promise<T>,
): Promise<T> {
  if (file === undefined) return await create();
  const descriptor = openNewFile(file);
  try {
    const token = await create();
    writeSync(descriptor, `${token.secret}\n`);
    return token;
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

function openNewFile(file: string): number {
  try {
    return openSync(file, "wx", ownerOnly);
  } catch (error) {
    const isThere = error instanceof Error && "code" in error && error.code === "EEXIST";
    throw isThere ? new Failure(`${file} exists, and is not replaced.`) : error;
  }
}

/** The token, or where it is. */
export function describeToken(secret: string, file: string | undefined): string {
  return file === undefined ? secret : `in ${file}`;
}

/** The token as JSON shows it: without its secret, if that is in a file. */
export function hideSaved<T extends { readonly secret: string }>(
  token: T,
  file: string | undefined,
): Omit<T, "secret"> & { readonly secret?: string } {
  if (file === undefined) return token;
  const { secret: _, ...shown } = token;
  return shown;
}
