/** The JSON Canonicalization Scheme (RFC 8785): equal values have equal texts. */
import canonicalize from "canonicalize";
import { sha256HexOf } from "./digest.ts";

export function toCanonicalJson(value: object): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError("Not a JSON object");
  return text;
}

/** SHA-256 over the canonical JSON, hex. */
export function digestCanonicalJson(value: object): string {
  return sha256HexOf(toCanonicalJson(value));
}
