/** Assertions that need no test runner, because the journey runs in Node, in workerd and in Vitest. */
import type { IdpError, Sdk } from "./sdk.ts";

function show(value: unknown): string {
  return JSON.stringify(value);
}

export function expectEqual(what: string, actual: unknown, expected: unknown): void {
  if (show(actual) !== show(expected)) {
    throw new Error(`${what}: ${show(actual)} instead of ${show(expected)}`);
  }
}

/** @returns the error, with which the call must fail */
export async function expectError(
  sdk: Sdk,
  code: string,
  call: Promise<unknown>,
): Promise<IdpError> {
  const outcome = await call.catch((error: unknown) => error);
  if (!(outcome instanceof sdk.IdpError)) {
    throw new Error(`${show(outcome) ?? String(outcome)} instead of the error ${code}`);
  }
  expectEqual(`the error "${outcome.message}"`, outcome.code, code);
  return outcome;
}

/** Reads all items. */
export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}
