/**
 * `npm run bench:audit`: the audit trail of one tenant with a million events, measured over HTTP
 * against the production bundle. README.md beside this file says what each figure is.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Failure, runScript } from "../scripts/support/failure.ts";
import { whenNpmEnds } from "../scripts/support/parent.ts";
import { type Checkpoint, Client } from "./support/client.ts";
import { whole } from "./support/figures.ts";
import { machine, versions } from "./support/machine.ts";
import { type AuditFigures, auditReport } from "./support/report.ts";
import { startService } from "./support/service.ts";
import {
  exportAll,
  list,
  type Proofs,
  proveConsistency,
  proveInclusion,
  type Scene,
  type SealRequest,
  seal,
  storedBytes,
  verify,
} from "./support/steps.ts";
import { type Inserted, insertTrail, newTenant } from "./support/trail.ts";

const helpText = `Measure the audit trail of one tenant on this machine.

  npm run bench:audit -- [options]

  --events N   events in the trail, at least 2,000 (default: 1,000,000)
  --keep       leave the data, and say where it is
  --json       the figures as JSON instead of a table
  --help
`;

const usualEvents = 1_000_000;
const fewestEvents = 2_000;
/** Trees at which proofs are timed, besides the whole. */
const treeSizes = [1_000, 10_000, 100_000];
/** A tenant that has just been made has these: that it was made, and its first token. */
const firstEvents = 2;
const progressStep = 50_000;

function progress(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

async function measure(scene: Scene, events: number): Promise<AuditFigures> {
  const { service, tenant } = scene;
  let inserted: Inserted = { madeMs: 0, insertedMs: 0, statements: 0 };
  const sealed: SealRequest[] = [];
  const inclusion: Proofs[] = [];
  const heads: Checkpoint[] = [];
  let size = 0;
  let text = "";
  for (const next of [...treeSizes.filter((step) => step < events), events]) {
    const range = { from: Math.max(0, size - firstEvents), below: next - firstEvents };
    progress(`insert up to ${whole(next)}`);
    let told = range.from;
    inserted = await insertTrail(service, tenant, range, events, inserted, (done) => {
      if (done - told < progressStep) return;
      progress(`  ${whole(done)}`);
      told = done;
    });
    progress(`seal up to ${whole(next)}`);
    const sealing = await seal(scene, size, next, (done) => progress(`  ${whole(done)}`));
    sealed.push(...sealing.requests);
    heads.push(sealing.head);
    text = sealing.text;
    size = next;
    progress(`prove in ${whole(next)}`);
    inclusion.push(await proveInclusion(scene, next));
  }
  const consistency: Proofs[] = [];
  const newest = heads.at(-1);
  for (const head of heads.slice(0, -1)) {
    if (newest !== undefined) consistency.push(await proveConsistency(scene, head, newest));
  }
  progress("list");
  const pages = await list(scene, events);
  progress("export");
  const exported = await exportAll(scene, events);
  progress("verify");
  const verified = await verify(scene, exported.file, text);
  return {
    machine: machine(),
    versions: versions(),
    at: new Date().toISOString(),
    events,
    inserted,
    storedBytes: await storedBytes(scene),
    sealed,
    pages,
    inclusion,
    consistency,
    exported,
    verified,
  };
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      events: { type: "string", default: String(usualEvents) },
      keep: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(helpText);
    return 0;
  }
  const events = Number(values.events);
  if (!Number.isSafeInteger(events) || events < fewestEvents) {
    throw new Failure(`--events must be a whole number of at least ${fewestEvents}.`);
  }

  const folder = mkdtempSync(join(tmpdir(), "edge-idp-bench-"));
  // At the very end and at once: on Ctrl-C Miniflare ends the process without waiting for anything.
  process.once("exit", () => {
    if (values.keep) progress(`The data is in ${folder}`);
    else rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  const end = () => process.exit(1);
  process.once("SIGINT", end);
  process.once("SIGTERM", end);
  whenNpmEnds(end);

  progress("bundle and start the service");
  const service = await startService(folder);
  try {
    const tenant = await newTenant(service);
    const client = new Client(service.url, tenant.token);
    const figures = await measure({ service, tenant, client, folder }, events);
    process.stdout.write(
      values.json ? `${JSON.stringify(figures, null, 2)}\n` : auditReport(figures),
    );
    return 0;
  } finally {
    await service.close();
  }
}

await runScript(main);
