/**
 * `npm run bench:hold-up`: measures how long `GET /healthz` takes while the service answers four long requests at a
 * time, over HTTP against the production bundle. README.md in this folder defines each figure.
 */
import { setTimeout } from "node:timers/promises";
import { runScript } from "../scripts/support/run-script.ts";
import { formatRatio, formatTiming, measureTimes, type Timing, table } from "./support/figures.ts";
import { createBenchFolder } from "./support/folder.ts";
import { machine, versions } from "./support/machine.ts";
import { type Service, startService } from "./support/service.ts";
import { createTenant, insertTrail, type Tenant } from "./support/trail.ts";

const events = 20_000;
const assessments = 500;
const probes = 200;
const warmUp = 20;
const json = { "Content-Type": "application/json" };

interface LongRequest {
  readonly name: string;
  readonly method: "GET" | "POST" | "PATCH";
  readonly path: string;
  readonly body?: object;
}

function listNetworks(first: number): string[] {
  return Array.from({ length: 500 }, (_, n) => `${first}.0.${n >> 8}.${n & 255}`);
}

const lists = { allow: listNetworks(1), deny: listNetworks(2) };
const longRequests: readonly LongRequest[] = [
  {
    name: "simulate, 500 assessments, 1,000 list entries",
    method: "POST",
    path: "/v1/sentinel/simulate",
    body: { simulation: { sentinel: lists } },
  },
  { name: "export", method: "GET", path: "/v1/audit/export" },
  { name: "list 100 events", method: "GET", path: "/v1/audit/events?limit=100" },
  { name: "list 100 assessments", method: "GET", path: "/v1/sentinel/assessments?limit=100" },
  {
    name: "change settings, 1,000 list entries",
    method: "PATCH",
    path: "/v1/settings",
    body: { settings: { sentinel: lists } },
  },
];

/** Sends a request, once more if workerd closes the connection while the request reuses it. */
async function fetchTwice(url: string, options: RequestInit = {}): Promise<Response> {
  const attempt = () => fetch(url, options);
  return await attempt().catch(attempt);
}

async function send(service: Service, token: string, request: Omit<LongRequest, "name">) {
  const { method, path, body } = request;
  const answer = await fetchTwice(`${service.url}${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, ...json },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}`);
}

/** Assesses a session, and copies its assessment. */
async function insertAssessments(service: Service, tenant: Tenant): Promise<void> {
  const [person] = tenant.people;
  if (person === undefined) throw new RangeError("A tenant without people");
  const session = { ip: "8.8.8.8", ua: "EnterpriseAgent/1.0" };
  const body = { sentinel: { id: person.id, context: session } };
  await send(service, tenant.token, { method: "POST", path: "/v1/sentinel/discover", body });
  const copy = service.env.DB.prepare(
    `WITH RECURSIVE copy(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copy WHERE n < ${assessments})
    INSERT INTO assessments SELECT tenant_id,
      printf('%012x', at + 60000) || printf('%012x', n) || identity_id, identity_id, at, model,
      risk_score, recommendation, reasons, degraded, evidence, context_digest, evidence_digest,
      policy, verdict, verdict_source, verdict_at
    FROM assessments, copy WHERE tenant_id = ?`,
  ).bind(tenant.id);
  while (((await copy.run()).meta.changes ?? 0) === 0) await setTimeout(200);
}

async function prepareTenant(service: Service): Promise<Tenant> {
  const tenant = await createTenant(service);
  const before = { createdMs: 0, insertedMs: 0, statements: 0 };
  await insertTrail(service, tenant, { from: 0, below: events }, events, before, () => {});
  await insertAssessments(service, tenant);
  await send(service, tenant.token, { method: "GET", path: "/v1/audit/checkpoint" });
  return tenant;
}

async function probe(service: Service): Promise<Timing> {
  return await measureTimes(Array.from({ length: probes }), warmUp, async () => {
    await (await fetchTwice(`${service.url}/healthz`)).arrayBuffer();
    await setTimeout(2);
  });
}

/** Probes while two clients of each tenant repeat the request. */
async function probeBeside(service: Service, tenants: readonly Tenant[], request: LongRequest) {
  let isOver = false;
  const clients = [...tenants, ...tenants].map(async ({ token }) => {
    while (!isOver) await send(service, token, request);
  });
  const timing = await probe(service);
  isOver = true;
  await Promise.all(clients);
  return timing;
}

async function main(): Promise<number> {
  const folder = createBenchFolder();
  const service = await startService(folder);
  try {
    const tenants = [await prepareTenant(service), await prepareTenant(service)];
    const alone = await probe(service);
    const rows = [["nothing", formatTiming(alone), formatRatio(1)]];
    for (const request of longRequests) {
      const timing = await probeBeside(service, tenants, request);
      rows.push([
        request.name,
        formatTiming(timing),
        formatRatio(timing.medianMs / alone.medianMs),
      ]);
    }
    const head = ["four at once", "GET /healthz, median", "of nothing"];
    process.stdout.write(`${machine()}\n${versions()}\n\n${table(head, rows)}\n`);
    return 0;
  } finally {
    await service.close();
  }
}

await runScript(main);
