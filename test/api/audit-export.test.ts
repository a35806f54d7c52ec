/** An export as a stream: what it holds in memory, when it ends, and how many are open at once. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openAuditKey } from "../../src/audit/personal.ts";
import { stampEvents } from "../../src/audit/stamp.ts";
import { insertEvents } from "../../src/audit/store.ts";
import { maxAnswerMs, maxChunkBytes } from "../../src/audit/tree/export.ts";
import { runBatch } from "../../src/db/client.ts";
import { findTenantDb } from "../../src/db/shards.ts";
import { requireConfig } from "../../src/env.ts";
import worker from "../../src/index.ts";
import { Tenant, User } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { findOcsfProblems } from "../support/ocsf.ts";
import { eventOf, fetchCheckpoint, fetchExport, fileEvents, sql } from "../support/trail.ts";

/** D1 refuses deliveries that are an hour late by its own clock. */
const start = Date.now();
const cacheMs = 25_000;
const leaseMs = 30_000;
const logged: string[] = [];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: start });
  logged.length = 0;
  for (const level of ["info", "error"] as const) {
    vi.spyOn(console, level).mockImplementation((line) => void logged.push(String(line)));
  }
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Opens an export without reading it. */
async function openExport(tenant: Tenant, token = tenant.token, query = ""): Promise<Response> {
  const headers = { Authorization: `Bearer ${token}` };
  const request = new Request(`https://idp.test/v1/audit/export${query}`, { headers });
  return await worker.fetch(request, env, createExecutionContext());
}

async function openReader(tenant: Tenant, token?: string) {
  const { status, body } = await openExport(tenant, token);
  expect(status).toBe(200);
  if (body === null) throw new Error("The export has no body");
  return body.getReader();
}

type Reader = Awaited<ReturnType<typeof openReader>>;

function leavesOf(chunks: readonly (Uint8Array | undefined)[]): number[] {
  const text = chunks.map((chunk) => new TextDecoder().decode(chunk)).join("");
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line).leaf_index);
}

async function readChunk(reader: Reader): Promise<Uint8Array> {
  const { value } = await reader.read();
  if (value === undefined) throw new Error("The export has ended");
  return value;
}

async function readAll(reader: Reader): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return chunks;
    chunks.push(value);
  }
}

/** Expects the next line to be an error body, and the stream to be aborted after it. */
async function expectCut(reader: Reader, code: string): Promise<void> {
  const text = new TextDecoder().decode(await readChunk(reader));
  expect(JSON.parse(text)).toEqual({
    error: expect.any(String),
    code,
    request_id: expect.any(String),
  });
  await expect(reader.read()).rejects.toMatchObject({ code });
}

/** Waits until an export is cut off whose client does not read. */
async function waitForCut(): Promise<void> {
  await vi.waitFor(() => expect(logged.join()).toContain("audit_export_failed"), 20_000);
}

/** A tenant with a log of several chunks, all integrated. */
async function createTenantWithEvents(count = 1_200): Promise<Tenant> {
  const tenant = await Tenant.create();
  const events = Array.from({ length: count }, () => eventOf(tenant.id, start));
  await fileEvents(tenant.id, events);
  await fetchCheckpoint(tenant);
  return tenant;
}

/** A tenant with a log of sessions whose agents have 1,024 characters, which JSON writes with six bytes each. */
async function createTenantWithLargeEvents(count: number): Promise<Tenant> {
  const tenant = await Tenant.create();
  const user = await User.provision(tenant);
  const { sealingKeys, auditSigningKeys } = requireConfig(env);
  const stored = await env.DB.prepare("SELECT state ->> '$.auditKey' FROM identities WHERE id = ?")
    .bind(user.id)
    .first<string>("state ->> '$.auditKey'");
  const owner = { tenantId: tenant.id, identityId: user.id };
  const key = await openAuditKey(sealingKeys, owner, JSON.parse(stored ?? ""));
  const personal = { external_id: user.externalId, agent: "\u0001".repeat(1_024) };
  const target = { type: "identity", id: user.id } as const;
  const db = await findTenantDb(env, tenant.id);
  for (let filed = 0; filed < count; filed += 50) {
    const events = Array.from({ length: 50 }, () => ({
      ...eventOf(tenant.id, start),
      target,
      personal,
    }));
    const stamped = await stampEvents(auditSigningKeys, events, key);
    await runBatch(db, [insertEvents(db, tenant.id, stamped)]);
  }
  await fetchCheckpoint(tenant);
  return tenant;
}

/** Revokes the tenant's tokens in D1 alone, as another isolate would. */
async function revokeElsewhere(tenant: Tenant): Promise<void> {
  await sql("UPDATE api_tokens SET revoked_at = 1 WHERE tenant_id = ?", tenant.id);
}

/** Makes the periodic check of an export run often. */
function hastenChecks(): void {
  const wait = scheduler.wait.bind(scheduler);
  vi.spyOn(scheduler, "wait").mockImplementation(
    async (ms, options) => await wait(Math.min(ms, 2), options),
  );
}

const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1"));

/** Counts the events that D1 returns, and their characters, until the mocks are restored. */
function countEventsRead() {
  const counts = { rows: 0, characters: 0 };
  const real = statement.raw;
  vi.spyOn(statement, "raw").mockImplementation(async function (this: unknown, ...args: unknown[]) {
    const rows: unknown[][] = await real.apply(this, args);
    const events = rows.filter((row) => row.length > 15);
    counts.rows += events.length;
    counts.characters += JSON.stringify(events).length;
    return rows;
  });
  return counts;
}

describe("A chunk of an export", () => {
  it("has at most 256 KB, also of events whose agents have 1,024 characters", async () => {
    const tenant = await createTenantWithLargeEvents(100);
    const chunks = await readAll(await openReader(tenant));
    expect(leavesOf(chunks)).toEqual(Array.from({ length: 103 }, (_, leaf) => leaf));
    expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThanOrEqual(maxChunkBytes);
    expect(chunks.length).toBeGreaterThan(2);
  });

  it("is the only one that is read for a client that stops reading", async () => {
    const tenant = await createTenantWithLargeEvents(100);
    const reader = await openReader(tenant);
    const read = countEventsRead();
    await scheduler.wait(20);
    expect(read.rows).toBe(0);
    await readChunk(reader);
    const { rows } = read;
    expect(rows).toBeGreaterThan(0);
    // Stored events are longer than exported ones by a third at most, and the last one may exceed the bound.
    expect(read.characters).toBeLessThan(1.4 * maxChunkBytes);
    hastenChecks();
    await scheduler.wait(100);
    expect(read.rows).toBe(rows);
    await reader.cancel();
    expect(read.rows).toBe(rows);
  });
});

describe("An export whose token is revoked by another isolate", () => {
  it("is cut off at the next chunk that is sent more than 25 s later, with 513 events and more", async () => {
    const tenant = await createTenantWithEvents(1_500);
    const reader = await openReader(tenant);
    const first = leavesOf([await readChunk(reader)]);
    await revokeElsewhere(tenant);
    vi.setSystemTime(start + cacheMs);
    await expectCut(reader, "invalid_token");
    expect(first.length).toBeLessThan(700);
  });

  it("is cut off likewise when another isolate suspends its tenant", async () => {
    const tenant = await createTenantWithEvents(1_500);
    const reader = await openReader(tenant);
    await readChunk(reader);
    await sql("UPDATE tenants SET status = 'suspended' WHERE id = ?", tenant.id);
    vi.setSystemTime(start + cacheMs);
    await expectCut(reader, "tenant_suspended");
  });

  it("is cut off while its client does not read", async () => {
    const tenant = await createTenantWithEvents();
    hastenChecks();
    const reader = await openReader(tenant);
    await readChunk(reader);
    await revokeElsewhere(tenant);
    vi.setSystemTime(start + cacheMs);
    await waitForCut();
    await expectCut(reader, "invalid_token");
  });
});

describe("An export", () => {
  it("has the same events in the schema of OCSF, each of which follows the published schema", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    await user.verify("000000");
    await user.assess();
    await user.events();
    await fetchCheckpoint(tenant);
    const native = await fetchExport(tenant, "?format=native");
    expect(native).toEqual(await fetchExport(tenant));
    const mapped = await fetchExport(tenant, "?format=ocsf");
    expect(mapped.flatMap(findOcsfProblems)).toEqual([]);
    expect(
      mapped.map(({ metadata: { uid, sequence, event_code } }) => [uid, sequence, event_code]),
    ).toEqual(native.map(({ id, leaf_index, action }) => [id, leaf_index, action]));
    expect(mapped.map(({ unmapped }) => unmapped.leaf_hash)).toEqual(
      native.map(({ leaf_hash }) => leaf_hash),
    );
    expect(mapped.at(-1).user.name).toBe(user.externalId);
    expect((await tenant.send("GET", "/v1/audit/export?format=cef")).status).toBe(400);
  });

  it("is cut off when its token expires", async () => {
    const tenant = await createTenantWithEvents();
    const expires_at = new Date(start + 60_000).toISOString();
    const token = { name: "short", permissions: ["audit:read"], expires_at };
    const { secret } = (await tenant.send("POST", "/v1/tokens", { token })).body.token;
    const reader = await openReader(tenant, secret);
    await readChunk(reader);
    vi.setSystemTime(start + 59_999);
    await readChunk(reader);
    vi.setSystemTime(start + 60_000);
    await expectCut(reader, "invalid_token");
  });

  it("is cut off when the state of its token cannot be found out", async () => {
    const tenant = await createTenantWithEvents();
    hastenChecks();
    const reader = await openReader(tenant);
    await readChunk(reader);
    await withD1Fault("throws", async () => {
      vi.setSystemTime(start + cacheMs);
      // The client does not read, so it is the check that meets the fault.
      await waitForCut();
    });
    await expectCut(reader, "unavailable");
  });

  it("ends after 15 minutes, at the end of a line, and can be continued", async () => {
    const tenant = await createTenantWithEvents();
    const reader = await openReader(tenant);
    const leaves = leavesOf([await readChunk(reader)]);
    vi.setSystemTime(start + maxAnswerMs);
    expect(await readAll(reader)).toEqual([]);
    const rest = await openExport(tenant, tenant.token, `?from=${leaves.length}&to=1202`);
    const text = new Uint8Array(await rest.arrayBuffer());
    expect([...leaves, ...leavesOf([text])]).toEqual(
      Array.from({ length: 1_202 }, (_, leaf) => leaf),
    );
  });

  it("ends after 15 minutes while its client does not read", async () => {
    const tenant = await createTenantWithEvents();
    hastenChecks();
    const reader = await openReader(tenant);
    await readChunk(reader);
    vi.setSystemTime(start + maxAnswerMs);
    await reader.closed;
    expect((await reader.read()).done).toBe(true);
  });
});

describe("Open exports", () => {
  async function expectRefused(tenant: Tenant, token?: string): Promise<void> {
    const refused = await openExport(tenant, token);
    expect(refused.status).toBe(429);
    expect(await refused.json()).toMatchObject({ code: "rate_limited" });
    expect(Number(refused.headers.get("Retry-After"))).toBeGreaterThanOrEqual(1);
    expect(Number(refused.headers.get("Retry-After"))).toBeLessThanOrEqual(leaseMs / 1000);
  }

  it("are at most two of a token and four of a tenant; one that is cancelled or read makes room", async () => {
    const tenant = await createTenantWithEvents(5);
    const [second, third] = [
      await tenant.tokenWith(["audit:read"]),
      await tenant.tokenWith(["audit:read"]),
    ];
    const reader = await openReader(tenant);
    const another = await openReader(tenant);
    await expectRefused(tenant);
    await openReader(tenant, second);
    await openReader(tenant, second);
    await expectRefused(tenant, third);
    await reader.cancel();
    const last = await openReader(tenant, third);
    await expectRefused(tenant);
    await readAll(another);
    await openReader(tenant);
    await expectRefused(tenant, third);
    await last.cancel();
    const other = await createTenantWithEvents(5);
    await openReader(other);
  });

  it("count no longer than 30 s if their client or their isolate is gone", async () => {
    const tenant = await createTenantWithEvents(5);
    // The platform runs no code of such a request: here, nothing reads these exports.
    await openExport(tenant);
    await openExport(tenant);
    vi.setSystemTime(start + leaseMs - 1);
    await expectRefused(tenant);
    vi.setSystemTime(start + leaseMs);
    await openReader(tenant);
  });

  it("count for as long as they are open", async () => {
    const tenant = await createTenantWithEvents(2_000);
    const readers = [await openReader(tenant), await openReader(tenant)];
    for (let seconds = 0; seconds < 60; seconds += 20) {
      vi.setSystemTime(start + seconds * 1_000);
      for (const reader of readers) await readChunk(reader);
    }
    await expectRefused(tenant);
  });

  it.each(["it is cut off", "the tree head is damaged"])(
    "do not count one after %s",
    async (how) => {
      const tenant = await createTenantWithEvents(5);
      if (how === "it is cut off") {
        const readers = [await openReader(tenant), await openReader(tenant)];
        await withD1Fault("throws", async () => {
          for (const reader of readers) await expectCut(reader, "unavailable");
        });
      } else {
        const damage = "UPDATE audit_trees SET note = 'x' || note WHERE tenant_id = ?";
        await sql(damage, tenant.id);
        for (let n = 0; n < 3; n += 1) expect((await openExport(tenant)).status).toBe(503);
        await sql("UPDATE audit_trees SET note = substr(note, 2) WHERE tenant_id = ?", tenant.id);
      }
      await openReader(tenant);
      await openReader(tenant);
      await expectRefused(tenant);
    },
  );

  it("end when their lease has run out and others have taken their place", async () => {
    const tenant = await createTenantWithEvents();
    const reader = await openReader(tenant);
    await readChunk(reader);
    vi.setSystemTime(start + leaseMs);
    await openReader(tenant);
    await openReader(tenant);
    await expectCut(reader, "rate_limited");
  });

  it("are refused with 503 while their register does not answer", async () => {
    const tenant = await createTenantWithEvents(5);
    vi.spyOn(Object.getPrototypeOf(env.EXPORTS), "idFromName").mockImplementation(() => {
      throw new Error("injected");
    });
    const refused = await openExport(tenant);
    expect([refused.status, await refused.json()]).toEqual([
      503,
      expect.objectContaining({ code: "unavailable" }),
    ]);
  });
});
