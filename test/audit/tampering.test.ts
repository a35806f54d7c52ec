/**
 * An attacker can write to D1, but has no key. Each test attacks the trail in SQL, and `edge-idp audit verify`
 * finds the attack in the API's answers.
 */
import { env } from "cloudflare:workers";
import { base64, hex } from "@scure/base";
import { describe, expect, it, vi } from "vitest";
import type { StoredEvent } from "../../src/audit/event.ts";
import { encodeLeaf, leafOf } from "../../src/audit/leaf.ts";
import { readEvents } from "../../src/audit/store.ts";
import { hashLeaf } from "../../src/audit/tree/merkle.ts";
import { formatBody, formatNote, originOf, parseNote } from "../../src/audit/tree/note.ts";
import { appendLeaves } from "../../src/audit/tree/tiles.ts";
import { formatUnfinishedTiles } from "../../src/audit/tree/unfinished-tiles.ts";
import { formatPublicKey, signingKeyOf } from "../../src/crypto/signing.ts";
import { findTenantDb } from "../../src/db/shards.ts";
import { Tenant, User } from "../support/client.ts";
import {
  problemsOf,
  saveCheckpoint,
  saveKeys,
  saveTrail,
  verifySavedTrail,
} from "../support/saved-trail.ts";

/** Runs one statement, as an attacker with write access does. */
async function runSql(query: string, ...values: unknown[]): Promise<void> {
  await env.DB.prepare(query)
    .bind(...values)
    .run();
}

/** Creates an integrated trail: 0 tenant, 1 token, 2 user, 3 TOTP, 4 to 7 codes, 8 another user. */
async function createTrail() {
  const tenant = await Tenant.create();
  const user = await User.withTotp(tenant);
  const wrong = user.wrongCode(Date.now());
  for (let n = 0; n < 3; n += 1) await user.verify(wrong);
  await user.verify(user.code(Date.now()));
  await user.events();
  const other = await User.provision(tenant);
  await other.events();
  const saved = await saveTrail(tenant);
  expect(await verifySavedTrail(saved)).toMatchObject({ ok: true, problems: [], leaves: 9 });
  return { tenant, user, other, older: saved.checkpoint, leaves: 9 };
}

/** Adds `by` to all leaf indexes from `from` on, by way of indexes that are free. */
async function shift(tenant: Tenant, from: number, by: number): Promise<void> {
  const far = 1_000_000;
  const where = "WHERE tenant_id = ? AND leaf_index";
  await runSql(
    `UPDATE audit_events SET leaf_index = leaf_index + ? ${where} >= ?`,
    far,
    tenant.id,
    from,
  );
  await runSql(
    `UPDATE audit_events SET leaf_index = leaf_index - ? ${where} >= ?`,
    far - by,
    tenant.id,
    far,
  );
}

describe("An altered event", () => {
  const edits = [
    ["its action", "action = 'otp.removed'"],
    ["its outcome", "outcome = 'success'"],
    ["its reason", "reason = NULL"],
    ["its time", "at = at + 1"],
    ["its actor", "actor_id = '000000000000000000000000'"],
    ["its target", "target_id = '000000000000000000000000'"],
    ["the type of its target", "target_type = 'tenant'"],
    ["its request", "request_id = 'another'"],
    ["its details", "details = json_set(details, '$.failed_attempts', 0)"],
    ["its id", "id = '000000000000000000000000'"],
    ["the digest of its personal parts", `personal_digest = '${"0".repeat(64)}'`],
    [
      "the presence of its personal parts",
      "personal = NULL, personal_digest = NULL, personal_key = NULL",
    ],
  ] as const;
  for (const [what, change] of edits) {
    it(`is found after a change of ${what}`, async () => {
      const { tenant } = await createTrail();
      await runSql(
        `UPDATE audit_events SET ${change} WHERE tenant_id = ? AND leaf_index = 5`,
        tenant.id,
      );
      expect(await problemsOf(await saveTrail(tenant))).toEqual(["changed 5: leaf 5 was changed"]);
    });
  }

  it("is found when its personal parts were made unreadable", async () => {
    const { tenant } = await createTrail();
    const which = "WHERE tenant_id = ? AND leaf_index";
    await runSql(
      `UPDATE audit_events SET personal = (SELECT personal FROM audit_events ${which} = 2) ${which} = 5`,
      tenant.id,
      tenant.id,
    );
    await runSql(`UPDATE audit_events SET personal = 'noise' ${which} = 6`, tenant.id);
    const problem = "its personal parts were changed and open no more";
    expect(await problemsOf(await saveTrail(tenant))).toEqual([
      `personal 5: leaf 5: ${problem}`,
      `personal 6: leaf 6: ${problem}`,
    ]);
  });

  it("is found when its personal parts look erased, but no user was erased", async () => {
    const { tenant, other } = await createTrail();
    await runSql(
      "UPDATE audit_events SET personal_key = 'another' WHERE tenant_id = ? AND leaf_index = 4",
      tenant.id,
    );
    await runSql(
      "UPDATE identities SET state = json_remove(state, '$.auditKey') WHERE tenant_id = ? AND id = ?",
      tenant.id,
      other.id,
    );
    const problem =
      "its personal parts are gone, and no erasure follows (if the user was erased just now, take checkpoint and export again)";
    expect(await problemsOf(await saveTrail(tenant))).toEqual([
      `personal 4: leaf 4: ${problem}`,
      `personal 8: leaf 8: ${problem}`,
    ]);
  });

  it("is distinguished from a damaged tree", async () => {
    const { tenant } = await createTrail();
    const row = await env.DB.prepare(
      "SELECT unfinished_tiles ->> 0 AS hashes FROM audit_trees WHERE tenant_id = ?",
    )
      .bind(tenant.id)
      .first<{ hashes: string }>();
    const hashes = base64.decode(row?.hashes ?? "");
    hashes[5 * 32] = (hashes[5 * 32] ?? 0) ^ 1;
    const set = "UPDATE audit_trees SET unfinished_tiles = json_array(?) WHERE tenant_id = ?";
    await runSql(set, base64.encode(hashes), tenant.id);
    expect(await problemsOf(await saveTrail(tenant))).toEqual([
      "tree 5: leaf 5 is as it was signed, but the tree has another hash for it",
    ]);
    await runSql(set, base64.encode(hashes.subarray(0, 8 * 32)), tenant.id);
    expect((await problemsOf(await saveTrail(tenant))).at(-1)).toBe(
      "tree 8: leaf 8: the tree has no hash for it",
    );
  });
});

describe("A deleted event", () => {
  it("is found in the middle", async () => {
    const { tenant } = await createTrail();
    await runSql(
      "DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index IN (4, 5)",
      tenant.id,
    );
    expect(await problemsOf(await saveTrail(tenant))).toEqual([
      "missing 4: leaves 4 to 5 are missing",
    ]);
  });

  it("is found at the beginning", async () => {
    const { tenant } = await createTrail();
    await runSql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index = 0", tenant.id);
    expect(await problemsOf(await saveTrail(tenant))).toEqual([
      "missing 0: leaf 0 is missing; only an export from leaf 0 on can be verified",
    ]);
  });

  it("is found when the gap was closed", async () => {
    const { tenant } = await createTrail();
    await runSql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index = 5", tenant.id);
    await shift(tenant, 6, -1);
    expect(await problemsOf(await saveTrail(tenant))).toEqual([
      "moved 5: leaf 5 was moved: it holds what belongs to leaf 6",
      "moved 6: leaf 6 was moved: it holds what belongs to leaf 7",
      // The export has no leaf 8, so its hash cannot be recognized in leaf 7.
      "changed 7: leaf 7 was changed",
      "missing 8: leaf 8 is missing (or the export is incomplete: request the rest with from=8)",
    ]);
  });

  it("is found at the end, also after further events", async () => {
    const { tenant } = await createTrail();
    await runSql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index >= 7", tenant.id);
    expect(await problemsOf(await saveTrail(tenant))).toEqual([
      "missing 7: leaves 7 to 8 are missing (or the export is incomplete: request the rest with from=7)",
    ]);
    await (await User.provision(tenant)).events();
    expect(await problemsOf(await saveTrail(tenant))).toEqual([
      "missing 7: leaves 7 to 8 are missing",
    ]);
  });
});

describe("A moved event", () => {
  it("is found when two events were swapped", async () => {
    const { tenant } = await createTrail();
    await runSql(
      `UPDATE audit_events SET leaf_index = leaf_index + 1000 WHERE tenant_id = ? AND leaf_index IN (3, 6)`,
      tenant.id,
    );
    await runSql(
      `UPDATE audit_events SET leaf_index = 1009 - leaf_index WHERE tenant_id = ? AND leaf_index > 1000`,
      tenant.id,
    );
    expect(await problemsOf(await saveTrail(tenant))).toEqual([
      "moved 3: leaf 3 was moved: it holds what belongs to leaf 6",
      "moved 6: leaf 6 was moved: it holds what belongs to leaf 3",
    ]);
  });
});

describe("An inserted event", () => {
  const columns = `id, at, actor_type, actor_id, action, target_type, target_id, personal_key,
    personal, personal_digest, outcome, reason, request_id, details, stamp`;

  /** Copies an event, with another id, to a free leaf index of the same or another log. */
  async function copyEvent(
    from: Tenant,
    leaf: number,
    to: Tenant,
    leafIndex: number,
    id = "f".repeat(24),
  ) {
    await runSql(
      `INSERT INTO audit_events (tenant_id, leaf_index, ${columns})
        SELECT ?, ?, ${columns.replace("id", "?")} FROM audit_events WHERE tenant_id = ? AND leaf_index = ?`,
      to.id,
      leafIndex,
      id,
      from.id,
      leaf,
    );
  }

  it("is found in the middle", async () => {
    const { tenant } = await createTrail();
    await shift(tenant, 6, 1);
    await copyEvent(tenant, 3, tenant, 6);
    expect(await problemsOf(await saveTrail(tenant))).toEqual([
      "changed 6: leaf 6 was changed",
      "moved 7: leaf 7 was moved: it holds what belongs to leaf 6",
      "moved 8: leaf 8 was moved: it holds what belongs to leaf 7",
    ]);
  });

  it("at the end of the log stops the integration there, and the service reports it", async () => {
    const { tenant, leaves } = await createTrail();
    const errors = vi.spyOn(console, "error").mockImplementation(() => {});
    await copyEvent(tenant, 5, tenant, leaves);
    const before = await saveCheckpoint(tenant);
    await (await User.provision(tenant)).events();
    const saved = await saveTrail(tenant);
    expect(errors.mock.calls.join("\n")).toContain("audit_event_forged");
    errors.mockRestore();
    expect(saved.checkpoint).toBe(before);
    expect(await verifySavedTrail(saved)).toMatchObject({ ok: true, leaves });
    expect((await tenant.send("GET", "/v1/audit/events?limit=100")).body.events).toHaveLength(
      leaves + 2,
    );
    // The integration continues after the forgery is removed and the gap is closed.
    await runSql(
      "DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index = ?",
      tenant.id,
      leaves,
    );
    await shift(tenant, leaves + 1, -1);
    expect(await verifySavedTrail(await saveTrail(tenant, { older: before }))).toMatchObject({
      ok: true,
      leaves: leaves + 1,
    });
  });

  it("that comes with its stamp from another tenant is not integrated", async () => {
    const { tenant, leaves } = await createTrail();
    const { tenant: another } = await createTrail();
    const id = (await another.send("GET", "/v1/audit/events?limit=1")).body.events[0].id;
    vi.spyOn(console, "error").mockImplementation(() => {});
    await copyEvent(another, 8, tenant, leaves, id);
    expect(parseNote(JSON.parse(await saveCheckpoint(tenant)).checkpoint.note)?.size).toBe(leaves);
    vi.restoreAllMocks();
  });

  it("from another tenant is found when it replaces an integrated event", async () => {
    const { tenant } = await createTrail();
    const { tenant: another } = await createTrail();
    await runSql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index = 6", tenant.id);
    await copyEvent(another, 6, tenant, 6);
    expect(await problemsOf(await saveTrail(tenant))).toEqual(["changed 6: leaf 6 was changed"]);
  });
});

describe("A history rewritten with fresh hashes", () => {
  /** Changes an event and recomputes all tiles. @returns the new root and size */
  async function rewrite(tenant: Tenant, leaf: number) {
    await runSql(
      "UPDATE audit_events SET request_id = 'another' WHERE tenant_id = ? AND leaf_index = ?",
      tenant.id,
      leaf,
    );
    const events: StoredEvent[] = await readEvents(
      await findTenantDb(env, tenant.id),
      tenant.id,
      0,
      1_000,
      1_000,
    );
    const hashes = events.map((event) => hashLeaf(encodeLeaf(leafOf(event))));
    const { root, changed } = appendLeaves([], 0, hashes);
    const unfinished = formatUnfinishedTiles(changed, hashes.length);
    await runSql(
      "UPDATE audit_trees SET unfinished_tiles = ? WHERE tenant_id = ?",
      unfinished,
      tenant.id,
    );
    return { root, size: hashes.length };
  }

  const rewritten =
    "the tree under this export is not the signed one: history was rewritten with fresh hashes";

  it("is found by the signature, which the attacker cannot renew", async () => {
    const { tenant, older } = await createTrail();
    await rewrite(tenant, 5);
    const saved = await saveTrail(tenant);
    expect(await problemsOf(saved)).toEqual([`rewritten -: ${rewritten}`]);
    expect(await problemsOf({ ...saved, older })).toEqual([
      `rewritten -: ${rewritten}; already the first 9 leaves are not those of the older checkpoint`,
    ]);
  });

  it("is reported as later than an older checkpoint that still matches", async () => {
    const { tenant, older } = await createTrail();
    for (let n = 0; n < 3; n += 1) await (await User.provision(tenant)).events();
    await saveCheckpoint(tenant);
    await rewrite(tenant, 10);
    expect(await problemsOf(await saveTrail(tenant, { older }))).toEqual([
      `rewritten -: ${rewritten}; the first 9 leaves are still those of the older checkpoint`,
    ]);
  });

  it("stops the integration of further events", async () => {
    const { tenant, leaves } = await createTrail();
    await rewrite(tenant, 5);
    const errors = vi.spyOn(console, "error").mockImplementation(() => {});
    await (await User.provision(tenant)).events();
    const { checkpoint } = JSON.parse(await saveCheckpoint(tenant));
    expect(checkpoint.tree_size).toBe(leaves);
    expect(errors.mock.calls.join("\n")).toContain("audit_tree_damaged");
    errors.mockRestore();
  });

  it("is found under the attacker's own key, by saved keys or an older checkpoint", async () => {
    const { tenant, older } = await createTrail();
    const keys = await saveKeys(tenant);
    const { root, size } = await rewrite(tenant, 5);
    const honest = await saveTrail(tenant);
    const { publicKey, sign } = await signingKeyOf(crypto.getRandomValues(new Uint8Array(32)));
    const head = { origin: originOf(tenant.id), size, root, signedAt: Date.now() };
    const note = formatNote(head, publicKey, await sign(formatBody(head)));
    const text = formatPublicKey(publicKey);
    // The service returns no head that it did not sign, so the attacker must provide the file.
    await runSql("UPDATE audit_trees SET note = ? WHERE tenant_id = ?", note, tenant.id);
    expect((await tenant.send("GET", "/v1/audit/checkpoint")).status).toBe(503);
    const checkpointWith = (public_key: string) =>
      JSON.stringify({ ...JSON.parse(honest.checkpoint).checkpoint, ...shown, note, public_key });
    const shown = { root_hash: hex.encode(root), sealed_at: new Date(head.signedAt).toISOString() };
    const saved = { ...honest, checkpoint: checkpointWith(text) };
    // Without an earlier file only the key differs. The verifier prints it for comparison.
    expect(await verifySavedTrail(saved)).toMatchObject({ ok: true, newest: { publicKey: text } });
    expect(await problemsOf({ ...saved, keys })).toEqual([
      `key -: the checkpoint is signed by a key that is not among --keys: ${text}`,
    ]);
    expect(await problemsOf({ ...saved, older })).toEqual([
      "rewritten -: the first 9 leaves are not those of the older checkpoint: history was rewritten and signed anew",
      "key -: the older checkpoint is signed by another key; if the service has changed its key, say with --keys which ones are its own",
    ]);
    // Under the public key of the service the attacker's signature is invalid.
    const service = checkpointWith(JSON.parse(older).checkpoint.public_key);
    expect(await problemsOf({ ...honest, checkpoint: service })).toEqual([
      "checkpoint -: the checkpoint is not signed by the key that it names",
    ]);
  });
});

describe("A log that was restarted", () => {
  async function deleteTree(tenant: Tenant): Promise<void> {
    await runSql("DELETE FROM audit_trees WHERE tenant_id = ?", tenant.id);
    await runSql("DELETE FROM audit_tiles WHERE tenant_id = ?", tenant.id);
  }

  it("is found by an older checkpoint when its end was cut off", async () => {
    const { tenant, older } = await createTrail();
    await runSql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index >= 6", tenant.id);
    await deleteTree(tenant);
    const saved = await saveTrail(tenant);
    expect(await verifySavedTrail(saved)).toMatchObject({ ok: true, leaves: 6 });
    expect(await problemsOf({ ...saved, older })).toEqual([
      "checkpoint -: the older checkpoint covers 9 leaves and the newer one 6: the log was cut, or the two files are the wrong way round",
    ]);
    for (let n = 0; n < 4; n += 1) await (await User.provision(tenant)).events();
    expect(await problemsOf(await saveTrail(tenant, { older }))).toEqual([
      "rewritten -: the first 9 leaves are not those of the older checkpoint: history was rewritten and signed anew",
    ]);
  });

  it("is found by an older checkpoint when an event was removed and the gap closed", async () => {
    const { tenant, older } = await createTrail();
    await runSql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index = 5", tenant.id);
    await shift(tenant, 6, -1);
    await deleteTree(tenant);
    await (await User.provision(tenant)).events();
    const saved = await saveTrail(tenant);
    expect(await verifySavedTrail(saved)).toMatchObject({ ok: true, leaves: 9 });
    expect(await problemsOf({ ...saved, older })).toEqual([
      "rewritten -: the first 9 leaves are not those of the older checkpoint: history was rewritten and signed anew",
    ]);
  });
});

describe("A log that was reset to an earlier head", () => {
  it("is found by a checkpoint that was saved in between", async () => {
    const { tenant, leaves } = await createTrail();
    const row = await env.DB.prepare("SELECT * FROM audit_trees WHERE tenant_id = ?")
      .bind(tenant.id)
      .first<{ size: number; note: string; unfinished_tiles: string }>();
    for (let n = 0; n < 3; n += 1) await (await User.provision(tenant)).events();
    const between = await saveCheckpoint(tenant);
    const back =
      "UPDATE audit_trees SET size = ?, note = ?, unfinished_tiles = ? WHERE tenant_id = ?";
    await runSql(back, row?.size, row?.note, row?.unfinished_tiles, tenant.id);
    await runSql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index = 10", tenant.id);
    await shift(tenant, 11, -1);
    await (await User.provision(tenant)).events();
    const saved = await saveTrail(tenant);
    expect(await verifySavedTrail(saved)).toMatchObject({ ok: true, leaves: leaves + 3 });
    expect(await problemsOf({ ...saved, older: between })).toEqual([
      "rewritten -: the first 12 leaves are not those of the older checkpoint: history was rewritten and signed anew",
    ]);
  });
});

describe("An erasure", () => {
  it("leaves the trail verifiable, also after the user is provisioned again", async () => {
    const { tenant, user, older } = await createTrail();
    const before = await saveTrail(tenant);
    expect((await tenant.send("DELETE", user.path())).status).toBe(204);
    const after = await saveTrail(tenant, { older, keys: await saveKeys(tenant) });
    expect(await verifySavedTrail(after)).toMatchObject({ ok: true, leaves: 10 });
    expect(after.exported).not.toContain(user.externalId);
    expect(await verifySavedTrail({ ...before, checkpoint: older })).toMatchObject({ ok: true });
    const again = await User.withTotp(tenant, user.externalId);
    await again.events();
    expect(
      await verifySavedTrail(await saveTrail(tenant, { older: after.checkpoint })),
    ).toMatchObject({
      ok: true,
    });
  });

  it("does not excuse later events", async () => {
    const { tenant, user } = await createTrail();
    await tenant.send("DELETE", user.path());
    await (await User.provision(tenant, user.externalId)).events();
    await runSql(
      "UPDATE audit_events SET personal_key = 'another' WHERE tenant_id = ? AND leaf_index = 10",
      tenant.id,
    );
    expect((await verifySavedTrail(await saveTrail(tenant))).problems).toMatchObject([
      { kind: "personal", leaf: 10 },
    ]);
  });
});
