/** No line of the service's log contains personal data, whichever operation runs and whichever store fails. */
import { createScheduledController, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { noDayKeys } from "../../src/audit/personal-keys/day.ts";
import { exportTrail } from "../../src/audit/tree/export.ts";
import { requireConfig } from "../../src/env.ts";
import { AppError } from "../../src/errors.ts";
import worker from "../../src/index.ts";
import { send, Tenant, User } from "../support/client.ts";
import { type D1Fault, withD1Fault } from "../support/d1-faults.ts";
import { evict, fireAlarm, guardOf, replaceState } from "../support/guard.ts";
import { deliverMessages, holdMessages, useQueue } from "../support/queue.ts";

useQueue();

const crons = ["* * * * *", "17 * * * *", "37 * * * *", "never"];
const fields = new Set([
  ...["level", "event", "request_id", "tenant_id", "code", "source", "problems", "cause", "count"],
  ...["addresses", "shard", "percent", "age_seconds", "milliseconds"],
]);
const person = {
  name: "alice@mail.example",
  ip: "198.51.100.77",
  ua: "TheirAgent/7.1 (their own)",
  account: "their-account@mail.example",
};

const lines: string[] = [];

beforeEach(() => {
  lines.length = 0;
  for (const level of ["debug", "log", "info", "warn", "error", "trace"] as const) {
    vi.spyOn(console, level).mockImplementation((...line) => void lines.push(line.join(" ")));
  }
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** Runs every operation on a person, and every scheduled job. */
async function runEverything(user: User, held: readonly unknown[]): Promise<void> {
  const { tenant, externalId: id } = user;
  const { ip, ua, account } = person;
  const assessed = await user.discover({ ip, ua });
  const assessment = assessed.body.assessment_id;
  const otp = { id, code: "000000", ...(assessment ? { assessment_id: assessment } : {}) };
  const names = { issuer_name: "Acme", account_name: account };
  const narrow = "eidp_test_not_a_token";
  const calls: [string, string, object?][] = [
    ["POST", "/v1/idp/users", { user: { external_id: id } }],
    ["POST", "/v1/idp/users", { user: { external_id: `${id}-too` } }],
    ["GET", user.path()],
    ["PATCH", user.path(), { user: { status: "active" } }],
    ["POST", user.path("/otp"), { otp: names }],
    ["POST", user.path("/otp"), { otp: { ...names, code: account } }],
    ["POST", user.path("/backup-codes")],
    ["POST", user.path("/unlock")],
    ["POST", "/v1/idp/otp/verify", { otp }],
    ["POST", "/v1/idp/otp/verify", { otp: { ...otp, [ip]: ua } }],
    ["POST", "/v1/sentinel/simulate", { simulation: {} }],
    ["GET", `/v1/sentinel/assessments?externalUserId=${encodeURIComponent(id)}`],
    ["GET", `/v1/audit/events?externalUserId=${encodeURIComponent(id)}`],
    ["GET", "/v1/audit/export"],
    ["GET", `/v1/nothing/${encodeURIComponent(id)}`],
    ["DELETE", user.path()],
  ];
  for (const [method, path, body] of calls) {
    const call = body === undefined ? {} : { body };
    for (const token of [tenant.token, narrow]) {
      const headers = { "Idempotency-Key": `${id} ${path}` };
      // One of the answers is an export that is aborted.
      await send(method, path, { token, ...call, ...(method === "POST" ? { headers } : {}) }).catch(
        () => {},
      );
    }
  }
  await fireAlarm(user);
  await deliverMessages(held);
  for (const cron of crons) {
    await worker.scheduled(createScheduledController({ cron, scheduledTime: new Date() }), env);
  }
}

/** The lines that contain personal data or do not have the form of a log line. */
function findWrongLines(): string[] {
  const words = Object.values(person).map((word) => word.toLowerCase());
  return lines.filter((line) => {
    const text = line.toLowerCase();
    if (words.some((word) => text.includes(word))) return true;
    try {
      return !Object.keys(JSON.parse(line)).every((name) => fields.has(name));
    } catch {
      return true;
    }
  });
}

async function createUserAndHoldQueue() {
  const user = await User.withTotp(await Tenant.create(), person.name);
  const held = holdMessages();
  await user.assess({ ip: person.ip, ua: person.ua });
  await fireAlarm(user);
  await vi.waitFor(() => expect(held.length).toBeGreaterThan(0), { timeout: 20_000 });
  // Do not wait for the second pass of the minute.
  const wait = scheduler.wait.bind(scheduler);
  vi.spyOn(scheduler, "wait").mockImplementation((_ms, options) => wait(0, options));
  return { user, held };
}

it.each<D1Fault>(["throws", "fails on write", "fails on batches only", "loses the reply"])(
  "The log contains no personal data while D1 %s",
  async (fault) => {
    const { user, held } = await createUserAndHoldQueue();
    // Every error of D1 contains the personal data.
    await withD1Fault(fault, () => runEverything(user, held), JSON.stringify(person));
    expect(lines.length).toBeGreaterThan(5);
    expect(findWrongLines()).toEqual([]);
  },
);

it("The log contains no personal data when a row of the person cannot be read", async () => {
  const { user, held } = await createUserAndHoldQueue();
  // The message of the parser quotes a part of the text.
  await replaceState(user, `'${JSON.stringify(person)} and more'`);
  await evict(user);
  await runEverything(user, held);
  await runInDurableObject(guardOf(user), (guard) => guard.alarm?.());
  expect(lines.join("\n")).toContain("guard_failed");
  expect(findWrongLines()).toEqual([]);
});

it("An aborted answer does not contain the message of the failure", async () => {
  const { user } = await createUserAndHoldQueue();
  const { id: tenantId } = user.tenant;
  const stream = exportTrail(
    {
      env,
      config: requireConfig(env),
      caller: { tenantId },
      requestId: "a request",
      findFacts: async () => ({
        names: new Map(),
        auditKey: null,
        dayKeys: noDayKeys,
        queries: 0,
      }),
    },
    { from: 0, below: 10 },
    (event) => event,
    { check: async () => {}, release: async () => {} },
  );
  await withD1Fault("throws", async () => {
    const failure = await new Response(stream).text().catch((error: unknown) => error);
    expect(failure).toEqual(new AppError("unavailable"));
    expect(failure).not.toHaveProperty("cause");
  });
});

it("The search finds wrong lines", () => {
  // biome-ignore lint/suspicious/noConsole: the search must find these lines.
  for (const line of [`{"event":"${person.ip}"}`, "text", '{"message":"x"}']) console.error(line);
  expect(findWrongLines()).toHaveLength(3);
});
