/** What D1 records about the witnesses: how much of each log they have. */
import { and, desc, eq, gt, lte, or, type SQL, sql } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import { awaitStore, type Database } from "../../db/client.ts";
import { isResident } from "../../db/tenant-fence.ts";
import { orderInTurn } from "../../db/turns.ts";
import { auditTrees } from "../tables.ts";
import type { StoredHead } from "./store.ts";

/** The witnesses to which heads are forwarded from KV. */
export type TargetName = "bucket" | "webhook";

/** What one of them has of a log. */
export interface Forwarding {
  /** The size of the newest head that it has accepted. */
  readonly size: number;
  /** How often it did not accept a head, in a row. */
  readonly failures: number;
  /** When a head is sent again, Unix ms. */
  readonly retryAt: number;
}

/** A tree head, and which heads of its log the witnesses have. */
export interface HeadToSend extends StoredHead, Readonly<Record<TargetName, Forwarding>> {
  /** The size of the newest head in KV, and when one was last sent there, Unix ms. */
  readonly witnessedSize: number;
  readonly witnessedAt: number;
}

const bucket = {
  size: auditTrees.bucketSize,
  failures: auditTrees.bucketFailures,
  retryAt: auditTrees.bucketRetryAt,
};
const webhook = {
  size: auditTrees.forwardedSize,
  failures: auditTrees.forwardFailures,
  retryAt: auditTrees.forwardRetryAt,
};
const columnsOf = { bucket, webhook } as const;

/**
 * Finds heads that a witness does not have and that are due, in turn. Those that are due for KV come first, so
 * that the others are not late when a further witness fails for long.
 * @param due `sentUntil`: a log that was sent to KV after this time is left out; `targets`: the configured ones
 */
export async function findHeadsToSend(
  db: Database,
  due: {
    readonly now: number;
    readonly sentUntil: number;
    readonly targets: readonly TargetName[];
  },
  limit: number,
): Promise<HeadToSend[]> {
  const { tenantId, size, note, witnessedSize, witnessedAt } = auditTrees;
  const isDueForKv = sql`${size} > ${witnessedSize} AND ${witnessedAt} <= ${due.sentUntil}`;
  const isForwardDue = ({ size: accepted, retryAt }: typeof bucket | typeof webhook) =>
    and(gt(witnessedSize, accepted), lte(retryAt, due.now));
  return await awaitStore(
    db
      .select({ tenantId, size, note, witnessedSize, witnessedAt, bucket, webhook })
      .from(auditTrees)
      .where(
        and(
          or(isDueForKv, ...due.targets.map((target) => isForwardDue(columnsOf[target]))),
          isResident(tenantId),
        ),
      )
      .orderBy(desc(isDueForKv), orderInTurn("witness", tenantId))
      .limit(limit),
  );
}

/** What changed for one log when its head was sent. */
export type Sent = Omit<HeadToSend, "size" | "note">;

/** Records which heads the witnesses have. A log whose tenant is moving is left out, and is sent again later. */
export async function markSent(db: Database, sent: readonly Sent[]): Promise<void> {
  if (sent.length === 0) return;
  const field = (path: string): SQL => sql`sent.value ->> ${sql.raw(`'$.${path}'`)}`;
  // A run that ends late does not undo what a later one has recorded.
  const greatest = (column: SQLiteColumn, path: string) => sql`max(${column}, ${field(path)})`;
  await awaitStore(
    db
      .update(auditTrees)
      .set({
        witnessedSize: greatest(auditTrees.witnessedSize, "witnessedSize"),
        witnessedAt: greatest(auditTrees.witnessedAt, "witnessedAt"),
        bucketSize: greatest(auditTrees.bucketSize, "bucket.size"),
        bucketFailures: field("bucket.failures"),
        bucketRetryAt: field("bucket.retryAt"),
        forwardedSize: greatest(auditTrees.forwardedSize, "webhook.size"),
        forwardFailures: field("webhook.failures"),
        forwardRetryAt: field("webhook.retryAt"),
      })
      .from(sql`json_each(${JSON.stringify(sent)}) AS sent`)
      .where(and(eq(auditTrees.tenantId, field("tenantId")), isResident(auditTrees.tenantId))),
  );
}
