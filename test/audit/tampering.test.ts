/**
 * What somebody can do to the trail who can write to D1, and has no key: each attack is carried out in
 * SQL, and found by `npm run audit:verify` in what the API gives out afterwards.
 */
import { env } from "cloudflare:workers";
import { base64, hex } from "@scure/base";
import { describe, expect, it, vi } from "vitest";
import type { StoredEvent } from "../../src/audit/event.ts";
import { encodeLeaf, leafOf } from "../../src/audit/leaf.ts";
import { readEvents } from "../../src/audit/store.ts";
import { hashLeaf } from "../../src/audit/tree/merkle.ts";
import { formatBody, formatNote, originOf, parseNote } from "../../src/audit/tree/note.ts";
import { appendLeaves, type Tile } from "../../src/audit/tree/tiles.ts";
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

/** One statement as somebody with write access types it. */
async function sql(query: string, ...values: unknown[]): Promise<void> {
  await env.DB.prepare(query)
    .bind(...values)
    .run();
}

/** A tenant with a sealed trail: 0 tenant, 1 token, 2 user, 3 TOTP, 4 to 7 codes, 8 another user. */
async function sealedTrail() {
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

/** Moves leaves from one on by so many places, past each other. */
async function shift(tenant: Tenant, from: number, by: number): Promise<void> {
  const far = 1_000_000;
  const where = "WHERE tenant_id = ? AND leaf_index";
  await sql(
    `UPDATE audit_events SET leaf_index = leaf_index + ? ${where} >= ?`,
    far,
    tenant.id,
    from,
  );
  await sql(
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
    ["the kind of its target", "target_type = 'tenant'"],
    ["its request", "request_id = 'another'"],
    ["its details", "details = json_set(details, '$.failed_attempts', 0)"],
    ["its id", "id = '000000000000000000000000'"],
    ["the digest of its personal parts", `personal_digest = '${"0".repeat(64)}'`],
    ["that it has personal parts", "personal = NULL, personal_digest = NULL, personal_key = NULL"],
  ] as const;
  for (const [what, change] of edits) {
    it(`is found: ${what}`, async () => {
      const { tenant } = await sealedTrail();
      await sql(
        `UPDATE audit_events SET ${change} WHERE tenant_id = ? AND leaf_index = 5`,
        tenant.id,
      );
      expect(await problemsOf(await saveTrail(tenant))).toEqual(["changed 5: leaf 5 was changed"]);
    });
  }

  it("is found where its personal parts were made unreadable", async () => {
    const { tenant } = await sealedTrail();
    const which = "WHERE tenant_id = ? AND leaf_index";
    await sql(
      `UPDATE audit_events SET personal = (SELECT personal FROM audit_events ${which} = 2) ${which} = 5`,
      tenant.id,
      tenant.id,
    );
    await sql(`UPDATE audit_events SET personal = 'noise' ${which} = 6`, tenant.id);
    const told = "its personal parts were changed and open no more";
    expect(await problemsOf(await saveTrail(tenant))).toEqual([
      `personal 5: leaf 5: ${told}`,
      `personal 6: leaf 6: ${told}`,
    ]);
  });

  it("is found where the personal parts look erased, and nobody was", async () => {
    const { tenant, other } = await sealedTrail();
    await sql(
      "UPDATE audit_events SET personal_key = 'another' WHERE tenant_id = ? AND leaf_index = 4",
      tenant.id,
    );
    await sql(
      "UPDATE identities SET state = json_remove(state, '$.auditKey') WHERE tenant_id = ? AND id = ?",
      tenant.id,
      other.id,
    );
    const told =
      "its personal parts are gone, and no erasure follows (if the user was erased just now, take checkpoint and export again)";
    expect(await problemsOf(await saveTrail(tenant))).toEqual([
      `personal 4: leaf 4: ${told}`,
      `personal 8: leaf 8: ${told}`,
    ]);
  });

  it("is told from a damaged tree", async () => {
    const { tenant } = await sealedTrail();
    const row = await env.DB.prepare("SELECT hashes FROM audit_tiles WHERE tenant_id = ?")
      .bind(tenant.id)
      .first<{ hashes: string }>();
    const hashes = base64.decode(row?.hashes ?? "");
    hashes[5 * 32] = (hashes[5 * 32] ?? 0) ^ 1;
    const set = "UPDATE audit_tiles SET hashes = ? WHERE tenant_id = ?";
    await sql(set, base64.encode(hashes), tenant.id);
    expect(await problemsOf(await saveTrail(tenant))).toEqual([
      "tree 5: leaf 5 is as it was signed, but the tree has another hash for it",
    ]);
    await sql(set, base64.encode(hashes.subarray(0, 8 * 32)), tenant.id);
    expect((await problemsOf(await saveTrail(tenant))).at(-1)).toBe(
      "tree 8: leaf 8: the tree has no hash for it",
    );
  });
});

describe("A deleted event", () => {
  it("is found in the middle", async () => {
    const { tenant } = await sealedTrail();
    await sql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index IN (4, 5)", tenant.id);
    expect(await problemsOf(await saveTrail(tenant))).toEqual([
      "missing 4: leaves 4 to 5 are missing",
    ]);
  });

  it("is found at the beginning", async () => {
    const { tenant } = await sealedTrail();
    await sql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index = 0", tenant.id);
    expect(await problemsOf(await saveTrail(tenant))).toEqual([
      "missing 0: leaf 0 is missing; only an export from leaf 0 on can be verified",
    ]);
  });

  it("is found where the gap was closed", async () => {
    const { tenant } = await sealedTrail();
    await sql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index = 5", tenant.id);
    await shift(tenant, 6, -1);
    expect(await problemsOf(await saveTrail(tenant))).toEqual([
      "moved 5: leaf 5 was moved: it holds what belongs to leaf 6",
      "moved 6: leaf 6 was moved: it holds what belongs to leaf 7",
      // What belongs to leaf 8 is no longer in the export to be compared with.
      "changed 7: leaf 7 was changed",
      "missing 8: leaf 8 is missing (or the export was taken before the checkpoint)",
    ]);
  });

  it("is found at the end, also after further events", async () => {
    const { tenant } = await sealedTrail();
    await sql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index >= 7", tenant.id);
    expect(await problemsOf(await saveTrail(tenant))).toEqual([
      "missing 7: leaves 7 to 8 are missing (or the export was taken before the checkpoint)",
    ]);
    await (await User.provision(tenant)).events();
    expect(await problemsOf(await saveTrail(tenant))).toEqual([
      "missing 7: leaves 7 to 8 are missing",
    ]);
  });
});

describe("A moved event", () => {
  it("is found where two were swapped", async () => {
    const { tenant } = await sealedTrail();
    await sql(
      `UPDATE audit_events SET leaf_index = leaf_index + 1000 WHERE tenant_id = ? AND leaf_index IN (3, 6)`,
      tenant.id,
    );
    await sql(
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

  /** A copy of a leaf, with another id, at a free place of the same or another log. */
  async function copy(from: Tenant, leaf: number, to: Tenant, place: number, id = "f".repeat(24)) {
    await sql(
      `INSERT INTO audit_events (tenant_id, leaf_index, ${columns})
        SELECT ?, ?, ${columns.replace("id", "?")} FROM audit_events WHERE tenant_id = ? AND leaf_index = ?`,
      to.id,
      place,
      id,
      from.id,
      leaf,
    );
  }

  it("is found in the middle", async () => {
    const { tenant } = await sealedTrail();
    await shift(tenant, 6, 1);
    await copy(tenant, 3, tenant, 6);
    expect(await problemsOf(await saveTrail(tenant))).toEqual([
      "changed 6: leaf 6 was changed",
      "moved 7: leaf 7 was moved: it holds what belongs to leaf 6",
      "moved 8: leaf 8 was moved: it holds what belongs to leaf 7",
    ]);
  });

  it("is never sealed at the end, nor is anything after it, and the service says so", async () => {
    const { tenant, leaves } = await sealedTrail();
    const errors = vi.spyOn(console, "error").mockImplementation(() => {});
    await copy(tenant, 5, tenant, leaves);
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
    // With the forgery taken out and the gap closed all goes on.
    await sql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index = ?", tenant.id, leaves);
    await shift(tenant, leaves + 1, -1);
    expect(await verifySavedTrail(await saveTrail(tenant, { older: before }))).toMatchObject({
      ok: true,
      leaves: leaves + 1,
    });
  });

  it("is not sealed where it comes from another tenant, stamp and all", async () => {
    const { tenant, leaves } = await sealedTrail();
    const { tenant: another } = await sealedTrail();
    const id = (await another.send("GET", "/v1/audit/events?limit=1")).body.events[0].id;
    vi.spyOn(console, "error").mockImplementation(() => {});
    await copy(another, 8, tenant, leaves, id);
    expect(parseNote(JSON.parse(await saveCheckpoint(tenant)).checkpoint.note)?.size).toBe(leaves);
    vi.restoreAllMocks();
  });

  it("is found where one of another tenant takes a sealed one's place", async () => {
    const { tenant } = await sealedTrail();
    const { tenant: another } = await sealedTrail();
    await sql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index = 6", tenant.id);
    await copy(another, 6, tenant, 6);
    expect(await problemsOf(await saveTrail(tenant))).toEqual(["changed 6: leaf 6 was changed"]);
  });
});

describe("A history rewritten with fresh hashes", () => {
  /** Edits a leaf, then makes all tiles anew; gives the root. */
  async function rewrite(tenant: Tenant, leaf: number) {
    await sql(
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
    await replaceTiles(tenant, changed);
    return { root, size: hashes.length };
  }

  async function replaceTiles(tenant: Tenant, tiles: readonly Tile[]): Promise<void> {
    await sql("DELETE FROM audit_tiles WHERE tenant_id = ?", tenant.id);
    for (const { level, index, hashes } of tiles) {
      const row = [tenant.id, level, index, base64.encode(hashes)];
      await sql(
        'INSERT INTO audit_tiles (tenant_id, level, "index", hashes) VALUES (?, ?, ?, ?)',
        ...row,
      );
    }
  }

  const rewritten =
    "the tree under this export is not the signed one: history was rewritten with fresh hashes";

  it("is found by the signature that nobody can renew", async () => {
    const { tenant, older } = await sealedTrail();
    await rewrite(tenant, 5);
    const saved = await saveTrail(tenant);
    expect(await problemsOf(saved)).toEqual([`rewritten -: ${rewritten}`]);
    expect(await problemsOf({ ...saved, older })).toEqual([
      `rewritten -: ${rewritten}; already the first 9 leaves are not those of the older checkpoint`,
    ]);
  });

  it("is told whether it began before or after the older checkpoint", async () => {
    const { tenant, older } = await sealedTrail();
    for (let n = 0; n < 3; n += 1) await (await User.provision(tenant)).events();
    await saveCheckpoint(tenant);
    await rewrite(tenant, 10);
    expect(await problemsOf(await saveTrail(tenant, { older }))).toEqual([
      `rewritten -: ${rewritten}; the first 9 leaves are still those of the older checkpoint`,
    ]);
  });

  it("is not sealed on by the service", async () => {
    const { tenant, leaves } = await sealedTrail();
    await rewrite(tenant, 5);
    const errors = vi.spyOn(console, "error").mockImplementation(() => {});
    await (await User.provision(tenant)).events();
    const { checkpoint } = JSON.parse(await saveCheckpoint(tenant));
    expect(checkpoint.tree_size).toBe(leaves);
    expect(errors.mock.calls.join("\n")).toContain("audit_tree_damaged");
    errors.mockRestore();
  });

  it("is found under the attacker's own key, by kept keys or an older checkpoint", async () => {
    const { tenant, older } = await sealedTrail();
    const keys = await saveKeys(tenant);
    const { root, size } = await rewrite(tenant, 5);
    const honest = await saveTrail(tenant);
    const { publicKey, sign } = await signingKeyOf(crypto.getRandomValues(new Uint8Array(32)));
    const head = { origin: originOf(tenant.id), size, root, signedAt: Date.now() };
    const note = formatNote(head, publicKey, await sign(formatBody(head)));
    const text = formatPublicKey(publicKey);
    // The service gives out no head that it did not sign, so the attacker must hand the file over.
    await sql("UPDATE audit_trees SET note = ? WHERE tenant_id = ?", note, tenant.id);
    expect((await tenant.send("GET", "/v1/audit/checkpoint")).status).toBe(503);
    const named = (public_key: string) =>
      JSON.stringify({ ...JSON.parse(honest.checkpoint).checkpoint, ...shown, note, public_key });
    const shown = { root_hash: hex.encode(root), sealed_at: new Date(head.signedAt).toISOString() };
    const saved = { ...honest, checkpoint: named(text) };
    // Without anything kept from earlier only the key tells: the verifier shows it to compare.
    expect(await verifySavedTrail(saved)).toMatchObject({ ok: true, newest: { publicKey: text } });
    expect(await problemsOf({ ...saved, keys })).toEqual([
      `key -: the checkpoint is signed by a key that is not among --keys: ${text}`,
    ]);
    expect(await problemsOf({ ...saved, older })).toEqual([
      "rewritten -: the first 9 leaves are not those of the older checkpoint: history was rewritten and signed anew",
      "key -: the older checkpoint is signed by another key; if the service has changed its key, say with --keys which ones are its own",
    ]);
    // Under the public key of the service the attacker's signature is none.
    const service = named(JSON.parse(older).checkpoint.public_key);
    expect(await problemsOf({ ...honest, checkpoint: service })).toEqual([
      "checkpoint -: the checkpoint is not signed by the key that it names",
    ]);
  });
});

describe("A log that was made to begin anew", () => {
  async function forget(tenant: Tenant): Promise<void> {
    await sql("DELETE FROM audit_trees WHERE tenant_id = ?", tenant.id);
    await sql("DELETE FROM audit_tiles WHERE tenant_id = ?", tenant.id);
  }

  it("is found by an older checkpoint where its end was cut off", async () => {
    const { tenant, older } = await sealedTrail();
    await sql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index >= 6", tenant.id);
    await forget(tenant);
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

  it("is found by an older checkpoint where an event was taken out and the gap closed", async () => {
    const { tenant, older } = await sealedTrail();
    await sql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index = 5", tenant.id);
    await shift(tenant, 6, -1);
    await forget(tenant);
    await (await User.provision(tenant)).events();
    const saved = await saveTrail(tenant);
    expect(await verifySavedTrail(saved)).toMatchObject({ ok: true, leaves: 9 });
    expect(await problemsOf({ ...saved, older })).toEqual([
      "rewritten -: the first 9 leaves are not those of the older checkpoint: history was rewritten and signed anew",
    ]);
  });
});

describe("A log that was put back to an earlier head", () => {
  it("is found by a checkpoint from between", async () => {
    const { tenant, leaves } = await sealedTrail();
    const row = await env.DB.prepare("SELECT * FROM audit_trees WHERE tenant_id = ?")
      .bind(tenant.id)
      .first<{ size: number; note: string }>();
    for (let n = 0; n < 3; n += 1) await (await User.provision(tenant)).events();
    const between = await saveCheckpoint(tenant);
    const back = "UPDATE audit_trees SET size = ?, note = ? WHERE tenant_id = ?";
    await sql(back, row?.size, row?.note, tenant.id);
    await sql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index = 10", tenant.id);
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
  it("leaves everything verifiable, before and after, and again with the person back", async () => {
    const { tenant, user, older } = await sealedTrail();
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

  it("excuses nothing that came after it", async () => {
    const { tenant, user } = await sealedTrail();
    await tenant.send("DELETE", user.path());
    await (await User.provision(tenant, user.externalId)).events();
    await sql(
      "UPDATE audit_events SET personal_key = 'another' WHERE tenant_id = ? AND leaf_index = 10",
      tenant.id,
    );
    expect((await verifySavedTrail(await saveTrail(tenant))).problems).toMatchObject([
      { kind: "personal", leaf: 10 },
    ]);
  });
});
