/**
 * The outside witness: signed heads, at least hourly, where whoever can write to D1 cannot rewrite
 * them: in KV, and, where configured, in an R2 bucket and at a webhook address.
 *
 * Before it takes a head the witness compares it with the newest it has. A head that does not extend
 * that one means that history was rewritten or cut: it is not taken, and the log says so every time.
 */
import { base64 } from "@scure/base";
import { z } from "zod";
import { utf8 } from "../../crypto/bytes.ts";
import { timingSafeEqual } from "../../crypto/constant-time.ts";
import { type Database, withinStoreTimeout } from "../../db/client.ts";
import { listDatabases } from "../../db/shards.ts";
import { within } from "../../deadline.ts";
import { configNow } from "../../env.ts";
import { causeOf, log } from "../../log.ts";
import { parseNote } from "./note.ts";
import { verifyHead } from "./signer.ts";
import {
  findUnforwarded,
  findUnwitnessed,
  markForwarded,
  markWitnessed,
  readTiles,
  type StoredHead,
} from "./store.ts";
import { MissingTileError, TileSet, listTiles } from "./tiles.ts";

/** With the minute between passes, every head is told within the hour. */
const witnessIntervalMs = 55 * 60 * 1000;
/** Of all databases together. */
const maxHeadsPerPass = 100;
const webhookTimeoutMs = 5_000;
const maxTreeSize = 10 ** 15;
const sizeDigits = 15;

/** A head as the witness keeps it. */
export interface WitnessedHead {
  readonly note: string;
  readonly publicKey: string;
}

/** Beside each value, so that a list has it all. KV takes ASCII alone there, so the note is base64. */
const metadataSchema = z.object({ note: z.string(), publicKey: z.string() });

function formatMetadata({ note, publicKey }: WitnessedHead): z.input<typeof metadataSchema> {
  return { note: base64.encode(utf8(note)), publicKey };
}

function parseMetadata(metadata: unknown): WitnessedHead {
  const { note, publicKey } = metadataSchema.parse(metadata);
  return { note: new TextDecoder().decode(base64.decode(note)), publicKey };
}

function prefixOf(tenantId: string): string {
  return `head/${tenantId}/`;
}

/** Sorts the newest first, which is the only way KV lists. */
function keyOf({ tenantId, size }: Pick<StoredHead, "tenantId" | "size">): string {
  return prefixOf(tenantId) + String(maxTreeSize - size).padStart(sizeDigits, "0");
}

/**
 * Heads as the witness has them, the newest first.
 * @param belowSize only heads of smaller trees. @throws StoreError where KV fails
 */
export async function listWitnessedHeads(
  env: Env,
  tenantId: string,
  limit: number,
  belowSize?: number,
): Promise<WitnessedHead[]> {
  const prefix = prefixOf(tenantId);
  const after = belowSize === undefined ? prefix : keyOf({ tenantId, size: belowSize });
  const heads: WitnessedHead[] = [];
  let cursor: string | null = null;
  do {
    // KV cannot begin a list at a key: a thousand hours at a time, what comes before is passed over.
    const listed: KVNamespaceListResult<unknown> = await withinStoreTimeout(
      env.AUDIT_WITNESS.list({ prefix, cursor, ...(belowSize === undefined ? { limit } : {}) }),
    );
    for (const { name, metadata } of listed.keys) {
      if (name > after && heads.length < limit) heads.push(parseMetadata(metadata));
    }
    cursor = listed.list_complete ? null : listed.cursor;
  } while (cursor !== null && heads.length < limit);
  return heads;
}

/** Whether the tree under the head is the one that the witness knows, grown or as it was. */
async function extendsWitnessed(
  db: Database,
  { tenantId, size }: StoredHead,
  witnessed: WitnessedHead,
): Promise<boolean> {
  const known = parseNote(witnessed.note);
  if (known === undefined || known.size > size) return false;
  const ids = listTiles([{ start: 0, end: known.size }], size);
  const tiles = (await readTiles(db, [{ tenantId, tiles: ids }])).get(tenantId) ?? [];
  try {
    return timingSafeEqual(new TileSet(tiles).rootOf(known.size), known.root);
  } catch (error) {
    if (error instanceof MissingTileError) return false;
    throw error;
  }
}

async function witnessHead(env: Env, db: Database, head: StoredHead, now: number): Promise<void> {
  const { tenantId } = head;
  const own = await verifyHead(configNow(env).auditSigningKeys, head);
  const [newest] = await listWitnessedHeads(env, tenantId, 1);
  const isGrown = newest === undefined || (await extendsWitnessed(db, head, newest));
  if (own === undefined || !isGrown) {
    const trouble = own === undefined ? "audit_tree_damaged" : "audit_tree_rewritten";
    log("error", trouble, { tenant_id: tenantId });
    // Told again with the next hour; until then others have their turn.
    await markWitnessed(db, tenantId, now);
    return;
  }
  const { size, note } = own;
  const metadata = formatMetadata(own);
  const key = keyOf({ tenantId, size });
  await withinStoreTimeout(env.AUDIT_WITNESS.put(key, note, { metadata }));
  await markWitnessed(db, tenantId, now, size);
}

/** Sends a head to the witnesses beside KV. @throws where one of them does not take it */
async function forwardHead(
  env: Env,
  tenantId: string,
  { size, note }: { readonly size: number; readonly note: string },
): Promise<void> {
  const { AUDIT_ARCHIVE: bucket, AUDIT_WITNESS_URL: address } = env;
  if (bucket !== undefined) {
    await withinStoreTimeout(bucket.put(keyOf({ tenantId, size }), note));
  }
  if (address === undefined) return;
  const headers = { "Content-Type": "text/plain; charset=utf-8" };
  const request = { method: "POST", headers, body: note, redirect: "error" } as const;
  const answer = await within(webhookTimeoutMs, fetch(address, request));
  await answer.body?.cancel();
  if (!answer.ok) throw new Error("The witness did not take the head");
}

/** The heads that KV has go on to the others, the newest of each log, until they have taken it. */
async function forwardHeads(env: Env, db: Database, limit: number): Promise<void> {
  if (env.AUDIT_ARCHIVE === undefined && env.AUDIT_WITNESS_URL === undefined) return;
  for (const tenantId of await findUnforwarded(db, limit)) {
    const [newest] = await listWitnessedHeads(env, tenantId, 1);
    const head = newest === undefined ? undefined : parseNote(newest.note);
    // KV may be a little behind what D1 says it has.
    if (newest === undefined || head === undefined) continue;
    const { size } = head;
    await forwardHead(env, tenantId, { size, note: newest.note });
    await markForwarded(db, tenantId, size);
  }
}

/** Tells the witnesses what is due. Never throws: what fails is logged and told with the next pass. */
export async function witnessHeads(env: Env, now: number): Promise<void> {
  const databases = listDatabases(env);
  const limit = Math.ceil(maxHeadsPerPass / databases.length);
  for (const db of databases) {
    const failed = (error: unknown, tenant_id?: string) =>
      log("error", "audit_witness_failed", {
        cause: causeOf(error),
        ...(tenant_id === undefined ? {} : { tenant_id }),
      });
    try {
      for (const head of await findUnwitnessed(db, now - witnessIntervalMs, limit)) {
        await witnessHead(env, db, head, now).catch((error: unknown) =>
          failed(error, head.tenantId),
        );
      }
      await forwardHeads(env, db, limit);
    } catch (error) {
      failed(error);
    }
  }
}
