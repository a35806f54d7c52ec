/** `edge-idp doctor`: against the service where a fault can be made, and against measurements of a fault otherwise. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { EdgeIdp, type Feeds, type ServiceHealth } from "@edge-idp/sdk";
import { describe, expect, it } from "vitest";
import { examine, type Patient } from "../../packages/cli/src/doctor/examine.ts";
import { formatFinding } from "../../packages/cli/src/doctor/finding.ts";
import { judgeHealth } from "../../packages/cli/src/doctor/judge-health.ts";
import {
  clockOffsetOf,
  judgeClock,
  judgeFeeds,
} from "../../packages/cli/src/doctor/judge-others.ts";
import { describeSeconds } from "../../packages/cli/src/doctor/time-text.ts";
import { Failure } from "../../packages/cli/src/failure.ts";
import worker from "../../src/index.ts";
import { onSchedule } from "../../src/scheduled.ts";
import { send } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { useQuietConsole } from "../support/quiet-console.ts";

useQuietConsole();

const url = "https://idp.test";

/** A patient that is the service itself, with other bindings or another token. */
function patientWith(
  changed: Record<string, unknown> = {},
  given: Partial<Patient> & { readonly token?: string } = {},
): Patient {
  const { token = env.OPERATOR_TOKEN, ...others } = given;
  const bindings = { ...env, ...changed };
  const idp = new EdgeIdp({
    url,
    token,
    maxRetries: 0,
    fetch: async (input, init) =>
      await worker.fetch(new Request(input, init), bindings, createExecutionContext()),
  });
  return { url, idp, compareKeys: async () => {}, readClock: Date.now, ...others };
}

async function failuresOf(patient: Patient): Promise<string[]> {
  const findings = await examine(patient);
  return findings.filter(({ level }) => level === "fail").map(({ part }) => part);
}

async function adviceOn(part: string, patient: Patient): Promise<string> {
  const finding = (await examine(patient)).find((one) => one.part === part);
  return `${finding?.level}: ${finding?.text} ${finding?.advice}`;
}

describe("The doctor, at the service", () => {
  it("finds a failure of cron before the first run, and none after it", async () => {
    expect(await failuresOf(patientWith())).toEqual(["cron"]);
    const { wait } = scheduler;
    scheduler.wait = async () => {};
    await onSchedule(env, "* * * * *", Date.now());
    scheduler.wait = wait;
    expect(await failuresOf(patientWith())).toEqual([]);
  });

  it("examines every part", async () => {
    const parts = (await examine(patientWith())).map(({ part }) => part);
    expect(parts).toEqual([
      ...["alive", "ready", "keys", "clock", "bindings", "migrations", "size", "guard", "queue"],
      ...["cron", "delivery", "events", "witness", "destinations", "drift", "feeds"],
    ]);
  });

  it("stops at a service that does not answer", async () => {
    const idp = new EdgeIdp({
      url,
      token: env.OPERATOR_TOKEN,
      maxRetries: 0,
      fetch: () => Promise.reject(new TypeError("refused")),
    });
    const findings = await examine({ ...patientWith(), idp });
    expect(findings).toMatchObject([{ part: "alive", level: "fail" }]);
    expect(findings[0]?.text).toBe("The service does not answer.");
  });

  it("says that the operator token is not accepted", async () => {
    const advice = await adviceOn("health", patientWith({}, { token: "x".repeat(40) }));
    expect(advice).toContain("does not accept the operator token");
    expect(advice).toContain("--secrets-file");
  });

  it("says that the configuration is not valid", async () => {
    const patient = patientWith({ SEALING_KEYS: "" });
    expect(await failuresOf(patient)).toEqual(["ready", "health", "feeds"]);
    expect(await adviceOn("ready", patient)).toContain("configuration_invalid");
  });

  it("says that keys do not fit the stored data", async () => {
    await send("GET", "/readyz");
    const patient = patientWith({ SEALING_KEYS: `1:${btoa("another sealing key, of 32 bytes")}` });
    expect(await adviceOn("health", patient)).toContain("keys_do_not_fit");
  });

  it("says that the file of secrets has other keys than the service", async () => {
    const compareKeys = () =>
      Promise.reject(new Failure("The newest version differs.\nDeploy with this file."));
    const finding = (await examine(patientWith({}, { compareKeys }))).find(
      ({ part }) => part === "keys",
    );
    expect(finding).toEqual({
      part: "keys",
      level: "fail",
      text: "The newest version differs.",
      advice: "Deploy with this file.",
    });
  });

  it("warns when no file of secrets is known", async () => {
    const patient = { ...patientWith(), compareKeys: undefined };
    expect(await adviceOn("keys", patient)).toContain("warn: The keys were not compared");
  });

  it("says which database lacks migrations", async () => {
    const rename = async (from: string, to: string) =>
      void (await env.DB_1?.prepare(`ALTER TABLE ${from} RENAME TO ${to}`).run());
    await rename("d1_migrations", "set_aside");
    const advice = await adviceOn("migrations", patientWith());
    await rename("set_aside", "d1_migrations");
    expect(advice).toContain("fail: DB_1 has 0 of");
    expect(advice).toContain("npx wrangler d1 migrations apply DB_1 --remote");
  });

  it("names the parts that D1 does not let it see", async () => {
    await withD1Fault("fails on single reads only", async () => {
      const failures = await failuresOf(patientWith());
      for (const part of ["migrations", "events", "witness", "cron"]) {
        expect(failures).toContain(part);
      }
      expect(failures).not.toContain("guard");
    });
  });

  it("says that the service's clock is off", async () => {
    const readClock = () => Date.now() - 90_000;
    const advice = await adviceOn("clock", patientWith({}, { readClock }));
    expect(advice).toContain("fail: The service's clock is 90 s ahead of this machine's.");
  });
});

const now = Date.parse("2026-08-15T12:00:00Z");
const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString();

const database = {
  shard: 0,
  migrations: { applied: 10, wanted: 10 },
  size_bytes: 50_000_000,
  used_percent: 0,
  events_waiting: { count: 0, since: null },
  deliveries_waiting: { count: 0, since: null },
  witness: { unwitnessed_since: null, refused_by_bucket: 0, refused_by_webhook: 0 },
} satisfies ServiceHealth["databases"][number];

const healthy = {
  now: ago(0),
  bindings: {
    databases: 1,
    queue: true,
    archive: true,
    witness_webhook: true,
    step_up_tokens: true,
    feeds: [],
  },
  guard: true,
  databases: [database],
  runs: [
    { trigger: "every_minute", last_ended_at: ago(40) },
    { trigger: "housekeeping", last_ended_at: ago(1_200) },
    { trigger: "data", last_ended_at: ago(1_200) },
  ],
  clocks: { rejected: 3, off: 1, median_off_by_seconds: 60 },
  destinations: {
    enabled: 2,
    measured: 2,
    behind: 0,
    failing: 0,
    unreachable: 0,
    oldest_seconds: 0,
  },
  problems: [],
} satisfies ServiceHealth;

const withDatabase = (changed: Partial<ServiceHealth["databases"][number]>): ServiceHealth => ({
  ...healthy,
  databases: [database, { ...database, shard: 1, ...changed }],
});
const waiting = (seconds: number) => ({ count: 3, since: ago(seconds) });
const withRun = (trigger: string, last_ended_at: string | null): ServiceHealth => ({
  ...healthy,
  runs: healthy.runs.map((run) => (run.trigger === trigger ? { trigger, last_ended_at } : run)),
});
const witness = database.witness;

describe("The doctor, at measurements", () => {
  it("finds nothing about a healthy service", () => {
    expect(judgeHealth(healthy, now).filter(({ level }) => level !== "ok")).toEqual([]);
  });

  it.each<[string, ServiceHealth, string]>([
    ["size", withDatabase({ used_percent: 80 }), "warn"],
    ["size", withDatabase({ used_percent: 95 }), "fail"],
    ["size", withDatabase({ used_percent: null }), "fail"],
    ["migrations", withDatabase({ migrations: { applied: 9, wanted: 10 } }), "fail"],
    ["events", withDatabase({ events_waiting: waiting(59) }), "ok"],
    ["events", withDatabase({ events_waiting: waiting(120) }), "warn"],
    ["events", withDatabase({ events_waiting: waiting(600) }), "fail"],
    ["delivery", withDatabase({ deliveries_waiting: waiting(5) }), "ok"],
    ["delivery", withDatabase({ deliveries_waiting: waiting(60) }), "warn"],
    ["delivery", withDatabase({ deliveries_waiting: waiting(900) }), "fail"],
    ["delivery", withDatabase({ deliveries_waiting: null }), "fail"],
    ["witness", withDatabase({ witness: { ...witness, unwitnessed_since: ago(3_000) } }), "ok"],
    ["witness", withDatabase({ witness: { ...witness, unwitnessed_since: ago(7_200) } }), "warn"],
    ["witness", withDatabase({ witness: { ...witness, unwitnessed_since: ago(21_600) } }), "fail"],
    ["witness", withDatabase({ witness: { ...witness, refused_by_webhook: 1 } }), "fail"],
    ["guard", { ...healthy, guard: false }, "fail"],
    ["cron", withRun("every_minute", ago(180)), "warn"],
    ["cron", withRun("every_minute", ago(600)), "fail"],
    ["cron", withRun("every_minute", null), "fail"],
    ["cron", withRun("housekeeping", ago(9_000)), "warn"],
    ["cron", withRun("data", null), "warn"],
    ["cron", { ...healthy, runs: null }, "fail"],
    ["drift", { ...healthy, clocks: { rejected: 9, off: 9, median_off_by_seconds: 60 } }, "ok"],
    ["drift", { ...healthy, clocks: { rejected: 21, off: 10, median_off_by_seconds: 60 } }, "ok"],
    [
      "drift",
      { ...healthy, clocks: { rejected: 20, off: 10, median_off_by_seconds: -60 } },
      "warn",
    ],
    ["destinations", { ...healthy, destinations: { ...healthy.destinations, failing: 1 } }, "warn"],
    [
      "destinations",
      { ...healthy, destinations: { ...healthy.destinations, unreachable: 1 } },
      "warn",
    ],
    [
      "destinations",
      { ...healthy, destinations: { ...healthy.destinations, behind: 1, oldest_seconds: 300 } },
      "warn",
    ],
  ])("judges %s by its bounds (case %#)", (part, health, level) => {
    const findings = judgeHealth(health, now);
    const finding = findings.find((one) => one.part === part);
    expect(finding?.level).toBe(level);
    expect(finding?.advice === undefined).toBe(level === "ok");
    expect(findings.filter((one) => one.part !== part && one.level !== "ok")).toEqual([]);
  });

  it("does not count a bucket or a webhook that is not bound any more", () => {
    const health = {
      ...withDatabase({ witness: { ...witness, refused_by_bucket: 4 } }),
      bindings: { ...healthy.bindings, archive: false },
    };
    expect(judgeHealth(health, now).find(({ part }) => part === "witness")?.level).toBe("ok");
  });

  it("takes the time of the request into account before it blames a clock", () => {
    expect(clockOffsetOf({ service: 5_000, before: 0, after: 10_000 })).toBe(0);
    expect(clockOffsetOf({ service: 12_000, before: 0, after: 10_000 })).toBe(2_000);
    expect(clockOffsetOf({ service: -2_000, before: 0, after: 10_000 })).toBe(-2_000);
    expect(judgeClock({ service: 0, before: 6_000, after: 6_000 }).level).toBe("warn");
    expect(judgeClock({ service: 0, before: 4_000, after: 4_000 }).level).toBe("ok");
  });

  const feed = {
    name: "tor",
    kind: "tor",
    source: "https://feeds.example/tor.txt",
    licence: null,
    format: null,
    fetched_at: ago(86_400 * 20),
    changed_at: null,
    rows: 1,
    ipv4_addresses: 1,
    ipv6_networks: 0,
    skipped_lines: 0,
    last_error: null,
  };
  const feeds: Feeds = { feeds: [feed], built_at: null, version: null, coverage: [], degraded: [] };

  it("names kinds of data that are stale, and lists whose fetch was refused", () => {
    expect(judgeFeeds(feeds, now)).toMatchObject({ level: "ok" });
    expect(judgeFeeds({ ...feeds, feeds: [] }, now).text).toContain("ever imported");
    const stale = judgeFeeds({ ...feeds, degraded: ["tor"] }, now);
    expect(stale).toMatchObject({ level: "warn" });
    expect(stale.text).toContain("the oldest is 20 days old. Missing or stale: tor");
    const refused = { ...feed, last_error: { at: ago(60), reason: "The list is empty." } };
    expect(judgeFeeds({ ...feeds, feeds: [refused] }, now).text).toContain(
      "tor: The list is empty.",
    );
  });

  it("prints what to do below each finding", () => {
    expect(
      formatFinding({ part: "cron", level: "fail", text: "It stopped.", advice: "Look." }),
    ).toBe("fail  cron          It stopped.\n                    Look.");
    expect(describeSeconds(7_199)).toBe("119 minutes");
    expect(describeSeconds(7_200)).toBe("2 hours");
    expect(describeSeconds(59.5)).toBe("59 s");
  });
});
