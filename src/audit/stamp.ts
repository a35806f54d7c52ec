/**
 * Events made ready to be filed: personal parts sealed, and the whole stamped. The stamp, an HMAC
 * under a key that no store holds, proves to the sealer that the service filed the event; what
 * somebody writes into D1 by hand is never sealed.
 */
import { toHex, utf8 } from "../crypto/bytes.ts";
import { timingSafeEqual } from "../crypto/constant-time.ts";
import { hmacSha256 } from "../crypto/digest.ts";
import { type Keyring, keyOf } from "../crypto/keyring.ts";
import type { AuditDetails, AuditEvent } from "./event.ts";
import { type Leaf, encodeLeaf } from "./leaf.ts";
import { type OpenAuditKey, sealParts } from "./personal.ts";

/** An event as it is stored, but for its place in the log. */
export interface StampedEvent {
  readonly tenantId: string;
  readonly id: string;
  /** Unix ms. */
  readonly at: number;
  readonly actorType: AuditEvent["actor"]["type"];
  readonly actorId: string | null;
  readonly action: AuditEvent["action"];
  readonly targetType: AuditEvent["target"]["type"];
  readonly targetId: string;
  readonly personalKey: string | null;
  readonly personal: string | null;
  readonly personalDigest: string | null;
  readonly outcome: AuditEvent["outcome"];
  readonly reason: string | null;
  readonly requestId: string | null;
  readonly details: AuditDetails;
  readonly stamp: string;
}

/** With its place in the tenant's log, from 0. */
export interface StoredEvent extends StampedEvent {
  readonly leafIndex: number;
}

/** What of a stored event is in its leaf: all but the sealed parts themselves. */
export type LeafFields = Omit<StampedEvent, "stamp" | "personal" | "personalKey">;

export function leafOf(event: LeafFields): Leaf {
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

const stampKeys = new WeakMap<Uint8Array, Uint8Array>();

function computeStamp(keys: Keyring, version: number, tenantId: string, leaf: Uint8Array): string {
  const seed = keyOf(keys, version);
  const key = stampKeys.get(seed) ?? hmacSha256(seed, utf8("edge-idp audit stamp"));
  stampKeys.set(seed, key);
  const mac = hmacSha256(key, new Uint8Array([...utf8(tenantId), 0, ...leaf]));
  return `${version}.${toHex(mac)}`;
}

/** Whether the service filed exactly this for this tenant, as far as it has the key to tell. */
export function checkStamp(
  keys: Keyring,
  event: Pick<StampedEvent, "tenantId" | "stamp">,
  leaf: Uint8Array,
): "ours" | "forged" | "of a missing key" {
  const version = Number(/^([1-9][0-9]{0,5})\./.exec(event.stamp)?.[1]);
  if (Number.isNaN(version)) return "forged";
  if (!keys.keys.has(version)) return "of a missing key";
  const expected = computeStamp(keys, version, event.tenantId, leaf);
  return timingSafeEqual(utf8(expected), utf8(event.stamp)) ? "ours" : "forged";
}

const noParts = { personalKey: null, personal: null, personalDigest: null };

/** @param key the identity's audit key; without one personal parts are left out */
export async function stampEvents(
  signingKeys: Keyring,
  events: readonly AuditEvent[],
  key?: OpenAuditKey,
): Promise<StampedEvent[]> {
  return await Promise.all(
    events.map(async ({ personal, target, actor, ...event }) => {
      const owner = { tenantId: event.tenantId, identityId: target.id };
      const parts =
        personal === null || key === undefined ? noParts : await sealParts(key, owner, personal);
      const unstamped = {
        ...event,
        actorType: actor.type,
        actorId: actor.id,
        targetType: target.type,
        targetId: target.id,
        ...parts,
      };
      const leaf = encodeLeaf(leafOf(unstamped));
      return {
        ...unstamped,
        stamp: computeStamp(signingKeys, signingKeys.newest, event.tenantId, leaf),
      };
    }),
  );
}
