/**
 * The witnesses: stores that keep tree heads where write access to D1 is not enough to change them. KV is
 * one; an R2 bucket and a webhook are optional. Each log's newest head is sent at least once an hour.
 *
 * Before a head is stored in KV, it is compared with the newest head there. If it does not extend that
 * one, the log was rewritten or cut: the head is not stored, and every attempt is logged. The other witnesses
 * get only heads that KV has.
 */
import { mapConcurrently } from "../../concurrent.ts";
import { timingSafeEqual } from "../../crypto/constant-time.ts";
import type { Database } from "../../db/client.ts";
import { listDatabasesInTurn } from "../../db/shards.ts";
import { divideFairly, endTurn } from "../../db/turns.ts";
import { requireConfig } from "../../env.ts";
import { runJob } from "../../job.ts";
import { log } from "../../log.ts";
import { parseNote, type SignedHead } from "./note.ts";
import { verifyHead } from "./signer.ts";
import { readTiles } from "./store.ts";
import { listTiles, MissingTileError, type Tile, TileSet } from "./tiles.ts";
import { listWitnessedHeads, putWitnessedHead, type WitnessedHead } from "./witness-kv.ts";
import { findHeadsToSend, type HeadToSend, markSent, type Sent } from "./witness-store.ts";
import { createTargets, type Target } from "./witness-targets.ts";

const minuteMs = 60_000;
/** Jobs run once a minute, so every head is sent within an hour. */
const witnessIntervalMs = 55 * minuteMs;
/**
 * For all databases together. A head takes four calls: two of KV, one of each other witness. In an hour the runs
 * send 10,800 heads.
 */
const maxHeadsPerRun = 180;
/** Heads that share their statements. */
const headsPerChunk = 60;
/** The platform allows an invocation six connections at once. */
const maxConcurrentHeads = 6;
/** No chunk begins later, so that a slow witness does not let runs pile up. */
const maxRunMs = 45_000;

interface Run {
  readonly env: Env;
  readonly targets: readonly Target[];
  /** Unix ms. */
  readonly now: number;
}

/** A head with the newest one of its log in KV. */
interface ComparedHead {
  readonly head: HeadToSend;
  readonly newest: WitnessedHead | undefined;
  readonly known: SignedHead | undefined;
}

function isDueForKv({ size, witnessedSize, witnessedAt }: HeadToSend, now: number): boolean {
  return size > witnessedSize && witnessedAt <= now - witnessIntervalMs;
}

/** Whether the head's tree is the witnessed tree, with or without further leaves. */
function extendsWitnessed({ head, newest, known }: ComparedHead, tiles: readonly Tile[]): boolean {
  if (newest === undefined) return true;
  if (known === undefined || known.size > head.size) return false;
  try {
    return timingSafeEqual(new TileSet(tiles).rootOf(known.size), known.root);
  } catch (error) {
    if (error instanceof MissingTileError) return false;
    throw error;
  }
}

/** A head that KV has. */
interface KvHead {
  readonly size: number;
  readonly note: string;
}

/** Puts the head into KV if it extends the newest one there. @returns the newest head in KV then */
async function witnessHead(
  { env }: Run,
  compared: ComparedHead,
  tiles: readonly Tile[],
): Promise<KvHead | undefined> {
  const { tenantId } = compared.head;
  const verified = await verifyHead(requireConfig(env).auditSigningKeys, compared.head);
  const isExtension = extendsWitnessed(compared, tiles);
  if (verified === undefined || !isExtension) {
    const problem = verified === undefined ? "audit_tree_damaged" : "audit_tree_rewritten";
    log("error", problem, { tenant_id: tenantId });
    return undefined;
  }
  await putWitnessedHead(env, { ...verified, tenantId });
  return verified;
}

/** Sends one head to the witnesses that do not have it. @returns what to record */
async function sendHead(run: Run, compared: ComparedHead, tiles: readonly Tile[]): Promise<Sent> {
  const { head, newest, known } = compared;
  const { size: _size, note: _note, ...recorded } = head;
  let sent: Sent = recorded;
  let inKv: KvHead | undefined =
    newest === undefined || known === undefined
      ? undefined
      : { size: known.size, note: newest.note };
  if (isDueForKv(head, run.now)) {
    const witnessed = await witnessHead(run, compared, tiles);
    // After a refusal the next attempt is in an hour.
    sent = { ...sent, witnessedAt: run.now, witnessedSize: witnessed?.size ?? head.witnessedSize };
    inKv = witnessed ?? inKv;
  }
  // KV is eventually consistent, so D1 may be ahead of it.
  if (inKv === undefined) return sent;
  const forwarded = { tenantId: head.tenantId, ...inKv };
  const results = await Promise.all(
    run.targets.map(async (target) => {
      const forwarding = await target.forward(forwarded, head[target.name], run.now);
      return [target.name, forwarding] as const;
    }),
  );
  return { ...sent, ...Object.fromEntries(results) };
}

/** Whether there is something to record; a row that is written costs money. */
function hasChanged(head: HeadToSend, sent: Sent): boolean {
  const isForwarded = sent.bucket !== head.bucket || sent.webhook !== head.webhook;
  return isForwarded || sent.witnessedAt !== head.witnessedAt;
}

/** Sends some heads of a database. A head that fails keeps no other back. @throws StoreError if D1 fails */
async function sendHeads(run: Run, db: Database, heads: readonly HeadToSend[]): Promise<void> {
  const isolated = async (head: HeadToSend, work: () => Promise<void>) =>
    await runJob("audit_witness_failed", work, { tenant_id: head.tenantId });
  const compared: ComparedHead[] = [];
  await mapConcurrently(heads, maxConcurrentHeads, (head) =>
    isolated(head, async () => {
      const [newest] = await listWitnessedHeads(run.env, head.tenantId, 1);
      const known = newest === undefined ? undefined : parseNote(newest.note);
      compared.push({ head, newest, known });
    }),
  );
  const wanted = compared.flatMap(({ head: { tenantId, size }, known }) =>
    known === undefined || known.size > size
      ? []
      : [{ tenantId, tiles: listTiles([{ start: 0, end: known.size }], size) }],
  );
  const tiles = await readTiles(db, wanted);
  const sent: Sent[] = [];
  await mapConcurrently(compared, maxConcurrentHeads, (one) =>
    isolated(one.head, async () => {
      const result = await sendHead(run, one, tiles.get(one.head.tenantId) ?? []);
      if (hasChanged(one.head, result)) sent.push(result);
    }),
  );
  await markSent(db, sent);
}

/** Sends the heads that are due. Never throws: a failure is logged, and the next run tries again. */
export async function witnessHeads(env: Env, now: number): Promise<void> {
  const startedAt = Date.now();
  const targets = createTargets(env);
  const run: Run = { env, targets, now };
  const due = { now, sentUntil: now - witnessIntervalMs, targets: targets.map(({ name }) => name) };
  const waiting: { readonly db: Database; readonly heads: readonly HeadToSend[] }[] = [];
  for (const db of listDatabasesInTurn(env, now, minuteMs)) {
    await runJob("audit_witness_failed", async () => {
      waiting.push({ db, heads: await findHeadsToSend(db, due, maxHeadsPerRun) });
    });
  }
  const shares = divideFairly(
    maxHeadsPerRun,
    waiting.map(({ heads }) => heads.length),
  );
  for (const [index, { db, heads }] of waiting.entries()) {
    const share = shares[index] ?? 0;
    await runJob("audit_witness_failed", async () => {
      let done = 0;
      try {
        while (done < share && Date.now() - startedAt < maxRunMs) {
          const some = heads.slice(done, Math.min(share, done + headsPerChunk));
          done += some.length;
          await sendHeads(run, db, some);
        }
      } finally {
        await endTurn(db, "witness", heads, done, maxHeadsPerRun);
      }
    });
  }
  for (const target of targets) target.report();
}
