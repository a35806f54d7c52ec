/** Reads the tenant out of an API token, or out of its beginning (pure). The id is in the token, unencrypted. */
import { parseApiToken } from "../../../../src/tenancy/api-token.ts";
import { Failure } from "../failure.ts";

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** Base62 digits of the tenant id (12 bytes) and the random part (20 bytes) together. */
const payloadDigits = 43;
const randomBits = 160n;
/** So many digits say less than 30 of the 160 random bits. A longer text is a secret, and belongs into a file. */
const maxPrefixDigits = 21;

export interface FoundTenant {
  readonly tenantId: string;
  readonly mode: "live" | "test";
}

/** @throws Failure if the text is no API token */
export function readTenantOfToken(text: string): FoundTenant {
  const found = parseApiToken(text.trim());
  if (found !== undefined) return found;
  throw new Failure(
    "The file has no API token: its form or its checksum is wrong. If it has only the beginning of one, use --prefix.",
  );
}

/** All of the prefix's digits, then the same digit to the end. */
function fill(digits: string, digit: string): bigint {
  let value = 0n;
  for (const one of digits.padEnd(payloadDigits, digit)) {
    value = value * 62n + BigInt(alphabet.indexOf(one));
  }
  return value >> randomBits;
}

/**
 * @param prefix the beginning of a token, of up to 21 digits after `idp_live_`
 * @throws Failure if the prefix is none, is too long to be shown, or fits several tenants
 */
export function readTenantOfPrefix(prefix: string): FoundTenant {
  const [, mode, digits = ""] = /^idp_(live|test)_([0-9A-Za-z]*)$/.exec(prefix) ?? [];
  if (mode === undefined) throw new Failure("--prefix begins with idp_live_ or idp_test_.");
  if (digits.length > maxPrefixDigits) {
    throw new Failure(
      "This is more than a prefix, and other users of the machine can read it: put it into a file, and name that with --token-file.",
    );
  }
  const lowest = fill(digits, "0");
  if (lowest !== fill(digits, "z")) {
    throw new Failure(
      `The prefix fits several tenants: give ${maxPrefixDigits} digits after idp_${mode}_, if you have them.`,
    );
  }
  return {
    tenantId: lowest.toString(16).padStart(24, "0"),
    mode: mode === "live" ? "live" : "test",
  };
}
