/** Bundles of events: those of the service, and forged ones, which are made without it. */
import type { AuditEventBundle } from "@edge-idp/sdk";
import { hex } from "@scure/base";
import { listInclusionRanges, TreeHasher } from "../../src/audit/tree/merkle.ts";
import { toHex } from "../../src/crypto/bytes.ts";
import type { SigningKey } from "../../src/crypto/signing.ts";
import { formatPublicKey, signingKeyOf } from "../../src/crypto/signing.ts";
import { createEvent, type ExportedEvent, seedOf, signCheckpoint } from "./made-trail.ts";

/** The key of somebody who is not the service. */
export async function createForgersKey(): Promise<SigningKey> {
  return await signingKeyOf(seedOf(9));
}

/** A list of keys, as `GET /v1/audit/keys` answers it. */
export function listKeys(...publicKeys: readonly string[]): AuditEventBundle["keys"] {
  return publicKeys.map((public_key, index) => ({
    version: publicKeys.length - index,
    algorithm: "Ed25519",
    public_key,
    current: index === 0,
  }));
}

/** The event as the API shows it. What it shows beside the leaf follows from the personal parts. */
function toShown(event: Omit<ExportedEvent, "leaf_hash">): AuditEventBundle["event"] {
  const actor = { ...event.actor, acting_for: event.personal?.acting_for ?? null };
  return JSON.parse(JSON.stringify({ ...event, actor }));
}

/**
 * A bundle that is right in itself, of a log with one event, which never happened: its keys are the forger's.
 * @param genuine the event and the log that it imitates
 */
export async function forgeBundle(genuine: AuditEventBundle): Promise<AuditEventBundle> {
  const key = await createForgersKey();
  const tenantId = genuine.checkpoint.origin.slice(-24);
  const changes = { id: genuine.event.id, action: "user.erased", outcome: "success" };
  const made = createEvent(0, { external_id: "victim", nonce: "0f".repeat(16) }, changes);
  const { leaf_hash, ...event } = made;
  return {
    ...genuine,
    event: toShown(event),
    proof: { event_id: event.id, leaf_index: 0, leaf_hash, tree_size: 1, hashes: [] },
    checkpoint: await signCheckpoint([made], 1, key, tenantId),
    keys: listKeys(formatPublicKey(key.publicKey)),
  };
}

/** A right bundle of one of the events, which are a whole log. */
export async function makeBundle(
  events: readonly ExportedEvent[],
  index: number,
  key?: SigningKey,
): Promise<AuditEventBundle> {
  const size = events.length;
  const hashes = listInclusionRanges(index, size).map(({ start, end }) => {
    const tree = new TreeHasher();
    for (const { leaf_hash } of events.slice(start, end)) tree.append(hex.decode(leaf_hash));
    return toHex(tree.root());
  });
  const found = events[index];
  if (found === undefined) throw new Error(`There is no event ${index}`);
  const { leaf_hash, ...event } = found;
  const checkpoint = await signCheckpoint(events, size, key);
  return {
    format: "edge-idp/audit-bundle",
    version: 1,
    event: toShown(event),
    proof: { event_id: event.id, leaf_index: index, leaf_hash, tree_size: size, hashes },
    checkpoint,
    keys: listKeys(checkpoint.public_key),
  };
}
