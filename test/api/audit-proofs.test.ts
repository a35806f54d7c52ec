import { runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { base64, hex } from "@scure/base";
import { describe, expect, it } from "vitest";
import {
  createAuditKey,
  openAuditKey,
  openParts,
  renewAuditKey,
  sealParts,
} from "../../src/audit/personal.ts";
import { exportTrail } from "../../src/audit/tree/export.ts";
import { verifyConsistency, verifyInclusion } from "../../src/audit/tree/verify-proof.ts";
import { requireConfig } from "../../src/env.ts";
import { Tenant, User } from "../support/client.ts";
import { guardOf } from "../support/guard.ts";
import { eventOf, fetchCheckpoint, fetchExport, fileEvents, sql } from "../support/trail.ts";

async function tenantWith(count: number): Promise<Tenant> {
  const tenant = await Tenant.create();
  const at = Date.now();
  await fileEvents(
    tenant.id,
    Array.from({ length: count }, (_, n) => eventOf(tenant.id, at + n)),
  );
  return tenant;
}

describe("A checkpoint", () => {
  it("covers what was done just before it was asked for", async () => {
    const tenant = await Tenant.create();
    expect((await fetchCheckpoint(tenant)).tree_size).toBe(2);
    await User.provision(tenant);
    expect((await fetchCheckpoint(tenant)).tree_size).toBe(3);
    const { body } = await tenant.send("GET", "/v1/audit/checkpoint");
    expect(body.sealed_within_seconds).toBe(60);
  });

  it("is signed by a key that is published, over a text anybody can make", async () => {
    const tenant = await Tenant.create();
    const { note, public_key, origin, tree_size, root_hash, sealed_at } =
      await fetchCheckpoint(tenant);
    const published = await (
      await exports.default.fetch(new Request("https://idp.test/v1/audit/keys"))
    ).json<{ keys: object[] }>();
    expect(published.keys).toEqual([
      { version: 1, algorithm: "Ed25519", public_key, current: true },
    ]);
    const body = `${origin}\n${tree_size}\n${base64.encode(hex.decode(root_hash))}\nsealed_at ${sealed_at}\n`;
    expect(origin).toBe(`edge-idp/audit/${tenant.id}`);
    const [text, line] = note.split("\n\n");
    expect(`${text}\n`).toBe(body);
    const blob = base64.decode(line.trimEnd().split(" ")[2]);
    const raw = new Uint8Array(base64.decode(public_key));
    const named = new TextEncoder().encode(`${origin}\n`);
    const hashed = await crypto.subtle.digest("SHA-256", new Uint8Array([...named, 1, ...raw]));
    expect(blob.slice(0, 4)).toEqual(new Uint8Array(hashed).slice(0, 4));
    const key = await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
    const signature = new Uint8Array(blob.slice(4));
    const message = new TextEncoder().encode(body);
    expect(await crypto.subtle.verify("Ed25519", key, signature, message)).toBe(true);
  });

  it("is the one that there is while new events cannot be sealed", async () => {
    const tenant = await Tenant.create();
    const before = await fetchCheckpoint(tenant);
    const user = await User.provision(tenant);
    await sql("UPDATE audit_events SET at = 1 WHERE target_id = ?", user.id);
    expect(await fetchCheckpoint(tenant)).toEqual(before);
    const [event] = await user.events();
    const proof = await tenant.send("GET", `/v1/audit/events/${event.id}/proof`);
    expect(proof.status).toBe(503);
    expect(proof.body.code).toBe("unavailable");
  });

  it("is not found where nothing was ever filed", async () => {
    const tenant = await Tenant.create();
    await sql("DELETE FROM audit_events WHERE tenant_id = ?", tenant.id);
    for (const path of ["checkpoint", "export", "consistency?from=1"]) {
      expect((await tenant.send("GET", `/v1/audit/${path}`)).status).toBe(404);
    }
  });

  it("is unavailable, not wrong, before there is any", async () => {
    const tenant = await Tenant.create();
    await sql("UPDATE audit_events SET at = 1 WHERE tenant_id = ?", tenant.id);
    for (const path of ["checkpoint", "export", "consistency?from=1"]) {
      expect((await tenant.send("GET", `/v1/audit/${path}`)).status).toBe(503);
    }
  });
});

describe("A proof", () => {
  it("leads from every event to the signed root", async () => {
    const tenant = await tenantWith(300);
    const lines = await fetchExport(tenant);
    for (const { id, leaf_index, leaf_hash } of [...lines.slice(0, 5), ...lines.slice(250, 262)]) {
      const { body } = await tenant.send("GET", `/v1/audit/events/${id}/proof`);
      const { proof, checkpoint } = body;
      expect(proof).toMatchObject({ event_id: id, leaf_index, leaf_hash, tree_size: 302 });
      const isProven = verifyInclusion({
        leaf: hex.decode(proof.leaf_hash),
        index: proof.leaf_index,
        size: proof.tree_size,
        proof: proof.hashes.map(hex.decode),
        root: hex.decode(checkpoint.root_hash),
      });
      expect(isProven).toBe(true);
    }
  });

  it("shows that an older head is a beginning of a newer one", async () => {
    const tenant = await tenantWith(255);
    const heads = [await fetchCheckpoint(tenant)];
    for (const more of [1, 30, 400]) {
      const at = Date.now();
      await fileEvents(
        tenant.id,
        Array.from({ length: more }, (_, n) => eventOf(tenant.id, at + n)),
      );
      heads.push(await fetchCheckpoint(tenant));
    }
    for (const [index, older] of heads.entries()) {
      for (const newer of heads.slice(index)) {
        const query = `from=${older.tree_size}&to=${newer.tree_size}`;
        const { proof } = (await tenant.send("GET", `/v1/audit/consistency?${query}`)).body;
        const isProven = verifyConsistency({
          from: older.tree_size,
          to: newer.tree_size,
          fromRoot: hex.decode(older.root_hash),
          toRoot: hex.decode(newer.root_hash),
          proof: proof.hashes.map(hex.decode),
        });
        expect(isProven).toBe(true);
      }
    }
    const newest = await tenant.send("GET", "/v1/audit/consistency?from=3");
    expect(newest.body.proof).toMatchObject({ from: 3, to: 688 });
  });

  it("is refused for sizes that are none", async () => {
    const tenant = await Tenant.create();
    for (const query of ["", "from=0", "from=3", "from=2&to=1", "from=1&to=3", "from=1&to=x"]) {
      const answer = await tenant.send("GET", `/v1/audit/consistency?${query}`);
      expect(answer.status).toBe(400);
      expect(answer.body.issues[0].path).toMatch(/^(from|to)$/);
    }
  });

  it("of an event that is not there, or another tenant's, is not found", async () => {
    const [tenant, other] = [await Tenant.create(), await Tenant.create()];
    const [line] = await fetchExport(other);
    for (const path of [`${line.id}/proof`, `${line.id}/proof?leaf_index=0`, "x/proof"]) {
      expect((await tenant.send("GET", `/v1/audit/events/${path}`)).status).toBe(404);
    }
  });

  it.each([
    ["no base64", "'%'"],
    ["half a hash", "'AAAA'"],
    ["nothing", "''"],
  ])("is none from a tile of %s", async (_, hashes) => {
    const tenant = await tenantWith(10);
    const [line] = await fetchExport(tenant);
    await sql(`UPDATE audit_tiles SET hashes = ${hashes} WHERE tenant_id = ?`, tenant.id);
    expect((await tenant.send("GET", `/v1/audit/events/${line.id}/proof`)).status).toBe(503);
    expect((await fetchExport(tenant))[0].leaf_hash).toBeNull();
  });

  it("is none from a damaged tree", async () => {
    const tenant = await tenantWith(10);
    const [line] = await fetchExport(tenant);
    await sql("DELETE FROM audit_tiles WHERE tenant_id = ?", tenant.id);
    expect((await tenant.send("GET", `/v1/audit/events/${line.id}/proof`)).status).toBe(503);
    expect((await tenant.send("GET", "/v1/audit/consistency?from=3")).status).toBe(503);
    expect((await fetchExport(tenant))[0].leaf_hash).toBeNull();
  });
});

describe("An export", () => {
  it("is streamed in the order of the log, and goes on from any leaf", async () => {
    const tenant = await tenantWith(4_500);
    const whole = await fetchExport(tenant);
    expect(whole.map(({ leaf_index }) => leaf_index)).toEqual(
      Array.from({ length: 4_502 }, (_, index) => index),
    );
    expect(await fetchExport(tenant, "?from=4000")).toEqual(whole.slice(4_000));
    expect(await fetchExport(tenant, "?from=10&to=12")).toEqual(whole.slice(10, 12));
    expect(await fetchExport(tenant, "?from=4502")).toEqual([]);
    for (const query of ["?from=-1", "?from=1.5", "?to=x", "?limit=1"]) {
      expect((await tenant.send("GET", `/v1/audit/export${query}`)).status).toBe(400);
    }
  });

  it("shows the same events as the list does", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    await tenant.send("POST", "/v1/sentinel/discover", {
      sentinel: { id: user.id, context: { ip: "203.0.113.7", ua: "Peculiar Agent/9" } },
    });
    const listed = await user.events();
    const exported = (await fetchExport(tenant)).map(({ leaf_hash: _, ...event }) => event);
    expect(exported.slice(2).toReversed()).toEqual(listed);
    expect(listed[0].personal).toMatchObject({ address: "203.0.113.7", agent: "Peculiar Agent/9" });
  });

  it("reads a chunk when its reader takes one, and nothing for who takes none", async () => {
    const tenant = await tenantWith(2_500);
    const { tree_size: below } = await fetchCheckpoint(tenant);
    let asked = 0;
    const DB = new Proxy(env.DB, {
      get(database, name) {
        if (name === "prepare") asked += 1;
        const value: unknown = Reflect.get(database, name);
        return typeof value === "function" ? value.bind(database) : value;
      },
    });
    const caller = { tenantId: tenant.id };
    const call = { env: { ...env, DB }, config: requireConfig(env), caller, requestId: "r" };
    const reader = exportTrail(call, { from: 0, below }, (event) => event).getReader();
    const readsAfter = async (work: Promise<unknown>) => {
      await work;
      // Room for whatever would be read ahead.
      await scheduler.wait(50);
      const reads = asked;
      asked = 0;
      return reads;
    };
    expect(await readsAfter(Promise.resolve())).toBe(0);
    const ofOne = await readsAfter(reader.read());
    expect(ofOne).toBeGreaterThan(0);
    expect(await readsAfter(reader.read())).toBe(ofOne);
    expect(await readsAfter(reader.cancel())).toBe(0);
  });

  it("that meets a fault breaks off instead of passing for whole", async () => {
    const tenant = await tenantWith(4_500);
    await fetchCheckpoint(tenant);
    const response = await exports.default.fetch(
      new Request("https://idp.test/v1/audit/export", {
        headers: { Authorization: `Bearer ${tenant.token}` },
      }),
    );
    await env.DB.prepare("ALTER TABLE audit_tiles RENAME TO elsewhere").run();
    await expect(response.text()).rejects.toThrow();
    await env.DB.prepare("ALTER TABLE elsewhere RENAME TO audit_tiles").run();
  });
});

describe("A filter that no index serves", () => {
  it("looks at a bounded number of events a page, and goes on from there", async () => {
    const tenant = await Tenant.create();
    for (let n = 0; n < 11; n += 1) {
      const at = Date.now();
      await fileEvents(
        tenant.id,
        Array.from({ length: 2_000 }, (_, m) => eventOf(tenant.id, at + m)),
      );
    }
    const ask = async (query: string) =>
      (await tenant.send("GET", `/v1/audit/events?action=tenant.created${query}`)).body;
    const first = await ask("");
    expect(first).toMatchObject({ events: [], has_more: true });
    const second = await ask(`&after=${first.next_after}`);
    expect(second.events).toHaveLength(1);
    expect(second).toMatchObject({ has_more: false, next_after: null });
  });
});

describe("The filter by name", () => {
  it("is bounded too: what an erased namesake left costs no more than a page may", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    const target = { type: "identity", id: user.id } as const;
    for (let n = 0; n < 11; n += 1) {
      const at = Date.now() + 1_000 * (n + 1);
      await fileEvents(
        tenant.id,
        Array.from({ length: 2_000 }, (_, m) => ({ ...eventOf(tenant.id, at + m), target })),
      );
    }
    const path = `/v1/audit/events?externalUserId=${user.externalId}`;
    const first = (await tenant.send("GET", path)).body;
    expect(first).toMatchObject({ events: [], has_more: true });
    const second = (await tenant.send("GET", `${path}&after=${first.next_after}`)).body;
    expect(second).toMatchObject({
      events: [{ action: "user.provisioned" }],
      has_more: false,
    });
  });
});

describe("Personal parts", () => {
  async function logOf(tenant: Tenant) {
    const { status, body } = await tenant.send("GET", "/v1/audit/events?limit=100");
    expect(status).toBe(200);
    return body.events;
  }

  it("that somebody altered are gone, and cost no other event anything", async () => {
    const tenant = await Tenant.create();
    const [one, two] = [await User.provision(tenant), await User.provision(tenant)];
    await sql(
      "UPDATE identities SET state = json_set(state, '$.auditKey.sealed', '1.AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAA') WHERE id = ?",
      one.id,
    );
    expect(await logOf(tenant)).toMatchObject([
      { target: { id: two.id, external_id: two.externalId }, erased: false },
      { target: { id: one.id, external_id: null }, personal: null, erased: false },
      {},
      {},
    ]);
    expect(await fetchExport(tenant)).toHaveLength(4);
  });

  it("are not readable, and said to be so, while the key that sealed theirs is missing", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    await sql(
      "UPDATE identities SET state = json_set(state, '$.auditKey.sealed', '7.AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAA') WHERE id = ?",
      user.id,
    );
    const answer = await tenant.send("GET", "/v1/audit/events");
    expect(answer.status).toBe(503);
    expect(answer.body.code).toBe("unavailable");
  });

  it("of an event that an earlier build left in an outbox are sealed like any", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    const { personal: _, ...event } = eventOf(tenant.id, Date.now());
    const earlier = {
      ...event,
      target: { type: "identity", id: user.id, externalId: user.externalId },
    };
    await runInDurableObject(guardOf(user), (_guard, { storage }) => {
      storage.sql.exec(
        "INSERT INTO outbox (dispatch) VALUES (?)",
        JSON.stringify({ events: [earlier] }),
      );
    });
    const [newest] = await user.events();
    expect(newest.target).toEqual({
      type: "identity",
      id: user.id,
      external_id: user.externalId,
    });
    expect(await fetchExport(tenant)).toHaveLength(4);
  });

  it("stay readable when the service's sealing key rotates, and need the old one no more", async () => {
    const owner = { tenantId: "0".repeat(24), identityId: "1".repeat(24) };
    const { sealingKeys: before } = requireConfig(env);
    const after = requireConfig({
      ...env,
      SEALING_KEYS: `${env.SEALING_KEYS},2:${btoa("sealing key two, thirty-two byte")}`,
    }).sealingKeys;
    const key = await createAuditKey(before, owner);
    expect(await renewAuditKey(before, owner, key)).toBe(key);
    const sealed = await sealParts(await openAuditKey(before, owner, key), owner, {
      external_id: "someone",
    });
    const renewed = await renewAuditKey(after, owner, key);
    expect(renewed).toMatchObject({ id: key.id, sealed: expect.stringMatching(/^2\./) });
    const onlyNew = { newest: 2, keys: new Map([...after.keys].filter(([n]) => n === 2)) };
    const opened = await openAuditKey(onlyNew, owner, renewed);
    expect(await openParts(opened, owner, sealed)).toMatchObject({ external_id: "someone" });
  });
});
