/** The guard applies a request and its reply is lost. The answer is a 503, and no change happens twice. */
import { describe, expect, it } from "vitest";
import { Tenant, User } from "../support/client.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import { withLostReplies } from "../support/lost-reply.ts";
import { erasure, guardOperations } from "../support/operations.ts";
import { expectAppliedDespite503 } from "../support/under-fault.ts";

describe("A lost reply", () => {
  it.each([...guardOperations, erasure])(
    "causes a 503 for $name, which is applied and reported once",
    async (operation) => {
      await expectAppliedDespite503(operation, withLostReplies);
    },
  );

  it("is not answered with the claim that nothing was decided", async () => {
    const user = await User.withTotp(await Tenant.create());
    const { body } = await withLostReplies(() => user.verify(user.code(Date.now())));
    expect(body).toMatchObject({ code: "unavailable" });
    expect((await user.profile()).last_verified_at).not.toBeNull();
    expect(body.error).not.toContain("nothing was decided");
  });

  it("to the fifth failure locks the user, and a retry neither counts nor extends the lockout", async () => {
    const user = await User.withTotp(await Tenant.create());
    const wrong = user.wrongCode(Date.now());
    for (let attempt = 0; attempt < 4; attempt += 1) await user.verify(wrong);
    expect((await withLostReplies(() => user.verify(wrong))).status).toBe(503);
    const locked = await user.profile();
    expect(locked).toMatchObject({ failed_attempts: 5, is_locked: true });
    const retried = await user.verify(wrong);
    expect([retried.status, retried.body.locked_until]).toEqual([423, locked.locked_until]);
    expect((await user.profile()).failed_attempts).toBe(5);
  });

  it("to each of 60 simultaneous wrong codes leaves five failures and one lockout", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    const wrong = user.wrongCode(Date.now());
    const answers = await withLostReplies(() =>
      Promise.all(Array.from({ length: 60 }, () => user.verify(wrong))),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(60).fill(503));
    expect(await user.profile()).toMatchObject({ failed_attempts: 5, is_locked: true });
    await drainOutbox(user);
    const events = await readTrail(tenant);
    expect(events.filter((event) => event.startsWith("otp.verified failure"))).toHaveLength(5);
    expect(events.filter((event) => event.startsWith("user.locked"))).toHaveLength(1);
  });

  it("to a new set of backup codes invalidates the old set, and the next set is complete", async () => {
    const user = await User.withTotp(await Tenant.create());
    const [old] = await user.backupCodes();
    const act = () => user.tenant.send("POST", user.path("/backup-codes"));
    expect((await withLostReplies(act)).status).toBe(503);
    expect((await user.verify(old)).status).toBe(422);
    const codes = await user.backupCodes();
    expect(codes).toHaveLength(10);
    expect((await user.verify(codes[9])).body.backup_codes_remaining).toBe(9);
  });

  it("to a new secret invalidates the old secret, and the next secret works", async () => {
    const user = await User.withTotp(await Tenant.create());
    const old = user.code(Date.now());
    expect((await withLostReplies(() => user.configure())).status).toBe(503);
    expect((await user.verify(old)).status).toBe(422);
    expect((await user.configure()).status).toBe(200);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
  });

  it("to a secret that must be confirmed leaves the old secret valid", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    await tenant.setSettings({ otp: { enrolment: "confirm" } });
    expect((await withLostReplies(() => user.configure())).status).toBe(503);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
  });
});
