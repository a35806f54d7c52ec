/**
 * What the log commits to of an event (pure): its leaf. The personal parts are in it only as a
 * digest over them and a nonce, so that erasing them changes no leaf, and the digest tells nothing of
 * what was erased.
 *
 * The bytes are those of the JSON Canonicalization Scheme (RFC 8785): whoever has the event as the API
 * shows it has its leaf too.
 */
import { utf8 } from "../crypto/bytes.ts";
import { digestCanonicalJson, toCanonicalJson } from "../crypto/canonical.ts";
import type { AuditDetails, PersonalParts } from "./event.ts";

/** An event in the form in which it is hashed; times are RFC 3339. */
export interface Leaf {
  readonly id: string;
  readonly at: string;
  readonly actor: { readonly type: string; readonly id: string | null };
  readonly action: string;
  readonly target: { readonly type: string; readonly id: string };
  readonly outcome: string;
  readonly reason: string | null;
  readonly request_id: string | null;
  readonly details: AuditDetails;
  readonly personal_digest: string | null;
}

/** Personal parts with the nonce that keeps their digest from being guessed. */
export interface NoncedParts extends PersonalParts {
  /** 128 random bits, hex. */
  readonly nonce: string;
}

export function encodeLeaf(leaf: Leaf): Uint8Array {
  return utf8(toCanonicalJson(leaf));
}

/** SHA-256, hex. */
export function digestPersonalParts(parts: NoncedParts): string {
  return digestCanonicalJson(parts);
}
