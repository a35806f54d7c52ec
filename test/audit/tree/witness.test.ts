import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { integrateLogs } from "../../../src/audit/tree/integrate.ts";
import { witnessHeads } from "../../../src/audit/tree/witness.ts";
import { Tenant, User } from "../../support/client.ts";
import { fetchCheckpoint, rowsOf, sql } from "../../support/trail.ts";

const minuteMs = 60 * 1000;
const hourMs = 60 * minuteMs;
const webhook = "https://witness.example/heads";

afterEach(() => vi.restoreAllMocks());

async function listWitnessedSizes(tenant: Tenant) {
  const { body } = await tenant.send("GET", "/v1/audit/checkpoints?limit=100");
  return body.checkpoints.map(({ tree_size }: { tree_size: number }) => tree_size);
}

async function growLog(tenant: Tenant): Promise<void> {
  await User.provision(tenant);
  await integrateLogs(env, Date.now());
}

function captureErrors(): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  vi.spyOn(console, "error").mockImplementation((line) => void lines.push(JSON.parse(line)));
  return lines;
}

describe("The witness", () => {
  it("gets the first head of every log at once, and then the newest head every hour", async () => {
    const tenant = await Tenant.create();
    const now = Date.now();
    await integrateLogs(env, now);
    await witnessHeads(env, now);
    expect(await listWitnessedSizes(tenant)).toEqual([2]);
    await growLog(tenant);
    await witnessHeads(env, now + hourMs / 2);
    expect(await listWitnessedSizes(tenant)).toEqual([2]);
    await growLog(tenant);
    await witnessHeads(env, now + hourMs);
    expect(await listWitnessedSizes(tenant)).toEqual([4, 2]);
    await witnessHeads(env, now + 3 * hourMs);
    expect(await listWitnessedSizes(tenant)).toEqual([4, 2]);
  });

  it("stores exactly the note that was signed, in KV and in the bucket", async () => {
    const tenant = await Tenant.create();
    const checkpoint = await fetchCheckpoint(tenant);
    await witnessHeads(env, Date.now());
    const { body } = await tenant.send("GET", "/v1/audit/checkpoints");
    expect(body.checkpoints).toEqual([checkpoint]);
    const { keys } = await env.AUDIT_WITNESS.list({ prefix: `head/${tenant.id}/` });
    expect(keys).toHaveLength(1);
    const key = keys[0]?.name ?? "";
    expect(await env.AUDIT_WITNESS.get(key)).toBe(checkpoint.note);
    expect(await (await env.AUDIT_ARCHIVE?.get(key))?.text()).toBe(checkpoint.note);
  });

  it("lists only the tenant's own heads, in pages, newest first", async () => {
    const [tenant, other] = [await Tenant.create(), await Tenant.create()];
    for (let n = 0; n < 4; n += 1) {
      await growLog(tenant);
      await witnessHeads(env, Date.now() + n * hourMs);
    }
    const first = (await tenant.send("GET", "/v1/audit/checkpoints?limit=3")).body;
    expect(first.checkpoints.map(({ tree_size }: { tree_size: number }) => tree_size)).toEqual([
      6, 5, 4,
    ]);
    expect(first.has_more).toBe(true);
    const second = (
      await tenant.send("GET", `/v1/audit/checkpoints?limit=3&after=${first.next_after}`)
    ).body;
    expect(second.checkpoints).toHaveLength(1);
    expect(second).toMatchObject({ has_more: false, next_after: null });
    expect(await listWitnessedSizes(other)).not.toContain(6);
  });

  it("also sends heads to the configured address, and retries after a failure", async () => {
    const now = Date.now();
    await witnessHeads(env, now);
    const tenant = await Tenant.create();
    const { note } = await fetchCheckpoint(tenant);
    const sent: string[] = [];
    let answers = 500;
    vi.spyOn(globalThis, "fetch").mockImplementation(async (address, init) => {
      expect(address).toBe(webhook);
      // The platform refuses some options when it creates the request.
      expect(new Request(webhook, init ?? {}).redirect).toBe("manual");
      sent.push(String(init?.body));
      const isOwn = String(init?.body).includes(tenant.id);
      return new Response(null, { status: isOwn ? answers : 204 });
    });
    const configured = { ...env, AUDIT_WITNESS_URL: webhook };
    const lines = captureErrors();
    await witnessHeads(configured, now);
    expect(lines.map(({ event }) => event)).toContain("audit_witness_failed");
    // KV has this head and no other, even if the address fails again and the log grows.
    await growLog(tenant);
    await witnessHeads(configured, now + minuteMs);
    expect(await listWitnessedSizes(tenant)).toEqual([2]);
    answers = 204;
    await witnessHeads(configured, now + 3 * minuteMs);
    expect(sent.filter((body) => body === note)).toHaveLength(3);
    await witnessHeads(configured, now + 4 * minuteMs);
    expect(sent.filter((body) => body === note)).toHaveLength(3);
    expect((await rowsOf("audit_trees", tenant.id))[0]).toMatchObject({
      witnessed_size: 2,
      bucket_size: 2,
      forwarded_size: 2,
    });
  });

  it.each([
    [
      "rewritten",
      "UPDATE audit_trees SET unfinished_tiles = replace(unfinished_tiles, substr(unfinished_tiles, 3, 8), 'AAAAAAAA') WHERE tenant_id = ?",
    ],
    ["lost", "UPDATE audit_trees SET unfinished_tiles = NULL WHERE tenant_id = ?"],
  ])("accepts no head over a history that was %s, and reports it every time", async (_, change) => {
    const tenant = await Tenant.create();
    const now = Date.now();
    await integrateLogs(env, now);
    await witnessHeads(env, now);
    await growLog(tenant);
    await sql(change, tenant.id);
    for (const later of [1, 2]) {
      const lines = captureErrors();
      await witnessHeads(env, now + later * hourMs);
      expect(lines).toContainEqual({
        level: "error",
        event: "audit_tree_rewritten",
        tenant_id: tenant.id,
      });
      vi.restoreAllMocks();
    }
    expect(await listWitnessedSizes(tenant)).toEqual([2]);
  });

  it("prevents the restart of a truncated log, because the integration reads it first", async () => {
    const tenant = await Tenant.create();
    const now = Date.now();
    await growLog(tenant);
    await witnessHeads(env, now);
    await sql("DELETE FROM audit_trees WHERE tenant_id = ?", tenant.id);
    await sql("DELETE FROM audit_tiles WHERE tenant_id = ?", tenant.id);
    await sql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index > 1", tenant.id);
    const lines = captureErrors();
    await integrateLogs(env, now);
    expect(lines).toContainEqual({
      level: "error",
      event: "audit_tree_damaged",
      tenant_id: tenant.id,
    });
    expect(await rowsOf("audit_trees", tenant.id)).toEqual([]);
  });

  it("detects a log that was reset and grew differently, although every signature is valid", async () => {
    const tenant = await Tenant.create();
    const now = Date.now();
    await integrateLogs(env, now);
    const [old] = await rowsOf("audit_trees", tenant.id);
    await growLog(tenant);
    await growLog(tenant);
    await witnessHeads(env, now);
    await sql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index > 1", tenant.id);
    await sql(
      "UPDATE audit_trees SET size = 2, note = ?, witnessed_size = 0 WHERE tenant_id = ?",
      String(old?.note),
      tenant.id,
    );
    await growLog(tenant);
    const lines = captureErrors();
    await witnessHeads(env, now + hourMs);
    expect(lines.map(({ event }) => event)).toContain("audit_tree_rewritten");
    vi.restoreAllMocks();
    // The log is also detected after it has grown beyond the newest head of the witness.
    for (let n = 0; n < 4; n += 1) await growLog(tenant);
    const later = captureErrors();
    await witnessHeads(env, now + 2 * hourMs);
    expect(later.map(({ event }) => event)).toContain("audit_tree_rewritten");
    vi.restoreAllMocks();
    expect(await listWitnessedSizes(tenant)).toEqual([4]);
  });

  it("accepts no head that the service did not sign", async () => {
    const tenant = await Tenant.create();
    await integrateLogs(env, Date.now());
    await sql("UPDATE audit_trees SET note = replace(note, 'sealed_at 2', 'sealed_at 3')");
    const lines = captureErrors();
    await witnessHeads(env, Date.now());
    expect(lines.map(({ event }) => event)).toContain("audit_tree_damaged");
    vi.restoreAllMocks();
    expect(await listWitnessedSizes(tenant)).toEqual([]);
    expect((await tenant.send("GET", "/v1/audit/checkpoint")).status).toBe(503);
  });
});

describe("A head that a further witness does not accept", () => {
  /** Witnesses all heads of other tests, so that only those of this test are due. */
  async function witnessOthers(): Promise<void> {
    await integrateLogs(env, Date.now());
    await witnessHeads(env, Date.now());
  }

  it("keeps no other head back, is tried ever less often, and is reported once with its log", async () => {
    await witnessOthers();
    const refused = await Tenant.create();
    await fetchCheckpoint(refused);
    const sent: string[] = [];
    vi.spyOn(globalThis, "fetch").mockImplementation(async (_address, init) => {
      sent.push(String(init?.body));
      return new Response(null, { status: String(init?.body).includes(refused.id) ? 409 : 204 });
    });
    const configured = { ...env, AUDIT_WITNESS_URL: webhook };
    const now = Date.now();
    const lines = captureErrors();
    await witnessHeads(configured, now);
    const others = [await Tenant.create(), await Tenant.create()];
    for (const other of others) await fetchCheckpoint(other);
    for (let minute = 1; minute <= 32; minute += 1) {
      await witnessHeads(configured, now + minute * minuteMs);
    }
    const countSent = ({ id }: Tenant) => sent.filter((body) => body.includes(id)).length;
    expect(others.map(countSent)).toEqual([1, 1]);
    // At once, and after 1, 2, 4, 8 and 16 minutes more.
    expect(countSent(refused)).toBe(6);
    const own = lines.filter(({ tenant_id }) => tenant_id === refused.id);
    expect(own).toEqual([
      {
        level: "error",
        event: "audit_head_refused",
        tenant_id: refused.id,
        source: "webhook",
        code: "409",
      },
    ]);
    expect(lines.filter(({ event }) => event === "audit_heads_refused")).toHaveLength(6);
    for (const tenant of [refused, ...others]) {
      expect(await env.AUDIT_ARCHIVE?.list({ prefix: `head/${tenant.id}` })).toMatchObject({
        objects: [{}],
      });
    }
    expect((await rowsOf("audit_trees", refused.id))[0]).toMatchObject({
      forwarded_size: 0,
      forward_failures: 6,
    });
  });

  it("because it answers with a redirect is refused, and the redirect is not followed", async () => {
    await witnessOthers();
    const tenant = await Tenant.create();
    await fetchCheckpoint(tenant);
    const redirect = new Response(null, {
      status: 302,
      headers: { Location: "https://other.test/" },
    });
    const fetched = vi.spyOn(globalThis, "fetch").mockImplementation(async () => redirect.clone());
    const lines = captureErrors();
    await witnessHeads({ ...env, AUDIT_WITNESS_URL: webhook }, Date.now());
    expect(fetched).toHaveBeenCalledTimes(
      lines.filter(({ event }) => event === "audit_head_refused").length,
    );
    expect(lines).toContainEqual({
      level: "error",
      event: "audit_head_refused",
      tenant_id: tenant.id,
      source: "webhook",
      code: "302",
    });
  });

  it("by the bucket is sent to the configured address all the same", async () => {
    await witnessOthers();
    const tenant = await Tenant.create();
    await fetchCheckpoint(tenant);
    const other = await Tenant.create();
    await fetchCheckpoint(other);
    const sent: string[] = [];
    vi.spyOn(globalThis, "fetch").mockImplementation(async (_address, init) => {
      sent.push(String(init?.body));
      return new Response();
    });
    const bucket = Object.getPrototypeOf(env.AUDIT_ARCHIVE);
    const { put } = bucket;
    const spy = vi.spyOn(bucket, "put").mockImplementation(function (this: unknown, ...args) {
      if (String(args[0]).includes(tenant.id)) return Promise.reject(new Error("locked"));
      return put.apply(this, args);
    });
    const lines = captureErrors();
    const now = Date.now();
    await witnessHeads({ ...env, AUDIT_WITNESS_URL: webhook }, now);
    expect(sent.filter((body) => body.includes(tenant.id))).toHaveLength(1);
    expect(lines).toMatchObject([{ event: "audit_witness_failed", source: "bucket" }]);
    expect((await rowsOf("audit_trees", other.id))[0]).toMatchObject({ bucket_size: 2 });
    spy.mockRestore();
    await witnessHeads({ ...env, AUDIT_WITNESS_URL: webhook }, now + minuteMs);
    expect((await rowsOf("audit_trees", tenant.id))[0]).toMatchObject({
      bucket_size: 2,
      forwarded_size: 2,
      bucket_failures: 0,
    });
    expect(sent.filter((body) => body.includes(tenant.id))).toHaveLength(1);
  });

  it("because it never answers costs a run three attempts, and the bucket gets every head", async () => {
    await witnessOthers();
    const tenants: Tenant[] = [];
    for (let n = 0; n < 20; n += 1) tenants.push(await Tenant.create());
    await integrateLogs(env, Date.now());
    const attempts = vi.spyOn(globalThis, "fetch").mockRejectedValue(new Error("unreachable"));
    captureErrors();
    await witnessHeads({ ...env, AUDIT_WITNESS_URL: webhook }, Date.now());
    // Six heads are sent at once.
    expect(attempts.mock.calls.length).toBeLessThanOrEqual(3 + 5);
    for (const { id } of tenants) {
      expect((await rowsOf("audit_trees", id))[0]).toMatchObject({ bucket_size: 2 });
    }
  });
});
