import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { integrateLogs } from "../../../src/audit/tree/integrate.ts";
import { witnessHeads } from "../../../src/audit/tree/witness.ts";
import { Tenant, User } from "../../support/client.ts";
import { fetchCheckpoint, rowsOf, sql } from "../../support/trail.ts";

const hour = 60 * 60 * 1000;
const webhook = "https://witness.example/heads";

afterEach(() => vi.restoreAllMocks());

async function witnessed(tenant: Tenant) {
  const { body } = await tenant.send("GET", "/v1/audit/checkpoints?limit=100");
  return body.checkpoints.map(({ tree_size }: { tree_size: number }) => tree_size);
}

async function grow(tenant: Tenant): Promise<void> {
  await User.provision(tenant);
  await integrateLogs(env, Date.now());
}

function logged(): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  vi.spyOn(console, "error").mockImplementation((line) => void lines.push(JSON.parse(line)));
  return lines;
}

describe("The outside witness", () => {
  it("has every log's first head at once, and from then on the newest every hour", async () => {
    const tenant = await Tenant.create();
    const now = Date.now();
    await integrateLogs(env, now);
    await witnessHeads(env, now);
    expect(await witnessed(tenant)).toEqual([2]);
    await grow(tenant);
    await witnessHeads(env, now + hour / 2);
    expect(await witnessed(tenant)).toEqual([2]);
    await grow(tenant);
    await witnessHeads(env, now + hour);
    expect(await witnessed(tenant)).toEqual([4, 2]);
    await witnessHeads(env, now + 3 * hour);
    expect(await witnessed(tenant)).toEqual([4, 2]);
  });

  it("keeps the very note that was signed, in KV and in the bucket", async () => {
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

  it("lists heads in pages, the newest first, and nobody else's", async () => {
    const [tenant, other] = [await Tenant.create(), await Tenant.create()];
    for (let n = 0; n < 4; n += 1) {
      await grow(tenant);
      await witnessHeads(env, Date.now() + n * hour);
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
    expect(await witnessed(other)).not.toContain(6);
  });

  it("is told at the configured address too, and once more where that failed", async () => {
    const told: string[] = [];
    let answers = 500;
    vi.spyOn(globalThis, "fetch").mockImplementation(async (address, init) => {
      expect(address).toBe(webhook);
      told.push(String(init?.body));
      return new Response(null, { status: answers });
    });
    await witnessHeads(env, Date.now());
    const tenant = await Tenant.create();
    const { note } = await fetchCheckpoint(tenant);
    const configured = { ...env, AUDIT_WITNESS_URL: webhook };
    const lines = logged();
    await witnessHeads(configured, Date.now());
    expect(lines.map(({ event }) => event)).toContain("audit_witness_failed");
    // KV has it all the same, and only it, however often the address fails and the log grows.
    await grow(tenant);
    await witnessHeads(configured, Date.now());
    expect(await witnessed(tenant)).toEqual([2]);
    answers = 204;
    await witnessHeads(configured, Date.now());
    expect(told.filter((body) => body === note)).toHaveLength(3);
    await witnessHeads(configured, Date.now());
    expect(told.filter((body) => body === note)).toHaveLength(3);
    expect((await rowsOf("audit_trees", tenant.id))[0]).toMatchObject({
      witnessed_size: 2,
      forwarded_size: 2,
    });
  });

  it.each([
    [
      "rewritten",
      "UPDATE audit_tiles SET hashes = replace(hashes, substr(hashes, 1, 8), 'AAAAAAAA') WHERE tenant_id = ?",
    ],
    ["lost", "DELETE FROM audit_tiles WHERE tenant_id = ?"],
  ])("takes no head over a history that was %s, and tells of it every time", async (_, change) => {
    const tenant = await Tenant.create();
    const now = Date.now();
    await integrateLogs(env, now);
    await witnessHeads(env, now);
    await grow(tenant);
    await sql(change, tenant.id);
    for (const later of [1, 2]) {
      const lines = logged();
      await witnessHeads(env, now + later * hour);
      expect(lines).toContainEqual({
        level: "error",
        event: "audit_tree_rewritten",
        tenant_id: tenant.id,
      });
      vi.restoreAllMocks();
    }
    expect(await witnessed(tenant)).toEqual([2]);
  });

  it("keeps a log that was cut from beginning anew: the sealer asks it first", async () => {
    const tenant = await Tenant.create();
    const now = Date.now();
    await grow(tenant);
    await witnessHeads(env, now);
    await sql("DELETE FROM audit_trees WHERE tenant_id = ?", tenant.id);
    await sql("DELETE FROM audit_tiles WHERE tenant_id = ?", tenant.id);
    await sql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index > 1", tenant.id);
    const lines = logged();
    await integrateLogs(env, now);
    expect(lines).toContainEqual({
      level: "error",
      event: "audit_tree_damaged",
      tenant_id: tenant.id,
    });
    expect(await rowsOf("audit_trees", tenant.id)).toEqual([]);
  });

  it("notices a log that was put back and grew otherwise, though every signature is right", async () => {
    const tenant = await Tenant.create();
    const now = Date.now();
    await integrateLogs(env, now);
    const [old] = await rowsOf("audit_trees", tenant.id);
    await grow(tenant);
    await grow(tenant);
    await witnessHeads(env, now);
    await sql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index > 1", tenant.id);
    await sql(
      "UPDATE audit_trees SET size = 2, note = ?, witnessed_size = 0 WHERE tenant_id = ?",
      String(old?.note),
      tenant.id,
    );
    await grow(tenant);
    const lines = logged();
    await witnessHeads(env, now + hour);
    expect(lines.map(({ event }) => event)).toContain("audit_tree_rewritten");
    vi.restoreAllMocks();
    // Also once it has grown past what the witness knows.
    for (let n = 0; n < 4; n += 1) await grow(tenant);
    const later = logged();
    await witnessHeads(env, now + 2 * hour);
    expect(later.map(({ event }) => event)).toContain("audit_tree_rewritten");
    vi.restoreAllMocks();
    expect(await witnessed(tenant)).toEqual([4]);
  });

  it("takes no head that the service did not sign", async () => {
    const tenant = await Tenant.create();
    await integrateLogs(env, Date.now());
    await sql("UPDATE audit_trees SET note = replace(note, 'sealed_at 2', 'sealed_at 3')");
    const lines = logged();
    await witnessHeads(env, Date.now());
    expect(lines.map(({ event }) => event)).toContain("audit_tree_damaged");
    vi.restoreAllMocks();
    expect(await witnessed(tenant)).toEqual([]);
    expect((await tenant.send("GET", "/v1/audit/checkpoint")).status).toBe(503);
  });
});
