/** What a million operations cost: counted calls and rows at the published prices. */
import type { Counts } from "../support/count-calls.ts";
import type { Row } from "./table.ts";

const workersPage = "[Workers](https://developers.cloudflare.com/workers/platform/pricing/)";
const objectsPage =
  "[Durable Objects](https://developers.cloudflare.com/durable-objects/platform/pricing/)";
const d1Page = "[D1](https://developers.cloudflare.com/d1/platform/pricing/)";
const kvPage = "[KV](https://developers.cloudflare.com/kv/platform/pricing/)";
const queuesPage = "[Queues](https://developers.cloudflare.com/queues/platform/pricing/)";

interface Price {
  readonly what: string;
  /** $ a million. */
  readonly price: number;
  /** Millions that the plan includes each month. */
  readonly included: number;
  readonly page: string;
}

/** Workers Paid, as looked up on the date that docs/scale.md names. */
const prices = {
  workerRequests: { what: "requests", price: 0.3, included: 10, page: workersPage },
  cpuMs: { what: "ms of processor time", price: 0.02, included: 30, page: workersPage },
  objectRequests: { what: "object requests", price: 0.15, included: 1, page: objectsPage },
  objectGbSeconds: { what: "object GB-s", price: 12.5, included: 0.4, page: objectsPage },
  objectRowsRead: { what: "object rows read", price: 0.001, included: 25_000, page: objectsPage },
  objectRowsWritten: { what: "object rows written", price: 1, included: 50, page: objectsPage },
  d1RowsRead: { what: "D1 rows read", price: 0.001, included: 25_000, page: d1Page },
  d1RowsWritten: { what: "D1 rows written", price: 1, included: 50, page: d1Page },
  kvReads: { what: "KV reads", price: 0.5, included: 10, page: kvPage },
  kvWrites: { what: "KV writes and lists", price: 5, included: 1, page: kvPage },
  queueOperations: { what: "Queues operations", price: 0.4, included: 1, page: queuesPage },
} as const satisfies Record<string, Price>;

/** How much of each priced thing is used; what is absent is 0. */
type Usage = Partial<Readonly<Record<keyof typeof prices, number>>>;

const names = Object.keys(prices).filter((name): name is keyof typeof prices => name in prices);

function add(...usages: readonly Usage[]): Usage {
  return Object.fromEntries(
    names.map((name) => [name, usages.reduce((sum, usage) => sum + (usage[name] ?? 0), 0)]),
  );
}

function scale(usage: Usage, factor: number): Usage {
  return Object.fromEntries(names.map((name) => [name, (usage[name] ?? 0) * factor]));
}

/** $ for a million times this usage. */
function costOf(usage: Usage, only: readonly (keyof typeof prices)[] = names): number {
  return only.reduce((sum, name) => sum + (usage[name] ?? 0) * prices[name].price, 0);
}

/** How long an object is active for a call, and for an alarm, which waits for D1 or the queue. Assumed. */
const callMs = 10;
const alarmMs = 50;
const objectGb = 0.128;
/** Assumed; not counted. */
const objectRowsRead = 20;

const queueUsage: Usage = {
  // A message is written, read and deleted, and a run of the consumer has a hundred of them.
  queueOperations: 3,
  workerRequests: 0.01,
  cpuMs: 0.3,
};

export interface BilledOperation {
  readonly operation: string;
  readonly state: string;
  /** As the page names it. */
  readonly name: string;
  /** Processor time at the edge, assumed from the measurements of docs/performance.md. */
  readonly cpuMs: number;
}

export const billedOperations: readonly BilledOperation[] = [
  { operation: "verifyOtp", state: "right code", name: "verify, right code", cpuMs: 1 },
  { operation: "verifyOtp", state: "wrong code", name: "verify, wrong code", cpuMs: 1 },
  {
    operation: "verifyOtp",
    state: "right code of an assessed session",
    cpuMs: 1,
    name: "verify, right code with an `assessment_id`",
  },
  {
    operation: "discover",
    state: "full lists, all in memory",
    cpuMs: 4,
    name: "discover, address and lists seen before",
  },
  {
    operation: "discover",
    state: "full lists, none in memory, from an address new to the tenant",
    cpuMs: 4,
    name: "discover at its dearest: new address block, no list in memory",
  },
  { operation: "getUser", state: "warm", name: "profile", cpuMs: 0.3 },
  { operation: "provisionUser", state: "new", name: "provision", cpuMs: 4 },
];

/** Usage without the queue. @param rows the request, its delivery and its alarms */
export function usageOf(rows: readonly Row[], cpuMs: number): Usage {
  const sum = (field: keyof Counts, of = rows) =>
    of.reduce((total, { counts }) => total + counts[field], 0);
  // With the queue a consumer makes calls that the alarm does not need.
  const byConsumer = rows.filter(({ state }) => state.includes("by the queue"));
  const calls = sum("objectCalls") - sum("objectCalls", byConsumer);
  const alarms = sum("alarmsSet");
  const isStored = sum("objectCalls") > 0;
  return {
    workerRequests: 1,
    cpuMs,
    objectRequests: calls + alarms,
    objectGbSeconds: ((calls * callMs + alarms * alarmMs) / 1_000) * objectGb,
    objectRowsRead: isStored ? objectRowsRead : 0,
    objectRowsWritten: sum("objectRowsWritten"),
    d1RowsRead: sum("d1RowsRead"),
    d1RowsWritten: sum("d1RowsWritten"),
    kvReads: sum("kvReads"),
  };
}

const passesPerMonth = 86_400;
const hoursPerMonth = 720;
const leavesPerTile = 256;

/** How many of `slots` get one of `events` that arrive by chance. */
function countUsed(slots: number, events: number): number {
  return slots * (1 - Math.exp(-events / slots));
}

/** The rows of a pass of the integration. */
export interface Seal {
  /** For each tenant, whether it has an event or not. */
  readonly rowsReadPerTenant: number;
  /** For a log with an event, beyond those. */
  readonly rowsRead: number;
  readonly rowsWritten: number;
}

/** The rows that the deletion of what D1 no longer keeps writes. */
export interface Deletions {
  readonly assessment: number;
  readonly event: number;
}

/** The integration of an event, if each tenant has so many of them a month. */
function integrationUsage(seal: Seal, eventsOfTenant: number): Usage {
  const seals = countUsed(passesPerMonth, eventsOfTenant) / eventsOfTenant;
  const hours = countUsed(hoursPerMonth, eventsOfTenant) / eventsOfTenant;
  return {
    d1RowsRead: seals * seal.rowsRead + (passesPerMonth * seal.rowsReadPerTenant) / eventsOfTenant,
    d1RowsWritten: seals * seal.rowsWritten + hours + 1 / leavesPerTile,
    cpuMs: 0.05,
  };
}

/** What the witness in KV costs a tenant with events in so many hours of the month: a list, a value and a row each. */
function witnessUsage(hours: number): Usage {
  return { kvWrites: 2 * hours, d1RowsWritten: hours, d1RowsRead: hours };
}

function formatLine(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function formatTable(
  head: readonly string[],
  textColumns: number,
  lines: readonly (readonly string[])[],
): string {
  const rule = head.map((_, index) => (index < textColumns ? "---" : "--:"));
  return [head, rule, ...lines].map(formatLine).join("\n");
}

const $ = (amount: number) => amount.toFixed(2);

export interface Billed extends BilledOperation {
  readonly rows: readonly Row[];
}

/** Adds amounts as they are shown, so that the columns of the page add up. */
function addCents(...amounts: readonly number[]): number {
  return amounts.reduce((sum, amount) => sum + Math.round(amount * 100), 0) / 100;
}

const billedTenants = 100;
/** The columns of the sum. */
const billedParts: readonly (readonly (keyof typeof prices)[])[] = [
  ["workerRequests", "cpuMs"],
  ["objectRequests", "objectGbSeconds"],
  ["objectRowsWritten"],
  ["d1RowsWritten"],
  ["objectRowsRead", "d1RowsRead"],
  ["kvReads"],
];

/** $ a million of each operation, by what is billed. */
function formatOperations(operations: readonly Billed[], seal: Seal): string {
  const head = [
    ...["$ a million of", "requests, processor time", "objects: requests, duration"],
    ...["object rows written", "D1 rows written", "rows read", "KV"],
    ...["sum", "seals", "**sum with seals**", "**and with the queue**"],
  ];
  const lines = operations.map(({ name, rows, cpuMs }) => {
    const usage = usageOf(rows, cpuMs);
    const hasEvent = costOf(usage, ["d1RowsWritten"]) > 0;
    const seals = hasEvent ? costOf(integrationUsage(seal, 1e6 / billedTenants)) : 0;
    const parts = billedParts.map((part) => costOf(usage, part));
    const sum = addCents(...parts);
    const withQueue = hasEvent ? addCents(sum, seals, costOf(queueUsage)) : sum;
    return [
      ...[name, ...parts.map($), $(sum), $(seals)],
      ...[`**${$(addCents(sum, seals))}**`, `**${$(withQueue)}**`],
    ];
  });
  return formatTable(head, 1, lines);
}

interface Load {
  readonly millions: number;
  readonly tenants: number;
}

const loads: readonly Load[] = [
  { millions: 1, tenants: 1 },
  { millions: 1, tenants: 100 },
  { millions: 1, tenants: 10_000 },
  { millions: 100, tenants: 1_000 },
];
const planPrice = 5;

/** $ a month for verifications, with what the plan includes taken off. */
function formatMonths(verification: Billed, seal: Seal): string {
  const perEvent = usageOf(verification.rows, verification.cpuMs);
  const lines = loads.map(({ millions, tenants }) => {
    const events = (millions * 1e6) / tenants;
    const integration = integrationUsage(seal, events);
    const witness = scale(witnessUsage(countUsed(hoursPerMonth, events)), tenants / 1e6);
    const bill = (...usages: readonly Usage[]) => {
      const used = add(scale(add(...usages), millions), witness);
      const over = (name: keyof typeof prices) =>
        Math.max(0, (used[name] ?? 0) - prices[name].included) * prices[name].price;
      return $(planPrice + names.reduce((sum, name) => sum + over(name), 0));
    };
    return [
      `${millions} million verifications, ${tenants === 1 ? "one tenant" : `${tenants.toLocaleString("en")} tenants`}`,
      $(costOf(integration)),
      $(costOf(witness)),
      `**${bill(perEvent, integration)}**`,
      `**${bill(perEvent, integration, queueUsage)}**`,
    ];
  });
  const head = [
    ...["$ a month", "seals, a million events", "witness"],
    ...["**bill**", "**with the queue**"],
  ];
  return formatTable(head, 1, lines);
}

function formatPrices(): string {
  const lines = names.map((name) => {
    const { what, price, included, page } = prices[name];
    const shown = price < 0.1 ? String(price) : $(price);
    return [what, page, shown, included.toLocaleString("en")];
  });
  const head = ["a million", "source", "$", "millions that a month includes"];
  return formatTable(head, 2, lines);
}

function formatDeletions({ assessment, event }: Deletions): string {
  return formatTable(["$ a million deletions of", "D1 rows written"], 1, [
    ["assessments, after `retention.assessment_days`", $(assessment)],
    ["events, when they are in the archive", $(event)],
  ]);
}

/** The tables of "What it costs" in docs/scale.md, in their order. */
export function formatBill(
  operations: readonly Billed[],
  seal: Seal,
  deletions: Deletions,
): string {
  const [verification] = operations;
  if (verification === undefined) throw new Error("No operation is billed");
  return [
    formatOperations(operations, seal),
    formatDeletions(deletions),
    formatMonths(verification, seal),
    formatPrices(),
  ].join("\n");
}
