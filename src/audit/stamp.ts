/**
 * Stamps events for filing, and checks stamps. A stamp is an HMAC under a key that no store holds. It
 * proves that the service filed the event: an event that was written into D1 by hand is never integrated.
 */
import { encodeUtf8, toHex } from "../crypto/bytes.ts";
import { timingSafeEqual } from "../crypto/constant-time.ts";
import { computeHmacSha256, hmacSha256Of, importHmacKey } from "../crypto/digest.ts";
import { type Keyring, keyOf } from "../crypto/keyring.ts";
import { restoreDigest, shortenDigest } from "../crypto/short-hex.ts";
import type { AuditEvent, StampedEvent } from "./event.ts";
import { encodeLeaf, leafOf } from "./leaf.ts";
import { type OpenAuditKey, sealParts } from "./personal.ts";

const stampKeys = new WeakMap<Uint8Array, Promise<CryptoKey>>();

function importStampKey(seed: Uint8Array): Promise<CryptoKey> {
  const known = stampKeys.get(seed);
  if (known !== undefined) return known;
  const key = importHmacKey(hmacSha256Of(seed, encodeUtf8("edge-idp audit stamp")));
  stampKeys.set(seed, key);
  return key;
}

async function computeStamp(
  keys: Keyring,
  version: number,
  tenantId: string,
  leaf: Uint8Array,
): Promise<string> {
  const key = await importStampKey(keyOf(keys, version));
  const tenant = encodeUtf8(tenantId);
  const message = new Uint8Array(tenant.length + 1 + leaf.length);
  message.set(tenant);
  message.set(leaf, tenant.length + 1);
  return `${version}.${toHex(await computeHmacSha256(key, message))}`;
}

/**
 * Checks that the service filed exactly this event for this tenant.
 * @param leaf the event's encoded leaf
 */
export async function checkStamp(
  keys: Keyring,
  { tenantId, stamp }: StampedEvent,
  leaf: Uint8Array,
): Promise<"valid" | "forged" | "missing_key"> {
  const version = Number(/^([1-9][0-9]{0,5})\./.exec(stamp)?.[1]);
  if (Number.isNaN(version)) return "forged";
  if (!keys.keys.has(version)) return "missing_key";
  const expected = await computeStamp(keys, version, tenantId, leaf);
  return timingSafeEqual(encodeUtf8(expected), encodeUtf8(stamp)) ? "valid" : "forged";
}

/** Replaces the HMAC after the version of a stamp. */
function mapStamp(stamp: string, map: (mac: string) => string): string {
  const end = stamp.indexOf(".");
  return end === -1 ? stamp : `${stamp.slice(0, end + 1)}${map(stamp.slice(end + 1))}`;
}

/** The stamp as D1 keeps it, with the HMAC in base64url. */
export function shortenStamp(stamp: string): string {
  return mapStamp(stamp, shortenDigest);
}

/** The stamp that D1 keeps, or one of an older build. One that was altered fails its check. */
export function restoreStamp(stored: string): string {
  return mapStamp(stored, restoreDigest);
}

const noParts = { personalKey: null, personal: null, personalDigest: null };

/**
 * @param key derived from an audit key and a day key, for the parts that are not sealed yet; without one, they are left
 *   out
 */
export async function stampEvents(
  signingKeys: Keyring,
  events: readonly AuditEvent[],
  key?: OpenAuditKey,
): Promise<StampedEvent[]> {
  return await Promise.all(
    events.map(async (waiting): Promise<StampedEvent> => {
      const { personal, sealed, target, actor, accepted: _accepted, ...event } = waiting;
      const { tenantId } = event;
      const owner = { tenantId, identityId: target.id };
      const parts =
        sealed ??
        (personal === null || key === undefined ? noParts : await sealParts(key, owner, personal));
      const unstamped: StampedEvent = {
        ...event,
        actorType: actor.type,
        actorId: actor.id,
        targetType: target.type,
        targetId: target.id,
        ...parts,
        stamp: "",
      };
      const leaf = encodeLeaf(leafOf(unstamped));
      const stamp = await computeStamp(signingKeys, signingKeys.newest, tenantId, leaf);
      return { ...unstamped, stamp };
    }),
  );
}
