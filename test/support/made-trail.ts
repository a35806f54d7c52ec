/** A trail made without the service, and its saved files. */
import { hex } from "@scure/base";
import { digestPersonalParts, encodeLeaf, type NoncedParts } from "../../src/audit/leaf.ts";
import { hashLeaf, TreeHasher } from "../../src/audit/tree/merkle.ts";
import { formatBody, formatNote, originOf } from "../../src/audit/tree/note.ts";
import { toHex } from "../../src/crypto/bytes.ts";
import { deriveId } from "../../src/crypto/id.ts";
import { formatPublicKey, type SigningKey, signingKeyOf } from "../../src/crypto/signing.ts";
import type { SavedTrail } from "./saved-trail.ts";

/** Of the log. */
export const tenantId = "6908bffd1c2e4a5b9d7f0a31";
/** Of the first event, and of each checkpoint. Unix ms. */
export const startedAt = Date.parse("2026-03-01T12:00:00Z");

/** An event as the export shows it, without its hash in the tree. */
interface EventWithoutHash {
  readonly id: string;
  readonly at: string;
  readonly actor: { readonly type: string; readonly id: string | null };
  readonly action: string;
  readonly target: {
    readonly type: string;
    readonly id: string;
    readonly external_id: string | null;
  };
  readonly outcome: string;
  readonly reason: string | null;
  readonly request_id: string | null;
  readonly details: Readonly<Record<string, string | number>>;
  readonly leaf_index: number;
  readonly personal: NoncedParts | null;
  readonly personal_digest: string | null;
  readonly erased: boolean;
}

export interface ExportedEvent extends EventWithoutHash {
  readonly leaf_hash: string;
}

export function seedOf(fill: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(32).fill(fill);
}

/** Adds the hash of the tree. It lists the fields one by one, unlike the verifier. */
function addHash(event: EventWithoutHash): ExportedEvent {
  const { id, at, actor, action, outcome, reason, request_id, details, personal_digest } = event;
  const target = { type: event.target.type, id: event.target.id };
  const leaf = { id, at, actor, action, target, outcome, reason, request_id, details };
  return { ...event, leaf_hash: toHex(hashLeaf(encodeLeaf({ ...leaf, personal_digest }))) };
}

/** Creates an exported event. */
export function createEvent(
  n: number,
  parts: NoncedParts | null,
  changes: Partial<EventWithoutHash> = {},
): ExportedEvent {
  return addHash({
    id: deriveId(startedAt + n, n, "test"),
    at: new Date(startedAt + n).toISOString(),
    actor: { type: "api_token", id: tenantId },
    action: "otp.verified",
    target: { type: "identity", id: "a".repeat(24), external_id: parts?.external_id ?? null },
    outcome: "failure",
    reason: "invalid_code",
    request_id: `request ${n}`,
    details: { method: "totp", failed_attempts: n },
    leaf_index: n,
    personal: parts,
    personal_digest: parts === null ? null : digestPersonalParts(parts),
    erased: parts === null,
    ...changes,
  });
}

export function createEvents(count: number): ExportedEvent[] {
  return Array.from({ length: count }, (_, n) => {
    // Some parsers end a line at U+2028. Small chunks cut é and the emoji.
    const parts = { external_id: `é\u2028👤 ${n % 5}`, nonce: "0f".repeat(16) };
    return createEvent(n, n % 3 === 0 ? null : parts);
  });
}

export function exportOf(events: readonly object[]): string {
  return events.map((event) => `${JSON.stringify(event)}\n`).join("");
}

/** Signs a checkpoint over the first `size` leaves, with a key of this test by default. */
export async function signCheckpoint(
  events: readonly ExportedEvent[],
  size = events.length,
  key?: SigningKey,
  tenant = tenantId,
) {
  const { publicKey, sign } = key ?? (await signingKeyOf(seedOf(1)));
  const tree = new TreeHasher();
  for (const event of events.slice(0, size)) {
    tree.append(hex.decode(event.leaf_hash));
  }
  const head = { origin: originOf(tenant), size, root: tree.root(), signedAt: startedAt };
  return {
    origin: head.origin,
    tree_size: size,
    root_hash: toHex(head.root),
    sealed_at: new Date(startedAt).toISOString(),
    public_key: formatPublicKey(publicKey),
    note: formatNote(head, publicKey, await sign(formatBody(head))),
  };
}

/** Creates a valid trail and its saved files. */
export async function createTrail(count = 12, size = count) {
  const events = createEvents(count);
  const checkpoint = await signCheckpoint(events, size);
  return { events, checkpoint, saved: toSaved(events, checkpoint) };
}

export function toSaved(
  events: readonly object[],
  checkpoint: object,
  extra: Partial<SavedTrail> = {},
): SavedTrail {
  return { exported: exportOf(events), checkpoint: JSON.stringify({ checkpoint }), ...extra };
}
