/** The witness in KV: the heads of each log, newest first. */
import { base64 } from "@scure/base";
import { z } from "zod";
import { encodeUtf8 } from "../../crypto/bytes.ts";
import { awaitStore, StoreError } from "../../db/client.ts";
import type { StoredHead } from "./store.ts";

const maxTreeSize = 10 ** 15;
const sizeDigits = 15;
const rootPrefix = "head/";

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
  return `${rootPrefix}${tenantId}/`;
}

/** The name of a head in KV and in the bucket. KV lists names in ascending order; these put the newest first. */
export function headNameOf({ tenantId, size }: Pick<StoredHead, "tenantId" | "size">): string {
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
  const after = belowSize === undefined ? prefix : headNameOf({ tenantId, size: belowSize });
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

/** @throws StoreError if KV fails */
export async function putWitnessedHead(
  env: Env,
  head: Pick<StoredHead, "tenantId" | "size"> & WitnessedHead,
): Promise<void> {
  const metadata = formatMetadata(head);
  await awaitStore(env.AUDIT_WITNESS.put(headNameOf(head), head.note, { metadata }));
}

function commonPrefixOf(texts: readonly string[]): string {
  const [first = "", ...others] = texts;
  let length = first.length;
  for (const text of others) {
    while (!text.startsWith(first.slice(0, length))) length -= 1;
  }
  return first.slice(0, length);
}

/** The calls of `findWitnessedLogs` that are left in a run. */
export interface ListBudget {
  listsLeft: number;
}

/**
 * Finds which of these logs the witness in KV has a head of. New tenants have similar ids, so one list over their
 * common prefix usually answers for all of them; if it holds too much, the ids are divided by the next digit.
 * @returns the answer by tenant id; a log is missing if KV failed or the budget is spent
 */
export async function findWitnessedLogs(
  env: Env,
  tenantIds: readonly string[],
  budget: ListBudget,
): Promise<Map<string, boolean>> {
  const found = new Map<string, boolean>();
  const groups: (readonly string[])[] = [tenantIds];
  for (let ids = groups.pop(); ids !== undefined; ids = groups.pop()) {
    const [first, ...others] = ids;
    if (first === undefined) continue;
    if (budget.listsLeft <= 0) break;
    budget.listsLeft -= 1;
    const shared = commonPrefixOf(ids);
    const prefix = others.length === 0 ? prefixOf(first) : rootPrefix + shared;
    const limit = others.length === 0 ? { limit: 1 } : {};
    try {
      const { keys, list_complete: isComplete } = await awaitStore(
        env.AUDIT_WITNESS.list({ prefix, ...limit }),
      );
      if (isComplete || others.length === 0) {
        const names = new Set(keys.map(({ name }) => name.slice(0, name.lastIndexOf("/") + 1)));
        for (const id of ids) found.set(id, names.has(prefixOf(id)));
      } else {
        groups.push(...Map.groupBy(ids, (id) => id.charAt(shared.length)).values());
      }
    } catch (error) {
      if (error instanceof StoreError) break;
      throw error;
    }
  }
  return found;
}
