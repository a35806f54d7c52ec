/** Promise 6: an attacker who can write to D1 changes the trail, and the verifier detects it. */
import { describe, expect, it, vi } from "vitest";
import { Tenant, User } from "../support/client.ts";
import { inspectGuard } from "../support/guard.ts";
import { saveKeys, saveTrail, verifySavedTrail } from "../support/saved-trail.ts";
import { copyStores, decodeText } from "../support/stores.ts";
import { sql } from "../support/trail.ts";

/** Nine integrated events: leaf 2 is the user, 3 the secret, 4 to 7 are codes, 8 is another user. */
async function createSavedTrail(externalId = "alice") {
  const tenant = await Tenant.create();
  const user = await User.withTotp(tenant, externalId);
  const wrong = user.wrongCode(Date.now());
  for (let n = 0; n < 3; n += 1) await user.verify(wrong);
  await user.verify(user.code(Date.now()));
  await user.events();
  await (await User.provision(tenant)).events();
  const saved = await saveTrail(tenant, { keys: await saveKeys(tenant) });
  expect(await verifySavedTrail(saved)).toMatchObject({ ok: true, problems: [], leaves: 9 });
  return { tenant, user, saved };
}

/** The parts that the text contains. A failed assertion then prints these and not the whole text. */
function findParts(text: string, parts: readonly string[]): string[] {
  return parts.filter((part) => text.includes(part.toUpperCase()));
}

const atLeaf = (leaf: number) => `WHERE tenant_id = ?1 AND leaf_index = ${leaf}`;
const edit = (what: string) => [`UPDATE audit_events SET ${what} ${atLeaf(5)}`];

const attacks: [string, string, readonly string[], readonly string[]][] = [
  ["edited", "outcome", edit("outcome = 'success', reason = NULL"), ["changed"]],
  ["edited", "time", edit("at = at + 1"), ["changed"]],
  ["edited", "actor", edit("actor_id = 'f00df00df00df00df00df00d'"), ["changed"]],
  ["edited", "actor's kind", edit("actor_type = 'operator', actor_id = NULL"), ["changed"]],
  ["edited", "action", edit("action = 'user.unlocked'"), ["changed"]],
  ["edited", "target", edit("target_id = 'f00df00df00df00df00df00d'"), ["changed"]],
  ["edited", "reason", edit("reason = 'spent_code'"), ["changed"]],
  ["edited", "request id", edit("request_id = 'f00df00df00df00df00df00d'"), ["changed"]],
  ["edited", "details", edit("details = '{}'"), ["changed"]],
  ["deleted", "middle", [`DELETE FROM audit_events ${atLeaf(5)}`], ["missing"]],
  ["deleted", "first event", [`DELETE FROM audit_events ${atLeaf(0)}`], ["missing"]],
  [
    "deleted and closed up",
    "middle",
    [
      `DELETE FROM audit_events ${atLeaf(7)}`,
      `UPDATE audit_events SET leaf_index = 7 ${atLeaf(8)}`,
    ],
    ["changed", "missing"],
  ],
  [
    "reordered",
    "two neighbours",
    [
      `UPDATE audit_events SET leaf_index = 1000 ${atLeaf(4)}`,
      `UPDATE audit_events SET leaf_index = 4 ${atLeaf(5)}`,
      `UPDATE audit_events SET leaf_index = 5 ${atLeaf(1000)}`,
    ],
    ["moved", "moved"],
  ],
  ["truncated", "last event", [`DELETE FROM audit_events ${atLeaf(8)}`], ["missing"]],
  [
    "truncated",
    "last four events",
    ["DELETE FROM audit_events WHERE tenant_id = ?1 AND leaf_index >= 5"],
    ["missing"],
  ],
];

describe("Promise 6: a trail that was", () => {
  it.each(attacks)("%s (%s) fails verification", async (_, _what, statements, kinds) => {
    const { tenant, saved } = await createSavedTrail();
    for (const statement of statements) await sql(statement, tenant.id);
    const verdict = await verifySavedTrail(await saveTrail(tenant, { keys: saved.keys }));
    expect(verdict.ok).toBe(false);
    expect(verdict.problems.map(({ kind }) => kind)).toEqual(kinds);
  });

  it("truncated together with its tree fails verification against an older checkpoint", async () => {
    const { tenant, saved } = await createSavedTrail();
    await sql("DELETE FROM audit_events WHERE tenant_id = ?1 AND leaf_index >= 5", tenant.id);
    for (const table of ["audit_trees", "audit_tiles"]) {
      await sql(`DELETE FROM ${table} WHERE tenant_id = ?1`, tenant.id);
    }
    const { ok, problems } = await verifySavedTrail(
      await saveTrail(tenant, { older: saved.checkpoint }),
    );
    expect(ok).toBe(false);
    expect(problems.map(({ kind }) => kind)).toEqual(["checkpoint"]);
  });

  it("edited before it was integrated is not integrated, and the service logs it", async () => {
    const { tenant, user, saved } = await createSavedTrail();
    const lines: string[] = [];
    const spy = vi
      .spyOn(console, "error")
      .mockImplementation((line) => void lines.push(String(line)));
    await user.verify(user.wrongCode(Date.now()));
    await user.events();
    await sql(`UPDATE audit_events SET outcome = 'success' ${atLeaf(9)}`, tenant.id);
    const { checkpoint } = await saveTrail(tenant);
    spy.mockRestore();
    expect(checkpoint).toBe(saved.checkpoint);
    expect(lines.join("\n")).toContain("audit_event_forged");
  });

  it("verified with a foreign key is not accepted", async () => {
    const { tenant, saved } = await createSavedTrail();
    const keys = (await saveKeys(tenant)).replaceAll(/"[A-Za-z0-9+/]{40,}=*"/g, (key) =>
      JSON.stringify(btoa(atob(key.slice(1, -1)).split("").toReversed().join(""))),
    );
    expect(keys).not.toBe(saved.keys);
    await expect(
      verifySavedTrail({ ...saved, keys })
        .then(({ ok }) => ok)
        .catch(() => false),
    ).resolves.toBe(false);
  });
});

describe("After an erasure", () => {
  it("no store and no answer contains the person, and the old and the new export verify", async () => {
    const { tenant, user, saved } = await createSavedTrail("the person that is to be erased");
    await user.backupCodes();
    await user.assess({ ip: "198.51.100.77", ua: "Person's own browser/1.0" });
    await user.events();
    const before = await copyStores();
    expect(findParts(decodeText(Object.values(before).flat()), [user.externalId])).toHaveLength(1);
    const erased = await tenant.send("DELETE", user.path());
    expect(erased.status).toBe(204);
    await expectErased(tenant, user);
    const after = await saveTrail(tenant, { older: saved.checkpoint, keys: saved.keys });
    expect(await verifySavedTrail(after)).toMatchObject({ ok: true, problems: [] });
    expect(await verifySavedTrail(saved)).toMatchObject({ ok: true, problems: [] });
    const text = decodeText([String(after.exported)]);
    expect(findParts(text, [user.externalId, "198.51.100.77", "Person's own"])).toEqual([]);
    expect(text).toContain("USER.ERASED");
  });

  async function expectErased(tenant: Tenant, user: User): Promise<void> {
    expect((await tenant.send("GET", user.path())).status).toBe(404);
    expect((await user.verify(user.code(Date.now()))).status).toBe(404);
    expect(await inspectGuard(user)).toEqual({ tables: [], alarm: null });
    const text = decodeText(Object.values(await copyStores()).flat());
    const parts = [user.externalId, user.secret, "198.51.100.77", "Person's own"];
    expect(findParts(text, parts)).toEqual([]);
  }

  it("a new user of the same name gets nothing of the old user's data", async () => {
    const { tenant, user } = await createSavedTrail();
    const codes = await user.backupCodes();
    for (let n = 0; n < 4; n += 1) await user.verify(user.wrongCode(Date.now()));
    expect((await tenant.send("DELETE", user.path())).status).toBe(204);
    const next = await User.provision(tenant, user.externalId);
    expect(await next.profile()).toMatchObject({
      has_otp: false,
      failed_attempts: 0,
      backup_codes_remaining: 0,
      last_verified_at: null,
    });
    await next.configure();
    expect((await next.verify(codes[0])).status).toBe(422);
    expect((await next.verify(user.code(Date.now()))).status).toBe(422);
    expect((await next.verify(next.code(Date.now()))).status).toBe(200);
  });
});
