/**
 * Counts the cost of each operation at the bindings, and compares it with the targets and with the
 * table in docs/performance.md.
 */
import { env } from "cloudflare:workers";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import document from "../../docs/performance.md?raw";
import scaleDocument from "../../docs/scale.md?raw";
import { apiRoutes } from "../../src/app.ts";
import { integrateLogs } from "../../src/audit/tree/integrate.ts";
import { onSchedule } from "../../src/scheduled.ts";
import { publishPopulations } from "../../src/sentinel/population/publish.ts";
import { send, Tenant, User } from "../support/client.ts";
import { type Counts, countAlarmCalls, countCalls } from "../support/count-calls.ts";
import type { Call } from "../support/counted-run.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { holdDeliveries } from "../support/held-deliveries.ts";
import { deliverMessages, holdMessages } from "../support/queue.ts";
import { eventOf, fileEvents } from "../support/trail.ts";
import { authenticatorScenarios } from "./authenticator-scenarios.ts";
import { billedOperations, type Deletions, formatBill, type Seal } from "./bill.ts";
import { deviceScenarios } from "./device-scenarios.ts";
import { directoryScenarios } from "./directory-scenarios.ts";
import { discoverScenarios } from "./discover-scenarios.ts";
import { createScenariosWithout } from "./other-scenarios.ts";
import { passkeyScenarios } from "./passkey-scenarios.ts";
import type { Scenario } from "./scenario.ts";
import { findTable, formatTable, type Row } from "./table.ts";
import { verifyScenarios } from "./verify-scenarios.ts";

const known = [
  ...verifyScenarios,
  ...authenticatorScenarios,
  ...passkeyScenarios,
  ...deviceScenarios,
  ...discoverScenarios,
  ...directoryScenarios,
];
const scenarios = [...known, ...createScenariosWithout(known)];
/** These operations read the identities of all tenants, so they run first, when few exist. */
const firstOperations = ["listKeys", "reEncrypt", "getHealth", "findRequest"];

interface Measured {
  readonly rows: readonly Row[];
  readonly counts: Counts;
  readonly calls: readonly Call[];
}

const measured = new Map<Scenario, Measured>();
/** The SQL that the operations sent to D1. */
const allStatements = new Set<string>();

async function measure({ operation, state, status, prepare }: Scenario): Promise<Measured> {
  const { act, delivers, beside, removeQueue } = await prepare();
  const { answer, counts, calls, statements } = await countCalls(act, beside);
  for (const statement of statements) allStatements.add(statement);
  expect({ operation, state, status: answer.status }).toEqual({ operation, state, status });
  const rows = [{ operation, state, counts }];
  if (delivers === undefined) return { rows, counts, calls };
  const addRow = (what: string, cost: Counts) =>
    rows.push({ operation: "", state: what, counts: cost });
  if (removeQueue === undefined) {
    addRow("the alarm, later", (await countAlarmCalls(delivers)).counts);
    return { rows, counts, calls };
  }
  messages.length = 0;
  addRow("the alarm, later: handed over to the queue", (await countAlarmCalls(delivers)).counts);
  expect(messages).toHaveLength(1);
  addRow(
    "delivered to D1 by the queue",
    (await countCalls(() => deliverMessages(messages))).counts,
  );
  removeQueue();
  return { rows, counts, calls };
}

function findMeasured(operation: string, state: string): Measured {
  const scenario = scenarios.find((one) => one.operation === operation && one.state === state);
  const one = scenario && measured.get(scenario);
  if (one === undefined) throw new Error(`No measurement of ${operation}, ${state}`);
  return one;
}

let releaseDeliveries: () => void = () => {};
let messages: unknown[] = [];

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
  // One write in a hundred under an Idempotency-Key also deletes old rows of the tenant. None of these is that one.
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  releaseDeliveries = await holdDeliveries();
  messages = holdMessages();
  const isFirst = ({ operation }: Scenario) => firstOperations.includes(operation);
  for (const scenario of [...scenarios].sort((a, b) => Number(isFirst(b)) - Number(isFirst(a)))) {
    // Its tenant sorts last, so that the rows that a scan reads beyond its end are always the same.
    vi.setSystemTime(Date.now() + 1);
    measured.set(scenario, await measure(scenario));
  }
}, 300_000);

afterAll(() => {
  releaseDeliveries();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const oneGuardCall = { roundTrips: 1, d1Calls: 0, kvReads: 0, objectCalls: 1 };
const cold = "right code, cold token";

describe("A verification", () => {
  it.each([
    "right code",
    "right code, an alarm is pending",
    "right code, cold guard",
    "right code of an assessed session",
    "right code, with an Idempotency-Key",
    "the same request again, by its Idempotency-Key",
    "backup code",
    "wrong code",
    "wrong code that locks",
    "replayed code",
    "the code accepted last",
    "locked",
    "locked, already reported",
    "suspended",
  ])("makes one call, to the guard: %s", (state) => {
    expect(findMeasured("verifyOtp", state).counts).toMatchObject(oneGuardCall);
  });

  it("with a right code writes its state with the event in it, and an alarm unless one is pending", () => {
    const { counts } = findMeasured("verifyOtp", "right code");
    expect([counts.objectRowsWritten, counts.alarmsSet]).toEqual([2, 1]);
    const { counts: pending } = findMeasured("verifyOtp", "right code, an alarm is pending");
    expect([pending.objectRowsWritten, pending.alarmsSet]).toEqual([1, 0]);
  });

  it("costs the same with destinations and without, which the guard wakes after its delivery", () => {
    const [without, alarmWithout] = findMeasured("verifyOtp", "right code").rows;
    const [having, alarmHaving] = findMeasured("verifyOtp", "right code, with a webhook").rows;
    expect(having?.counts).toEqual(without?.counts);
    expect(alarmWithout?.counts).toMatchObject({ objectCalls: 0 });
    expect(alarmHaving?.counts).toMatchObject({ objectCalls: 1, d1Calls: 1 });
  });

  it("is delivered without a row in the guard", () => {
    const [, alarm] = findMeasured("verifyOtp", "right code").rows;
    expect(alarm?.counts).toMatchObject({ d1Calls: 1, objectCalls: 0, objectRowsWritten: 0 });
  });

  it("that is replayed by its Idempotency-Key writes no row", () => {
    const { counts } = findMeasured("verifyOtp", "the same request again, by its Idempotency-Key");
    expect(counts.objectRowsWritten).toBe(0);
  });

  it("writes the last use of its token as one row, in parallel with the answer", () => {
    const { counts } = findMeasured("verifyOtp", `${cold}, its last use written in parallel`);
    expect(counts).toMatchObject({ roundTrips: 2, d1Calls: 2, d1RowsWritten: 1 });
  });
});

describe("One round trip", () => {
  it.each(["warm", "cold guard"])("suffices for a profile: %s", (state) => {
    expect(findMeasured("getUser", state).counts).toMatchObject(oneGuardCall);
  });

  it.each([
    ["no lists, from an address seen within the minute", 0, 2],
    // The third call stores the attempt, after the answer.
    ["no lists, from an address new to the tenant", 0, 3],
    ["no lists, cold guard", 0, 2],
    ["no lists, with an Idempotency-Key", 0, 2],
    ["denied by the tenant's list", 0, 2],
    ["full lists, the population is read", 2, 2],
    ["full lists, all in memory", 1, 2],
  ])(
    "suffices for an assessment, which makes all its calls in parallel: %s",
    (state, kvReads, objectCalls) => {
      const { counts } = findMeasured("discover", state);
      expect(counts).toMatchObject({ roundTrips: 1, d1Calls: 0, kvReads, objectCalls });
    },
  );
});

describe("Two round trips", () => {
  it("suffice for a new identity: one to the guard, and one from there to D1", () => {
    expect(findMeasured("provisionUser", "new").counts.roundTrips).toBeLessThanOrEqual(2);
  });
});

describe("A token that this isolate has not cached", () => {
  it.each([
    ["verifyOtp", "right code", cold],
    ["verifyOtp", "right code", "right code, cold token and guard"],
    ["verifyOtp", "right code", "right code, first request of an isolate"],
    ["discover", "no lists, from an address seen within the minute", "no lists, cold token"],
    ["provisionUser", "new", "new, cold token"],
  ])("costs %s one round trip before any other call: %s, %s", (operation, warm, state) => {
    const { counts, calls } = findMeasured(operation, state);
    expect(counts.roundTrips).toBe(findMeasured(operation, warm).counts.roundTrips + 1);
    const lookups = calls.filter(({ depth }) => depth === 1);
    for (const { kind, what } of lookups) {
      expect(kind === "object" ? what : kind).toMatch(/^(D1|TokenRegister\.endOf)$/);
      expect(what).not.toMatch(/^(insert|update|delete)/i);
    }
  });

  it("costs a profile one round trip at most", () => {
    const { roundTrips } = findMeasured("getUser", "warm").counts;
    expect(findMeasured("getUser", "cold token").counts.roundTrips).toBeLessThanOrEqual(
      roundTrips + 1,
    );
  });
});

describe("A list", () => {
  it.each(["listUsers", "listAuditEvents"])(
    "costs the same for any number of entries: %s",
    (name) => {
      const few = findMeasured(name, "10 of 15 identities").counts;
      expect(findMeasured(name, "10 of 30 identities").counts).toEqual(few);
    },
  );
});

describe("The table of docs/performance.md", () => {
  it("contains every operation of the API", () => {
    const operations = new Set(scenarios.map(({ operation }) => operation));
    expect([...operations].toSorted()).toEqual(
      apiRoutes.map(({ definition }) => definition.name).toSorted(),
    );
  });

  it("contains the current counts", () => {
    const table = formatTable(scenarios.flatMap((scenario) => measured.get(scenario)?.rows ?? []));
    if (findTable(document, "Counted") !== table) {
      throw new Error(`Replace the table of "Counted" in docs/performance.md with:\n\n${table}\n`);
    }
  });
});

/** The indexes that a statement would use. */
async function listUsedIndexes(statement: string): Promise<string[]> {
  const parameters = statement.match(/\?/g) ?? [];
  const plan = await env.DB.prepare(`EXPLAIN QUERY PLAN ${statement}`)
    .bind(...parameters.map(() => null))
    .all<{ detail: string }>();
  return plan.results.flatMap(({ detail }) => detail.match(/(?<=INDEX )\w+/) ?? []);
}

describe("Every index of D1", () => {
  it("is used by a statement of an operation or of a scheduled job", async () => {
    const statements = new Set(allStatements);
    const wait = vi.spyOn(scheduler, "wait").mockResolvedValue();
    const jobs: (() => Promise<unknown>)[] = [
      () => onSchedule(env, "* * * * *", Date.now()),
      () => onSchedule(env, "17 * * * *", Date.now()),
      () => publishPopulations(env, Date.now()),
      () => send("GET", "/v1/tenants?status=suspended", { token: env.OPERATOR_TOKEN }),
    ];
    for (const job of jobs) {
      const run = await countCalls(job);
      for (const statement of run.statements) statements.add(statement);
    }
    wait.mockRestore();
    const used = await Promise.all(
      [...statements]
        .filter((one) => /^(with|select|insert|update|delete)\b/i.test(one.trim()))
        .map(listUsedIndexes),
    );
    const { results } = await env.DB.prepare(
      "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    ).all<{ name: string }>();
    const unused = results.filter(({ name }) => !used.flat().includes(name));
    expect(unused).toEqual([]);
  });
});

/** Counts the integration of one event of a log whose hour has begun, and of none. */
async function countSeal(): Promise<Seal> {
  const { id } = await Tenant.create();
  await integrateLogs(env, Date.now());
  const integrate = async () => (await countCalls(() => integrateLogs(env, Date.now()))).counts;
  const idle = await integrate();
  await fileEvents(id, [eventOf(id, Date.now())]);
  const busy = await integrate();
  const tenants = await env.DB.prepare("SELECT count(*) AS n FROM tenants").first<number>("n");
  return {
    rowsReadPerTenant: Math.ceil(idle.d1RowsRead / (tenants ?? 1)),
    rowsRead: busy.d1RowsRead - idle.d1RowsRead,
    rowsWritten: busy.d1RowsWritten,
  };
}

async function countDeletions(): Promise<Deletions> {
  const user = await User.withTotp(await Tenant.create());
  await user.assess();
  await drainOutbox(user);
  const countDeletion = async (table: string, name: string) => {
    const query = `DELETE FROM ${table} WHERE tenant_id = ? AND ${name} = (SELECT max(${name}) FROM ${table} WHERE tenant_id = ?)`;
    const { meta } = await env.DB.prepare(query).bind(user.tenant.id, user.tenant.id).run();
    expect(meta.changes).toBe(1);
    return meta.rows_written;
  };
  return {
    assessment: await countDeletion("assessments", "id"),
    event: await countDeletion("audit_events", "leaf_index"),
  };
}

describe("The tables of docs/scale.md", () => {
  it("contain the current bill", async () => {
    const operations = billedOperations.map((one) => ({
      ...one,
      rows: findMeasured(one.operation, one.state).rows,
    }));
    const tables = formatBill(operations, await countSeal(), await countDeletions());
    if (findTable(scaleDocument, "What it costs") !== tables) {
      throw new Error(
        `Replace the tables of "What it costs" in docs/scale.md with:\n\n${tables}\n`,
      );
    }
  });
});
