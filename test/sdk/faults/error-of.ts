import assert from "node:assert/strict";
import { inspect } from "node:util";
import { IdpError } from "@edge-idp/sdk";

export const token = "idp_test_secret";

/** The error with which the call must fail. */
export async function errorOf(call: Promise<unknown>): Promise<IdpError> {
  const outcome: unknown = await call.catch((error: unknown) => error);
  if (!(outcome instanceof IdpError)) throw new Error(`no IdpError: ${inspect(outcome)}`);
  assert.ok(!inspect(outcome, { depth: 9 }).includes(token), "An error shows the token");
  return outcome;
}
