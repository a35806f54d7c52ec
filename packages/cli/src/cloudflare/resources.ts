/**
 * Finds or makes the resources that the service is bound to. Each has a name that follows from the name of the service,
 * so that a second run, or one after an interruption, finds what the first has made.
 */
import { z } from "zod";
import { Failure } from "../failure.ts";
import type { Login } from "./login.ts";
import type { Steps } from "./steps.ts";

const databaseSchema = z.object({ uuid: z.string(), name: z.string() });
const namespaceSchema = z.object({ id: z.string(), title: z.string() });
const queueSchema = z.object({ queue_id: z.string(), queue_name: z.string() });

/** In a dry run, the id of what does not exist yet. */
export const idOfDryRun = "to-be-created";

export interface Wanted {
  readonly name: string;
  /** The id that a configuration names. */
  readonly id: string | undefined;
}

/** @param jurisdiction applies to a new database alone: one that exists stays where it is */
export async function ensureDatabase(
  { api, accountId }: Login,
  steps: Steps,
  { name, id, jurisdiction }: Wanted & { readonly jurisdiction: string | undefined },
): Promise<string> {
  const path = `/accounts/${accountId}/d1/database`;
  const subject = `D1 database ${name}`;
  if (id !== undefined) {
    if ((await api.find(`${path}/${id}`, databaseSchema)) === undefined) throw gone(subject, id);
    steps.note(subject, "exists");
    return id;
  }
  const found = await api.list(`${path}?name=${encodeURIComponent(name)}`, databaseSchema);
  const existing = found.find((database) => database.name === name);
  if (existing !== undefined) {
    steps.note(subject, "exists");
    return existing.uuid;
  }
  const body = { name, ...(jurisdiction === undefined ? {} : { jurisdiction }) };
  const act =
    jurisdiction === undefined ? "created" : `created in the jurisdiction ${jurisdiction}`;
  const created = await steps.change(subject, act, () => api.post(path, databaseSchema, { body }));
  return created?.uuid ?? idOfDryRun;
}

/** A list of all namespaces is read once for all. @returns the ids in the order of the wanted ones */
export async function ensureNamespaces(
  { api, accountId }: Login,
  steps: Steps,
  wanted: readonly Wanted[],
): Promise<string[]> {
  const path = `/accounts/${accountId}/storage/kv/namespaces`;
  const present = await api.list(path, namespaceSchema);
  const ids: string[] = [];
  for (const { name, id } of wanted) {
    const subject = `KV namespace ${name}`;
    const existing = present.find((one) => (id === undefined ? one.title === name : one.id === id));
    if (existing !== undefined) {
      steps.note(subject, "exists");
      ids.push(existing.id);
      continue;
    }
    if (id !== undefined) throw gone(subject, id);
    const created = await steps.change(subject, "created", () =>
      api.post(path, namespaceSchema, { body: { title: name } }),
    );
    ids.push(created?.id ?? idOfDryRun);
  }
  return ids;
}

export async function ensureQueue(
  { api, accountId }: Login,
  steps: Steps,
  name: string,
  retentionSeconds: number,
): Promise<void> {
  const path = `/accounts/${accountId}/queues`;
  const subject = `queue ${name}`;
  const found = await api.list(`${path}?name=${encodeURIComponent(name)}`, queueSchema);
  if (found.some((queue) => queue.queue_name === name)) {
    steps.note(subject, "exists");
    return;
  }
  const body = { queue_name: name, settings: { message_retention_period: retentionSeconds } };
  await steps.change(subject, "created", () => api.post(path, queueSchema, { body }));
}

export async function ensureBucket(
  { api, accountId }: Login,
  steps: Steps,
  name: string,
  jurisdiction: string | undefined,
): Promise<void> {
  const path = `/accounts/${accountId}/r2/buckets`;
  const subject = `R2 bucket ${name}`;
  const headers: Record<string, string> =
    jurisdiction === undefined ? {} : { "cf-r2-jurisdiction": jurisdiction };
  const anything = z.unknown();
  if ((await api.find(`${path}/${name}`, anything, { headers })) !== undefined) {
    steps.note(subject, "exists");
    return;
  }
  await steps.change(subject, "created", () =>
    api.post(path, anything, { headers, body: { name } }),
  );
}

function gone(subject: string, id: string): Failure {
  return new Failure(
    `The account has no ${subject} with the id ${id} that the configuration names. ` +
      "Restore it, or bind another with its data: a new one would be empty.",
  );
}
