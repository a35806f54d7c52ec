/**
 * What each operation costs, counted at the bindings: held against the targets, and against the table
 * that docs/performance.md has of it.
 */
import { runInDurableObject } from "cloudflare:test";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import document from "../../docs/performance.md?raw";
import { apiRoutes } from "../../src/app.ts";
import { IdentityGuard } from "../../src/guard/identity-guard.ts";
import { type Counts, countAlarmCalls, countCalls } from "../support/count-calls.ts";
import type { Call } from "../support/counted-run.ts";
import { holdDeliveries, sendCouriers } from "../support/held-deliveries.ts";
import { deliverMessages, holdMessages } from "../support/queue.ts";
import { directoryScenarios } from "./directory-scenarios.ts";
import { discoverScenarios } from "./discover-scenarios.ts";
import { scenariosWithout } from "./other-scenarios.ts";
import type { Scenario } from "./scenario.ts";
import { type Row, tableIn, tableOf } from "./table.ts";
import { verifyScenarios } from "./verify-scenarios.ts";

const known = [...verifyScenarios, ...discoverScenarios, ...directoryScenarios];
const scenarios = [...known, ...scenariosWithout(known)];
/** They look at the identities of all tenants, so they come while there are few. */
const comeFirst = ["listKeys", "reEncrypt"];

interface Measured {
  readonly rows: readonly Row[];
  readonly counts: Counts;
  readonly calls: readonly Call[];
}

const measured = new Map<Scenario, Measured>();

/** Whether a guard has something to send. A refusal log never does, it delivers by itself. */
async function sends(stub: DurableObjectStub): Promise<boolean> {
  return await runInDurableObject(stub, (object, { storage: { sql } }) => {
    if (!(object instanceof IdentityGuard)) return false;
    const [table] = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'outbox'").toArray();
    return table !== undefined && sql.exec("SELECT 1 FROM outbox").toArray().length > 0;
  });
}

/** What the guard's courier gives to the queue. */
async function messageOf(guard: DurableObjectStub): Promise<readonly unknown[]> {
  messages.length = 0;
  if (!(await sends(guard))) return [];
  await sendCouriers();
  await vi.waitFor(() => expect(messages).toHaveLength(1));
  return [...messages];
}

async function measure({ operation, state, status, ready }: Scenario): Promise<Measured> {
  const { act, delivers, beside } = await ready();
  const { answer, counts, calls } = await countCalls(act, beside);
  expect({ operation, state, status: answer.status }).toEqual({ operation, state, status });
  const rows = [{ operation, state, counts }];
  if (delivers === undefined) return { rows, counts, calls };
  const later = (what: string, cost: Counts) =>
    rows.push({ operation: "", state: what, counts: cost });
  const message = await messageOf(delivers);
  if (message.length > 0) {
    later("brought to D1 by the queue", (await countCalls(() => deliverMessages(message))).counts);
  }
  later("the alarm, later", (await countAlarmCalls(delivers)).counts);
  return { rows, counts, calls };
}

function found(operation: string, state: string): Measured {
  const scenario = scenarios.find((one) => one.operation === operation && one.state === state);
  const one = scenario && measured.get(scenario);
  if (one === undefined) throw new Error(`Nothing was measured of ${operation}, ${state}`);
  return one;
}

let freeDeliveries: () => void = () => {};
let messages: unknown[] = [];

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
  freeDeliveries = await holdDeliveries();
  messages = holdMessages();
  const isFirst = ({ operation }: Scenario) => comeFirst.includes(operation);
  for (const scenario of [...scenarios].sort((a, b) => Number(isFirst(b)) - Number(isFirst(a)))) {
    // Its tenant sorts after the others: what a scan reads beyond its end must not hang on chance.
    vi.setSystemTime(Date.now() + 1);
    measured.set(scenario, await measure(scenario));
  }
}, 300_000);

afterAll(() => {
  freeDeliveries();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const oneCallOfTheGuard = { roundTrips: 1, d1Calls: 0, kvReads: 0, objectCalls: 1 };
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
    "locked",
    "locked, and told of before",
    "suspended",
  ])("is one call of the guard and nothing else: %s", (state) => {
    expect(found("verifyOtp", state).counts).toMatchObject(oneCallOfTheGuard);
  });

  it("of a right code writes state, event and alarm, and no alarm where one is pending", () => {
    const { counts } = found("verifyOtp", "right code");
    expect([counts.objectRowsWritten, counts.alarmsSet]).toEqual([3, 1]);
    const { counts: pending } = found("verifyOtp", "right code, an alarm is pending");
    expect([pending.objectRowsWritten, pending.alarmsSet]).toEqual([2, 0]);
  });

  it("that repeats one by its Idempotency-Key writes nothing", () => {
    const { counts } = found("verifyOtp", "the same request again, by its Idempotency-Key");
    expect(counts.objectRowsWritten).toBe(0);
  });

  it("notes the last use of its token with one row, beside the answer", () => {
    const { counts } = found("verifyOtp", `${cold}, its last use noted beside`);
    expect(counts).toMatchObject({ roundTrips: 2, d1Calls: 2, d1RowsWritten: 1 });
  });
});

describe("One round trip", () => {
  it.each(["warm", "cold guard"])("is a profile: %s", (state) => {
    expect(found("getUser", state).counts).toMatchObject(oneCallOfTheGuard);
  });

  it.each([
    ["no lists, from an address seen within the minute", 0],
    ["no lists, from an address new to the tenant", 0],
    ["no lists, cold guard", 0],
    ["no lists, with an Idempotency-Key", 0],
    ["denied by the tenant's list", 0],
    ["full lists, the population is read", 2],
    ["full lists, all in memory", 1],
  ])("is an assessment, all of it side by side: %s", (state, kvReads) => {
    const { counts } = found("discover", state);
    expect(counts).toMatchObject({ roundTrips: 1, d1Calls: 0, kvReads, objectCalls: 2 });
  });
});

describe("Two round trips at most", () => {
  it("are a new identity: the guard, which tells D1", () => {
    expect(found("provisionUser", "new").counts.roundTrips).toBeLessThanOrEqual(2);
  });
});

describe("A token that this isolate does not know", () => {
  it.each([
    ["verifyOtp", "right code", cold],
    ["verifyOtp", "right code", "right code, cold token and guard"],
    ["verifyOtp", "right code", "right code, first request of an isolate"],
    ["discover", "no lists, from an address seen within the minute", "no lists, cold token"],
    ["provisionUser", "new", "new, cold token"],
  ])("costs %s one round trip, before anything else begins: %s, %s", (operation, warm, state) => {
    const { counts, calls } = found(operation, state);
    expect(counts.roundTrips).toBe(found(operation, warm).counts.roundTrips + 1);
    const lookups = calls.filter(({ depth }) => depth === 1);
    for (const { kind, what } of lookups) {
      expect(kind === "object" ? what : kind).toMatch(/^(D1|TokenRegister\.endOf)$/);
      expect(what).not.toMatch(/^(insert|update|delete)/i);
    }
  });

  it("costs a profile one round trip at most", () => {
    const { roundTrips } = found("getUser", "warm").counts;
    expect(found("getUser", "cold token").counts.roundTrips).toBeLessThanOrEqual(roundTrips + 1);
  });
});

describe("A list", () => {
  it.each(["listUsers", "listAuditEvents"])("costs the same however much there is: %s", (name) => {
    const few = found(name, "10 of 15 identities").counts;
    expect(found(name, "10 of 30 identities").counts).toEqual(few);
  });
});

describe("The table of docs/performance.md", () => {
  it("has every operation of the API", () => {
    const operations = new Set(scenarios.map(({ operation }) => operation));
    expect([...operations].toSorted()).toEqual(
      apiRoutes.map(({ definition }) => definition.name).toSorted(),
    );
  });

  it("is what was counted", () => {
    const table = tableOf(scenarios.flatMap((scenario) => measured.get(scenario)?.rows ?? []));
    if (tableIn(document, "Counted") !== table) {
      throw new Error(`The table of "Counted" in docs/performance.md is to be:\n\n${table}\n`);
    }
  });
});
