/** The steps of the audit bench. Each returns its figures. */
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Checkpoint, Client, InclusionAnswer } from "./client.ts";
import { type Course, courseOf, measureTimes, type Timing } from "./figures.ts";
import { measureMemory, measureTime, runNode } from "./process.ts";
import { checkConsistency, checkInclusion } from "./proofs.ts";
import type { Service } from "./service.ts";
import type { Tenant } from "./trail.ts";

const warmUpRuns = 5;
const runs = 41;
const pageLimit = 100;
const maxPage = 10_000;
/** The rounds of src/audit/tree/integrate.ts: events of one log, and statements. */
const eventsPerRound = 2_000;
const statementsPerRound = 6;
const root = join(import.meta.dirname, "..", "..");

/** The service and the tenant that the steps use. */
export interface Scene {
  readonly service: Service;
  readonly tenant: Tenant;
  readonly client: Client;
  /** The folder for files of the bench. */
  readonly folder: string;
}

/** One request that integrated events. */
export interface IntegrationRequest {
  readonly events: number;
  readonly ms: number;
  /** Processor time of the server process with D1; undefined if unknown. */
  readonly processorMs: number | undefined;
  readonly statements: number;
}

export interface Integration {
  readonly head: Checkpoint;
  /** The text of the answer with the head. */
  readonly text: string;
  readonly requests: readonly IntegrationRequest[];
}

/** Requests the head until it covers the trail. @throws Error if it stops growing before */
export async function integrateAll(
  { client, service }: Scene,
  from: number,
  to: number,
  onProgress: (size: number) => void,
): Promise<Integration> {
  const requests: IntegrationRequest[] = [];
  for (let size = from; ; ) {
    const { result, ms, processorMs } = await measureTime(service.pid, () => client.checkpoint());
    const { head, text } = result;
    const events = head.tree_size - size;
    if (events <= 0) throw new Error(`The trail is not integrated beyond ${size} of ${to} events`);
    requests.push({
      events,
      ms,
      processorMs,
      statements: 1 + statementsPerRound * Math.ceil(events / eventsPerRound),
    });
    size = head.tree_size;
    onProgress(size);
    if (size >= to) return { head, text, requests };
  }
}

export interface Proofs {
  readonly size: number;
  readonly timing: Timing;
  /** The numbers of hashes in the shortest and the longest proof. */
  readonly minHashes: number;
  readonly maxHashes: number;
}

/** Samples event ids from the whole log. */
async function sampleEventIds({ service, tenant }: Scene, size: number): Promise<string[]> {
  const count = warmUpRuns + runs;
  // Steps of the golden ratio spread evenly, and in an order that no cache favours.
  const leaves = Array.from({ length: count }, (_, n) => Math.floor(((n * 0.618034) % 1) * size));
  const ids = leaves.map(async (leaf) => {
    const id = await service.env.DB.prepare(
      "SELECT id FROM audit_events WHERE tenant_id = ? AND leaf_index = ?",
    )
      .bind(tenant.id, leaf)
      .first<string>("id");
    if (id === null) throw new Error(`No event has the leaf index ${leaf}`);
    return id;
  });
  return await Promise.all(ids);
}

export async function proveInclusion(scene: Scene, size: number): Promise<Proofs> {
  const ids = await sampleEventIds(scene, size);
  const answers: InclusionAnswer[] = [];
  const timing = await measureTimes(ids, warmUpRuns, async (id) => {
    answers.push(await scene.client.proveInclusion(id));
  });
  for (const answer of answers) checkInclusion(answer);
  const hashes = answers.map(({ proof }) => proof.hashes.length);
  return { size, timing, minHashes: Math.min(...hashes), maxHashes: Math.max(...hashes) };
}

export async function proveConsistency(
  { client }: Scene,
  from: Checkpoint,
  to: Checkpoint,
): Promise<Proofs> {
  let hashes: readonly string[] = [];
  const timing = await measureTimes(Array(warmUpRuns + runs).fill(from), warmUpRuns, async () => {
    hashes = await client.proveConsistency(from.tree_size, to.tree_size);
  });
  checkConsistency(from, to, hashes);
  const count = hashes.length;
  return { size: from.tree_size, timing, minHashes: count, maxHashes: count };
}

export interface Page {
  readonly what: string;
  readonly timing: Timing;
  /** The number of events on the page. */
  readonly events: number;
}

async function listPage({ client }: Scene, what: string, query: string): Promise<Page> {
  let events = 0;
  const timing = await measureTimes(Array(warmUpRuns + runs).fill(query), warmUpRuns, async () => {
    events = await client.list(`limit=${pageLimit}${query}`);
  });
  return { what, timing, events };
}

/** Lists the first page, a deep page, a page without events, and a page of one person. */
export async function listPages(scene: Scene, size: number): Promise<Page[]> {
  const { service, tenant } = scene;
  const page = Math.min(maxPage, Math.ceil(size / pageLimit));
  // The cursor is the last id of the page before, which a client would have read.
  const cursor = await service.env.DB.prepare(
    "SELECT id FROM audit_events WHERE tenant_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?",
  )
    .bind(tenant.id, (page - 1) * pageLimit - 1)
    .first<string>("id");
  const person = tenant.people[0]?.externalId ?? "";
  return [
    await listPage(scene, "page 1", ""),
    await listPage(scene, `page ${page.toLocaleString("en-US")}`, `&after=${cursor}`),
    await listPage(scene, "action=user.erased, which finds nothing", "&action=user.erased"),
    await listPage(scene, "one person, page 1", `&externalUserId=${person}`),
  ];
}

export interface Exported {
  readonly file: string;
  readonly ms: number;
  readonly bytes: number;
  readonly requests: number;
  /** Processor time of the server process with D1; undefined if unknown. */
  readonly processorMs: number | undefined;
  /** Memory of the server process with D1, in bytes; undefined if unknown. */
  readonly memory: Course | undefined;
}

export async function exportAll(scene: Scene, size: number): Promise<Exported> {
  const file = join(scene.folder, "export.ndjson");
  const { result, samples } = await measureMemory(scene.service.pid, () =>
    measureTime(scene.service.pid, () => scene.client.export(file, size)),
  );
  const { ms, processorMs } = result;
  const { requests } = result.result;
  const bytes = statSync(file).size;
  return { file, ms, bytes, requests, processorMs, memory: courseOf(samples) };
}

export interface Verified {
  readonly ms: number;
  readonly peakMemory: number | undefined;
}

/** Runs the offline verifier. @throws Error if it does not accept the export */
export async function verifyExport({ folder }: Scene, file: string, checkpoint: string) {
  const checkpointFile = join(folder, "checkpoint.json");
  writeFileSync(checkpointFile, checkpoint);
  const edgeIdp = join(root, "packages", "cli", "bin", "edge-idp.js");
  const command = [edgeIdp, "audit", "verify", file, checkpointFile];
  const { code, output, ms, peakMemory } = await runNode(command);
  if (code !== 0) throw new Error(`The verifier ended with ${code}:\n${output}`);
  return { ms, peakMemory } satisfies Verified;
}

/** Reads the size of the database with its indexes, in bytes. */
export async function readStoredBytes({ service }: Scene): Promise<number> {
  const { meta } = await service.env.DB.prepare("SELECT 1").run();
  return meta.size_after;
}
