/** Reads of the trail: counted by token, and reported an hour after the first one. */
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createId } from "../../../src/crypto/id.ts";
import { RefusalLog } from "../../../src/guard/refusal-log/refusal-log.ts";
import {
  buildReadEntry,
  countRead,
  type ReadRun,
  readReportTimeOf,
  type TrailRead,
} from "../../../src/guard/refusal-log/trail-read.ts";
import { Tenant } from "../../support/client.ts";
import { evictLog, fireLogAlarm, refusalLogOf } from "../../support/refusal-log.ts";

const minuteMs = 60_000;
const at = Date.parse("2026-03-01T12:00:00Z");
let requests = 0;

function buildRead(token = 0, changes: Partial<TrailRead> = {}): TrailRead {
  requests += 1;
  const id = token.toString(16).padStart(24, "0");
  return {
    count: 1,
    at,
    actor: { type: "api_token", id },
    requestId: `request-${requests}`,
    ...changes,
  };
}

interface ReadEvent {
  readonly actorId: string;
  readonly targetId: string;
  readonly at: number;
  readonly requestId: string;
  readonly reason: string | null;
  readonly details: string;
}

async function readEvents(tenantId: string): Promise<ReadEvent[]> {
  const statement = env.DB.prepare(
    `SELECT actor_id AS actorId, target_id AS targetId, at, request_id AS requestId, reason, details
     FROM audit_events WHERE tenant_id = ? AND action = 'audit.read' ORDER BY leaf_index`,
  );
  return (await statement.bind(tenantId).all<ReadEvent>()).results;
}

async function count(tenantId: string, read: TrailRead): Promise<void> {
  expect(await refusalLogOf(tenantId).countRead(tenantId, read)).toBe(true);
}

/** Lets the log's alarm fire at a time. */
async function fireAt(tenantId: string, now: number): Promise<void> {
  vi.setSystemTime(now);
  await fireLogAlarm(tenantId);
}

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("Reads of one token", () => {
  it("are one run from the first one on, which has the last one's time and request", () => {
    const [first, last] = [buildRead(), buildRead(0, { at: at + 5, count: 3 })];
    const runs = countRead(countRead([], first, 1_000), last, 2_000);
    expect(runs).toEqual([{ ...last, count: 4, since: 1_000 }]);
    const [run] = runs;
    if (run === undefined) throw new Error("There is no run");
    expect(readReportTimeOf(run)).toBe(1_000 + 60 * minuteMs);
    expect(buildReadEntry(run)).toEqual({
      action: "audit.read",
      outcome: "success",
      details: { count: 4 },
      at: at + 5,
      actor: last.actor,
      requestId: last.requestId,
    });
  });

  it("join the oldest run from the 65th token on, and none is lost", () => {
    let runs: readonly ReadRun[] = [];
    for (let token = 0; token < 100; token += 1) runs = countRead(runs, buildRead(token), token);
    expect(runs).toHaveLength(64);
    expect(runs.reduce((sum, run) => sum + run.count, 0)).toBe(100);
    expect(runs[0]).toMatchObject({ count: 37, since: 0, actor: buildRead(99).actor });
  });
});

describe("The refusal log", () => {
  it("reports the reads of each token in one event, an hour after the first", async () => {
    const tenantId = createId(Date.now());
    const start = Date.now();
    vi.useFakeTimers({ toFake: ["Date"], now: start });
    for (let minute = 0; minute < 60; minute += 6) {
      vi.setSystemTime(start + minute * minuteMs);
      await count(tenantId, buildRead(1, { count: 2 }));
    }
    await count(tenantId, buildRead(2));
    const last = buildRead(1, { at: at + 7 });
    await count(tenantId, last);
    await fireAt(tenantId, start + 60 * minuteMs - 1);
    expect(await readEvents(tenantId)).toEqual([]);
    await fireAt(tenantId, start + 60 * minuteMs);
    expect(await readEvents(tenantId)).toEqual([
      {
        actorId: last.actor.id,
        targetId: tenantId,
        at: at + 7,
        requestId: last.requestId,
        reason: null,
        details: '{"count":21}',
      },
    ]);
    await count(tenantId, buildRead(1));
    await fireAt(tenantId, start + 119 * minuteMs);
    const counts = (await readEvents(tenantId)).map(({ details }) => JSON.parse(details).count);
    expect(counts).toEqual([21, 1]);
    await fireAt(tenantId, start + 120 * minuteMs);
    expect(await readEvents(tenantId)).toHaveLength(3);
  });

  it("keeps the counts of reads and of refusals apart, also when it is evicted", async () => {
    const tenantId = createId(Date.now());
    const start = Date.now();
    vi.useFakeTimers({ toFake: ["Date"], now: start });
    const refusal = { action: "request.refused", reason: "not_found", route: "getUser" } as const;
    for (let round = 0; round < 3; round += 1) {
      await count(tenantId, buildRead(1));
      const { requestId, actor } = buildRead(1);
      const refused = { ...refusal, count: 1, at, actor, requestId };
      expect(await refusalLogOf(tenantId).count(tenantId, refused)).toBe(true);
      await evictLog(tenantId);
    }
    await fireAt(tenantId, start + 60 * minuteMs);
    expect((await readEvents(tenantId)).map(({ details }) => details)).toEqual(['{"count":3}']);
    const refused = await env.DB.prepare(
      "SELECT sum(details ->> 'count') AS n FROM audit_events WHERE tenant_id = ? AND action = 'request.refused'",
    )
      .bind(tenantId)
      .first<number>("n");
    expect(refused).toBe(3);
  });

  it("reports what it has counted before it is cleared", async () => {
    const tenantId = createId(Date.now());
    await count(tenantId, buildRead(1, { count: 5 }));
    expect(await refusalLogOf(tenantId).clear()).toBe(true);
    expect((await readEvents(tenantId)).map(({ details }) => details)).toEqual(['{"count":5}']);
  });
});

describe("A list of the trail", () => {
  it("is counted for its token after its answer, and a failed or refused one is not", async () => {
    const counting = vi.spyOn(RefusalLog.prototype, "countRead");
    const tenant = await Tenant.create();
    const { body: own } = await tenant.send("GET", "/v1/token");
    const narrow = await tenant.tokenWith(["idp:read"]);
    expect((await tenant.send("GET", "/v1/audit/events?limit=0")).status).toBe(400);
    const refused = await tenant.send("GET", "/v1/audit/events", undefined, narrow);
    expect(refused.status).toBe(403);
    for (const path of ["checkpoint", "checkpoints", "keys", "consistency?from=1"]) {
      expect((await tenant.send("GET", `/v1/audit/${path}`)).status).toBe(200);
    }
    const { headers } = await tenant.send("GET", "/v1/audit/events");
    await vi.waitFor(() => expect(counting).toHaveBeenCalled());
    expect(counting.mock.calls.map(([tenantId, read]) => [tenantId, read])).toEqual([
      [
        tenant.id,
        {
          count: 1,
          at: expect.any(Number),
          actor: { type: "api_token", id: own.token.id },
          requestId: headers.get("X-Request-Id"),
        },
      ],
    ]);
  });

  it("is counted in the isolate with those of the next ten seconds", async () => {
    const counting = vi.spyOn(RefusalLog.prototype, "countRead");
    const waits: (() => void)[] = [];
    const wait = scheduler.wait.bind(scheduler);
    vi.spyOn(scheduler, "wait").mockImplementation(async (ms, options) => {
      if (ms < 5_000) return await wait(ms, options);
      await new Promise<void>((resolve) => void waits.push(resolve));
    });
    const tenant = await Tenant.create();
    for (let n = 0; n < 4; n += 1) {
      expect((await tenant.send("GET", "/v1/audit/events")).status).toBe(200);
    }
    await vi.waitFor(() => expect(waits).toHaveLength(1));
    for (const end of waits) end();
    await vi.waitFor(() => expect(counting).toHaveBeenCalledTimes(2));
    expect(counting.mock.calls.map(([, { count: n }]) => n)).toEqual([1, 3]);
  });
});
