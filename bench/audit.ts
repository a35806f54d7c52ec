/**
 * `npm run bench:audit`: measures the audit trail of one tenant with a million events, over HTTP against the
 * production bundle. README.md in this folder defines each figure.
 */
import { parseArgs } from "node:util";
import { Failure } from "../packages/cli/src/failure.ts";
import { runScript } from "../scripts/support/run-script.ts";
import { type Checkpoint, Client } from "./support/client.ts";
import { whole } from "./support/figures.ts";
import { createBenchFolder } from "./support/folder.ts";
import { machine, versions } from "./support/machine.ts";
import { type AuditFigures, formatAuditReport } from "./support/report.ts";
import { startService } from "./support/service.ts";
import {
  exportAll,
  type IntegrationRequest,
  integrateAll,
  listPages,
  type Proofs,
  proveConsistency,
  proveInclusion,
  readStoredBytes,
  type Scene,
  verifyExport,
} from "./support/steps.ts";
import { createTenant, type Inserted, insertTrail } from "./support/trail.ts";

const helpText = `Measure the audit trail of one tenant on this machine.

  npm run bench:audit -- [options]

  --events N   events in the trail, at least 2,000 (default: 1,000,000)
  --keep       keep the data, and print its folder
  --json       the figures as JSON instead of a table
  --help
`;

const defaultEvents = 1_000_000;
const minEvents = 2_000;
/** Tree sizes at which proofs are measured, besides the full tree. */
const treeSizes = [1_000, 10_000, 100_000];
/** A new tenant has two events: its creation and its first token. */
const eventsOfNewTenant = 2;
const progressStep = 50_000;

function printProgress(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

async function measure(scene: Scene, events: number): Promise<AuditFigures> {
  const { service, tenant } = scene;
  let inserted: Inserted = { createdMs: 0, insertedMs: 0, statements: 0 };
  const integrations: IntegrationRequest[] = [];
  const inclusion: Proofs[] = [];
  const heads: Checkpoint[] = [];
  let size = 0;
  let text = "";
  for (const next of [...treeSizes.filter((step) => step < events), events]) {
    const range = { from: Math.max(0, size - eventsOfNewTenant), below: next - eventsOfNewTenant };
    printProgress(`inserting up to ${whole(next)}`);
    let printed = range.from;
    inserted = await insertTrail(service, tenant, range, events, inserted, (done) => {
      if (done - printed < progressStep) return;
      printProgress(`  ${whole(done)}`);
      printed = done;
    });
    printProgress(`integrating up to ${whole(next)}`);
    const integration = await integrateAll(scene, size, next, (done) =>
      printProgress(`  ${whole(done)}`),
    );
    integrations.push(...integration.requests);
    heads.push(integration.head);
    text = integration.text;
    size = next;
    printProgress(`proving in ${whole(next)}`);
    inclusion.push(await proveInclusion(scene, next));
  }
  const consistency: Proofs[] = [];
  const newest = heads.at(-1);
  for (const head of heads.slice(0, -1)) {
    if (newest !== undefined) consistency.push(await proveConsistency(scene, head, newest));
  }
  printProgress("listing");
  const pages = await listPages(scene, events);
  printProgress("exporting");
  const exported = await exportAll(scene, events);
  printProgress("verifying");
  const verified = await verifyExport(scene, exported.file, text);
  return {
    machine: machine(),
    versions: versions(),
    at: new Date().toISOString(),
    events,
    inserted,
    storedBytes: await readStoredBytes(scene),
    integrations,
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
      events: { type: "string", default: String(defaultEvents) },
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
  if (!Number.isSafeInteger(events) || events < minEvents) {
    throw new Failure(`--events must be a whole number of at least ${minEvents}.`);
  }

  const folder = values.keep
    ? createBenchFolder((kept) => printProgress(`The data is in ${kept}`))
    : createBenchFolder();

  printProgress("bundling and starting the service");
  const service = await startService(folder);
  try {
    const tenant = await createTenant(service);
    const client = new Client(service.url, tenant.token);
    const figures = await measure({ service, tenant, client, folder }, events);
    process.stdout.write(
      values.json ? `${JSON.stringify(figures, null, 2)}\n` : formatAuditReport(figures),
    );
    return 0;
  } finally {
    await service.close();
  }
}

await runScript(main);
