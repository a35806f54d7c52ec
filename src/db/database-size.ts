/** How full a database is, as D1 reports it with every result. */
import { sql } from "drizzle-orm";
import { z } from "zod";
import { awaitStore, type Database } from "./client.ts";
import { reserveCount } from "./space-reserve.ts";

/** From here on, readiness and the log warn. */
export const warningPercent = 80;
/** From here on, the log reports an error. */
export const alarmPercent = 95;

export interface DatabaseSize {
  /** Pages in use, without free ones: what counts against the limit of the next write. */
  readonly bytes: number;
  /** Chunks in the space reserve. */
  readonly reserveChunks: number;
}

const measurement = z.object({
  results: z.tuple([z.object({ chunks: z.int().nullable() })]),
  meta: z.object({ size_after: z.number() }),
});

/** Reads one row at most. @throws StoreError if D1 does not answer or is not migrated */
export async function measureDatabase(db: Database): Promise<DatabaseSize> {
  const answer = await awaitStore(db.run(sql`SELECT ${reserveCount} AS chunks`));
  const { results, meta } = measurement.parse(answer);
  return { bytes: meta.size_after, reserveChunks: results[0].chunks ?? 0 };
}

/** The used part of the limit in percent, rounded down. */
export function usedPercentOf({ bytes }: DatabaseSize, maxBytes: number): number {
  return Math.floor((100 * bytes) / maxBytes);
}
