/** Rows of D1 in the form of older builds are read as they were. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { Tenant, User } from "../support/client.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import { evict, guardOf, loseStorage, replaceState } from "../support/guard.ts";
import { fetchExport, sql } from "../support/trail.ts";

describe("A row that an older build wrote", () => {
  it("to an outbox is delivered, also without an alarm, before what follows it", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    await user.verify(user.wrongCode(Date.now()));
    await user.verify(user.wrongCode(Date.now()));
    // Older builds had each entry in a row of the outbox, and none in the state.
    await runInDurableObject(guardOf(user), async (_guard, { storage }) => {
      await storage.deleteAlarm();
      storage.sql.exec("CREATE TABLE outbox (seq INTEGER PRIMARY KEY, dispatch TEXT NOT NULL)");
      storage.sql.exec(
        "INSERT INTO outbox SELECT item.value ->> 'seq', json_remove(item.value, '$.seq') FROM live, json_each(state, '$.waiting') AS item",
      );
      storage.sql.exec("UPDATE live SET state = json_remove(state, '$.waiting')");
    });
    await evict(user);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    await drainOutbox(user);
    const failure = "otp.verified failure invalid_code";
    const expected = [failure, failure, "otp.verified success"];
    expect((await readTrail(tenant)).slice(-3)).toEqual(expected);
    // From now on, entries are in the state.
    await user.verify(user.wrongCode(Date.now()));
    await drainOutbox(user);
    expect((await readTrail(tenant)).slice(-4)).toEqual([...expected, failure]);
  });

  it("of an identity rehydrates its guard: secret, backup codes and lockout", async () => {
    const user = await User.withTotp(await Tenant.create());
    const [code = ""] = await user.backupCodes();
    await user.verify(user.wrongCode(Date.now()));
    await drainOutbox(user);
    // Older builds stored the whole state, as the guard does.
    const state = await runInDurableObject(
      guardOf(user),
      (_guard, { storage }) =>
        storage.sql.exec<{ state: string }>("SELECT state FROM live").one().state,
    );
    await sql("UPDATE identities SET state = ? WHERE id = ?", state, user.id);
    await loseStorage(user);
    expect((await user.profile()).failed_attempts).toBe(1);
    expect((await user.verify(code)).body.backup_codes_remaining).toBe(9);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
  });

  it("of an assessment is listed as before, and rehydrates the history", async () => {
    const user = await User.provision(await Tenant.create());
    const { assessment_id: id } = await user.assess({ ua: "" });
    await user.sendFeedback(id, "legitimate");
    await drainOutbox(user);
    const list = async () => (await user.tenant.send("GET", "/v1/sentinel/assessments")).body;
    const before = await list();
    const [{ inputs, inputs_digest, reasons, degraded, policy }] = before.assessments;
    await sql(
      "UPDATE assessments SET evidence = ?, evidence_digest = ?, reasons = ?, degraded = ?, policy = ?, context_digest = 'x' WHERE id = ?",
      ...[JSON.stringify(inputs), inputs_digest, JSON.stringify(reasons), JSON.stringify(degraded)],
      JSON.stringify({
        challengeAt: policy.challenge_at,
        denyAt: policy.deny_at,
        signalsOff: policy.signals_off,
      }),
      id,
    );
    // Older builds did not know the kinds of attacker.
    const [assessment] = before.assessments;
    expect(await list()).toEqual({ ...before, assessments: [{ ...assessment, kinds: null }] });
    await loseStorage(user);
    const { reasons: later } = await user.assess({ ua: "" });
    expect(JSON.stringify(later)).toContain("1 confirmed session");
  });

  it("of an event has the same leaf, and still opens and verifies", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    await user.assess();
    const events = await user.events();
    const { results } = await env.DB.prepare(
      "SELECT leaf_index, stamp, personal_digest FROM audit_events WHERE tenant_id = ? AND personal_digest IS NOT NULL",
    )
      .bind(tenant.id)
      .all<{ leaf_index: number; stamp: string; personal_digest: string }>();
    const toHex = (text: string) =>
      Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (byte) =>
        byte.charCodeAt(0).toString(16).padStart(2, "0"),
      ).join("");
    for (const { leaf_index: leafIndex, stamp, personal_digest: digest } of results) {
      const [version, mac = ""] = stamp.split(".");
      await sql(
        "UPDATE audit_events SET stamp = ?, personal_digest = ? WHERE tenant_id = ? AND leaf_index = ?",
        ...[`${version}.${toHex(mac)}`, toHex(digest), tenant.id, String(leafIndex)],
      );
    }
    expect(await user.events()).toEqual(events);
    // Only events with a valid stamp are integrated.
    expect((await tenant.send("GET", "/v1/audit/checkpoint")).body.checkpoint.tree_size).toBe(4);
    expect(JSON.stringify(await fetchExport(tenant))).toContain(user.externalId);
  });
});

describe("A state that a newer build wrote", () => {
  it("keeps its fields when this build writes it, delivers it and loads it again", async () => {
    const user = await User.withTotp(await Tenant.create());
    const added = `json_set(state, '$.newer', json('{"a":[1]}'), '$.totp.newer', 2)`;
    await replaceState(user, added);
    await evict(user);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    await drainOutbox(user);
    await loseStorage(user);
    expect((await user.verify(user.wrongCode(Date.now()))).status).toBe(422);
    const { state } = await runInDurableObject(guardOf(user), (_guard, { storage }) =>
      storage.sql.exec<{ state: string }>("SELECT state FROM live").one(),
    );
    expect(JSON.parse(state)).toMatchObject({ newer: { a: [1] }, totp: { newer: 2 } });
    expect((await user.tenant.send("DELETE", user.path())).status).toBe(204);
  });
});
