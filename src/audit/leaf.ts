/**
 * The leaf of an event (pure): what the log commits to. The personal parts are in it only as a digest
 * over them and a nonce. So erasing them changes no leaf, and the digest reveals nothing about them.
 *
 * The bytes follow the JSON Canonicalization Scheme (RFC 8785), so anyone can compute the leaf from the
 * event as the API shows it.
 */
import { encodeUtf8 } from "../crypto/bytes.ts";
import { digestCanonicalJson, toCanonicalJson } from "../crypto/canonical.ts";
import { computeSha256Hex } from "../crypto/digest.ts";
import type { AuditDetails, PersonalParts, StampedEvent } from "./event.ts";

/** An event in the form that is hashed. The time is RFC 3339. */
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
export type NoncedParts = PersonalParts & {
  /** 128 random bits, hex. */
  readonly nonce: string;
};

/** The sealed parts and the stamp are not in the leaf. */
export function leafOf(event: StampedEvent): Leaf {
  return {
    id: event.id,
    at: new Date(event.at).toISOString(),
    actor: { type: event.actorType, id: event.actorId },
    action: event.action,
    target: { type: event.targetType, id: event.targetId },
    outcome: event.outcome,
    reason: event.reason,
    request_id: event.requestId,
    details: event.details,
    personal_digest: event.personalDigest,
  };
}

export function encodeLeaf(leaf: Leaf): Uint8Array {
  return encodeUtf8(toCanonicalJson(leaf));
}

/** SHA-256, hex. Synchronous, for the verifier of the trail, which has many events. */
export function digestPersonalParts(parts: NoncedParts): string {
  return digestCanonicalJson(parts);
}

/** The same digest with WebCrypto, for the service, which has one event at a time. */
export async function computePersonalDigest(parts: NoncedParts): Promise<string> {
  return await computeSha256Hex(toCanonicalJson(parts));
}
