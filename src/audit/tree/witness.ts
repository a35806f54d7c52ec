/**
 * The witnesses: stores that keep tree heads where write access to D1 is not enough to change them. KV is
 * one; an R2 bucket and a webhook are optional. Each log's newest head is sent at least once an hour.
 *
 * Before a head is stored in KV, it is compared with the newest head there. If it does not extend that
 * one, the log was rewritten or cut: the head is not stored, and every attempt is logged.
 */
import { base64 } from "@scure/base";
import { z } from "zod";
import { encodeUtf8 } from "../../crypto/bytes.ts";
import { timingSafeEqual } from "../../crypto/constant-time.ts";
import { awaitStore, type Database } from "../../db/client.ts";
import { listDatabases } from "../../db/shards.ts";
import { awaitWithin } from "../../deadline.ts";
import { requireConfig } from "../../env.ts";
import { runJob } from "../../job.ts";
import { log } from "../../log.ts";
import { parseNote } from "./note.ts";
import { verifyHead } from "./signer.ts";
import { readTiles, type StoredHead } from "./store.ts";
import { listTiles, MissingTileError, TileSet } from "./tiles.ts";
import { findUnforwarded, findUnwitnessed, markForwarded, markWitnessed } from "./witness-store.ts";

/** Jobs run once a minute, so every head is sent within an hour. */
const witnessIntervalMs = 55 * 60 * 1000;
/** For all databases together. */
const maxHeadsPerRun = 100;
const webhookTimeoutMs = 5_000;
const maxTreeSize = 10 ** 15;
const sizeDigits = 15;

/** A tree head as the witness in KV keeps it. */
export interface WitnessedHead {
  readonly note: string;
  readonly publicKey: string;
}

/** Stored as metadata, so that a list returns it. KV metadata is ASCII only, hence the note in base64. */
const metadataSchema = z.object({ note: z.string(), publicKey: z.string() });

function formatMetadata({ note, publicKey }: WitnessedHead): z.input<typeof metadataSchema> {
  return { note: base64.encode(encodeUtf8(note)), publicKey };
}

function parseMetadata(metadata: unknown): WitnessedHead {
  const { note, publicKey } = metadataSchema.parse(metadata);
  return { note: new TextDecoder().decode(base64.decode(note)), publicKey };
}

function prefixOf(tenantId: string): string {
  return `head/${tenantId}/`;
}

/** KV lists keys in ascending order; these put the newest head first. */
function keyOf({ tenantId, size }: Pick<StoredHead, "tenantId" | "size">): string {
  return prefixOf(tenantId) + String(maxTreeSize - size).padStart(sizeDigits, "0");
}

/**
 * Lists the heads in KV, newest first.
 * @param belowSize only heads of smaller trees
 * @throws StoreError if KV fails
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
    // KV cannot start a list at a given key, so earlier keys are skipped, a thousand per page.
    const listed: KVNamespaceListResult<unknown> = await awaitStore(
      env.AUDIT_WITNESS.list({ prefix, cursor, ...(belowSize === undefined ? { limit } : {}) }),
    );
    for (const { name, metadata } of listed.keys) {
      if (name > after && heads.length < limit) heads.push(parseMetadata(metadata));
    }
    cursor = listed.list_complete ? null : listed.cursor;
  } while (cursor !== null && heads.length < limit);
  return heads;
}

/** Whether the head's tree is the witnessed tree, with or without further leaves. */
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
  const verified = await verifyHead(requireConfig(env).auditSigningKeys, head);
  const [newest] = await listWitnessedHeads(env, tenantId, 1);
  const isExtension = newest === undefined || (await extendsWitnessed(db, head, newest));
  if (verified === undefined || !isExtension) {
    const problem = verified === undefined ? "audit_tree_damaged" : "audit_tree_rewritten";
    log("error", problem, { tenant_id: tenantId });
    // The next attempt is in an hour, so that this log does not delay others.
    await markWitnessed(db, tenantId, now);
    return;
  }
  const { size, note } = verified;
  const metadata = formatMetadata(verified);
  const key = keyOf({ tenantId, size });
  await awaitStore(env.AUDIT_WITNESS.put(key, note, { metadata }));
  await markWitnessed(db, tenantId, now, size);
}

/** Sends a head to the other witnesses. @throws if one of them does not accept it */
async function forwardHead(
  env: Env,
  tenantId: string,
  { size, note }: { readonly size: number; readonly note: string },
): Promise<void> {
  const { AUDIT_ARCHIVE: bucket, AUDIT_WITNESS_URL: address } = env;
  if (bucket !== undefined) {
    await awaitStore(bucket.put(keyOf({ tenantId, size }), note));
  }
  if (address === undefined) return;
  const headers = { "Content-Type": "text/plain; charset=utf-8" };
  const request = { method: "POST", headers, body: note, redirect: "error" } as const;
  const answer = await awaitWithin(webhookTimeoutMs, fetch(address, request));
  await answer.body?.cancel();
  if (!answer.ok) throw new Error("The witness did not accept the head");
}

/** Forwards the newest head of each log from KV, until the other witnesses have accepted it. */
async function forwardHeads(env: Env, db: Database, limit: number): Promise<void> {
  if (env.AUDIT_ARCHIVE === undefined && env.AUDIT_WITNESS_URL === undefined) return;
  for (const tenantId of await findUnforwarded(db, limit)) {
    const [newest] = await listWitnessedHeads(env, tenantId, 1);
    const head = newest === undefined ? undefined : parseNote(newest.note);
    // KV is eventually consistent, so D1 may be ahead of it.
    if (newest === undefined || head === undefined) continue;
    const { size } = head;
    await forwardHead(env, tenantId, { size, note: newest.note });
    await markForwarded(db, tenantId, size);
  }
}

/** Sends the heads that are due. Never throws: a failure is logged, and the next run tries again. */
export async function witnessHeads(env: Env, now: number): Promise<void> {
  const databases = listDatabases(env);
  const limit = Math.ceil(maxHeadsPerRun / databases.length);
  const witnessAndForward = async (db: Database) => {
    for (const head of await findUnwitnessed(db, now - witnessIntervalMs, limit)) {
      await runJob("audit_witness_failed", () => witnessHead(env, db, head, now), {
        tenant_id: head.tenantId,
      });
    }
    await forwardHeads(env, db, limit);
  };
  for (const db of databases) await runJob("audit_witness_failed", () => witnessAndForward(db));
}
