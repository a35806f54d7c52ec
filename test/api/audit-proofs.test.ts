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
import { verifyConsistency, verifyInclusion } from "../../src/audit/tree/verify-proof.ts";
import { requireConfig } from "../../src/env.ts";
import { Tenant, User } from "../support/client.ts";
import { evict, guardOf } from "../support/guard.ts";
import { eventOf, fetchCheckpoint, fetchExport, fileEvents, sql } from "../support/trail.ts";

async function createTenantWithEvents(count: number): Promise<Tenant> {
  const tenant = await Tenant.create();
  const at = Date.now();
  await fileEvents(
    tenant.id,
    Array.from({ length: count }, (_, n) => eventOf(tenant.id, at + n)),
  );
  return tenant;
}

describe("A checkpoint", () => {
  it("covers events from just before the request", async () => {
    const tenant = await Tenant.create();
    expect((await fetchCheckpoint(tenant)).tree_size).toBe(2);
    await User.provision(tenant);
    expect((await fetchCheckpoint(tenant)).tree_size).toBe(3);
    const { body } = await tenant.send("GET", "/v1/audit/checkpoint");
    expect(body.sealed_within_seconds).toBe(60);
  });

  it("is signed with a published key over a text that anyone can reconstruct", async () => {
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

  it("stays the last signed one while new events cannot be integrated", async () => {
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

  it("is not found if no event was ever filed", async () => {
    for (const path of ["checkpoint", "export", "consistency?from=1"]) {
      // The refusal is filed soon after the answer, so each route gets its own tenant.
      const tenant = await Tenant.create();
      await sql("DELETE FROM audit_events WHERE tenant_id = ?", tenant.id);
      expect((await tenant.send("GET", `/v1/audit/${path}`)).status).toBe(404);
    }
  });

  it("is unavailable, not wrong, before the first one is signed", async () => {
    const tenant = await Tenant.create();
    await sql("UPDATE audit_events SET at = 1 WHERE tenant_id = ?", tenant.id);
    for (const path of ["checkpoint", "export", "consistency?from=1"]) {
      expect((await tenant.send("GET", `/v1/audit/${path}`)).status).toBe(503);
    }
  });
});

describe("A proof", () => {
  it("leads from every event to the signed root", async () => {
    const tenant = await createTenantWithEvents(300);
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

  it("shows that a newer tree extends an older one", async () => {
    const tenant = await createTenantWithEvents(255);
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

  it("is rejected for an invalid tree size", async () => {
    const tenant = await Tenant.create();
    for (const query of ["", "from=0", "from=3", "from=2&to=1", "from=1&to=3", "from=1&to=x"]) {
      const answer = await tenant.send("GET", `/v1/audit/consistency?${query}`);
      expect(answer.status).toBe(400);
      expect(answer.body.issues[0].path).toMatch(/^(from|to)$/);
    }
  });

  it("of an event that does not exist or belongs to another tenant is not found", async () => {
    const [tenant, other] = [await Tenant.create(), await Tenant.create()];
    const [line] = await fetchExport(other);
    for (const path of [`${line.id}/proof`, `${line.id}/proof?leaf_index=0`, "x/proof"]) {
      expect((await tenant.send("GET", `/v1/audit/events/${path}`)).status).toBe(404);
    }
  });

  it.each([
    ["an unfinished tile", "invalid base64", "audit_trees", "unfinished_tiles", "json_array('%')"],
    ["an unfinished tile", "half a hash", "audit_trees", "unfinished_tiles", "json_array('AAAA')"],
    ["an unfinished tile", "nothing", "audit_trees", "unfinished_tiles", "json_array('')"],
    ["an unfinished tile", "no JSON", "audit_trees", "unfinished_tiles", "'['"],
    ["a full tile", "invalid base64", "audit_tiles", "hashes", "'%'"],
    ["a full tile", "half a hash", "audit_tiles", "hashes", "'AAAA'"],
    ["a full tile", "nothing", "audit_tiles", "hashes", "''"],
  ])("is unavailable from %s that contains %s", async (tile, _what, table, column, value) => {
    const tenant = await createTenantWithEvents(tile === "a full tile" ? 300 : 10);
    const [line] = await fetchExport(tenant);
    await sql(`UPDATE ${table} SET ${column} = ${value} WHERE tenant_id = ?`, tenant.id);
    expect((await tenant.send("GET", `/v1/audit/events/${line.id}/proof`)).status).toBe(503);
    expect((await fetchExport(tenant))[0].leaf_hash).toBeNull();
  });

  it("is unavailable from a damaged tree", async () => {
    const tenant = await createTenantWithEvents(10);
    const [line] = await fetchExport(tenant);
    await sql("UPDATE audit_trees SET unfinished_tiles = NULL WHERE tenant_id = ?", tenant.id);
    expect((await tenant.send("GET", `/v1/audit/events/${line.id}/proof`)).status).toBe(503);
    expect((await tenant.send("GET", "/v1/audit/consistency?from=3")).status).toBe(503);
    expect((await fetchExport(tenant))[0].leaf_hash).toBeNull();
  });
});

describe("An export", () => {
  it("is streamed in the order of the log, and can start at any leaf", async () => {
    const tenant = await createTenantWithEvents(4_500);
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

  it("contains the same events as the list", async () => {
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

  it("that meets a fault breaks off instead of looking complete", async () => {
    const tenant = await createTenantWithEvents(4_500);
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
  it("reads a bounded number of events per page, and the next page continues from there", async () => {
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
  it("is bounded too, so that an erased user of that name costs no more than a page", async () => {
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
  async function listEvents(tenant: Tenant) {
    const { status, body } = await tenant.send("GET", "/v1/audit/events?limit=100");
    expect(status).toBe(200);
    return body.events;
  }

  it("that were altered become unreadable, and other events are not affected", async () => {
    const tenant = await Tenant.create();
    const [one, two] = [await User.provision(tenant), await User.provision(tenant)];
    await sql(
      "UPDATE identities SET state = json_set(state, '$.auditKey.sealed', '1.AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAA') WHERE id = ?",
      one.id,
    );
    expect(await listEvents(tenant)).toMatchObject([
      { target: { id: two.id, external_id: two.externalId }, erased: false },
      { target: { id: one.id, external_id: null }, personal: null, erased: false },
      {},
      {},
    ]);
    expect(await fetchExport(tenant)).toHaveLength(4);
  });

  it("are reported as unavailable while the key that sealed their audit key is missing", async () => {
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

  it("of an event that an earlier build left in an outbox are sealed like others", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    const { personal: _, ...event } = eventOf(tenant.id, Date.now());
    const earlier = {
      ...event,
      target: { type: "identity", id: user.id, externalId: user.externalId },
    };
    await runInDurableObject(guardOf(user), (_guard, { storage }) => {
      storage.sql.exec("CREATE TABLE outbox (seq INTEGER PRIMARY KEY, dispatch TEXT NOT NULL)");
      storage.sql.exec(
        "INSERT INTO outbox (dispatch) VALUES (?)",
        JSON.stringify({ events: [earlier] }),
      );
    });
    await evict(user);
    const [newest] = await user.events();
    expect(newest.target).toEqual({
      type: "identity",
      id: user.id,
      external_id: user.externalId,
    });
    expect(await fetchExport(tenant)).toHaveLength(4);
  });

  it("stay readable when the sealing key rotates, and no longer need the old key", async () => {
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
