/** Promise 2: no code is accepted twice, whatever happens in between. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { rateQuotas } from "../../src/guard/decisions/rate-limit.ts";
import { Tenant, User } from "../support/client.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { evict, loseStorage } from "../support/guard.ts";
import { relocateFully, relocateUpTo } from "../support/relocation.ts";
import { sendAtOnce, tally } from "./at-once.ts";
import { tenantLocations } from "./tenant-locations.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const step = 30_000;
/** The first instant of a time step. */
const start = Math.floor(Date.parse("2026-03-01T12:00:00Z") / step) * step;

function setClock(tenant: Tenant, time: number): void {
  tenant.clock = new Date(time).toISOString();
}

/** Delivers everything to D1 and then deletes the guard's storage. */
async function loseDeliveredGuard(user: User): Promise<void> {
  await drainOutbox(user);
  await loseStorage(user);
}

/** Events that must not make a spent code valid again. None of them changes the user. */
const losses: [string, (user: User) => Promise<unknown>][] = [
  ["directly afterwards", async () => {}],
  ["after an eviction", evict],
  ["after the loss of the guard's storage", loseDeliveredGuard],
  ["after a relocation of the tenant", ({ tenant }) => relocateFully(tenant, 1)],
  [
    "after a relocation and the loss of the guard's storage",
    async (user) => {
      await drainOutbox(user);
      await relocateFully(user.tenant, 1);
      await loseStorage(user);
    },
  ],
  [
    "during a relocation, after the loss of the guard's storage",
    async (user) => {
      await drainOutbox(user);
      await relocateUpTo(user.tenant, 1, "copying");
      await loseStorage(user);
    },
  ],
];

const interruptions: typeof losses = [
  ...losses,
  ["after other successes", async (user) => await user.verify((await user.backupCodes())[9])],
  ["after an unlock", (user) => user.tenant.send("POST", user.path("/unlock"))],
];

describe("Promise 2, for TOTP codes", () => {
  it.each(
    tenantLocations.flatMap((location) => [
      { ...location, guard: "that stays in memory", moves: false },
      { ...location, guard: "that was evicted just before", moves: true },
    ]),
  )(
    "accepts one of 50 identical concurrent codes, for a tenant $location and a guard $guard",
    async ({ tenant: create, begin, meanwhile, moves }) => {
      const tenant = await create();
      const user = await User.withTotp(tenant);
      await begin(tenant);
      const code = user.code(Date.now());
      if (moves) await evict(user);
      const [answers] = await Promise.all([
        sendAtOnce(50, () => user.verify(code)),
        meanwhile(tenant),
      ]);
      // The code accepted last counts as no failure, so no user is locked out by a second click.
      expect(tally(answers)).toEqual({ 200: 1, "422 code_already_used": 49 });
      expect((await user.profile()).failed_attempts).toBe(0);
    },
  );

  it.each(interruptions)("refuses an accepted code %s", async (name, interrupt) => {
    const user = await User.withTotp(await Tenant.create());
    setClock(user.tenant, start);
    const code = user.code(start);
    expect((await user.verify(code)).status).toBe(200);
    await interrupt(user);
    const again = await user.verify(code);
    expect(again.status).toBe(422);
    const isLast = name !== "after other successes";
    expect(again.body.code).toBe(isLast ? "code_already_used" : "invalid_code");
    expect(again.body.attempts_remaining).toBe(isLast ? 5 : 4);
  });

  it("tells the code accepted last long after its window, and no code before it", async () => {
    const user = await User.withTotp(await Tenant.create());
    for (const time of [start, start + step]) {
      setClock(user.tenant, time);
      expect((await user.verify(user.code(time))).status).toBe(200);
    }
    setClock(user.tenant, start + 1_000 * step);
    const outcomes = [];
    for (const time of [start + step, start, start + step]) {
      const { code, attempts_remaining: remaining } = (await user.verify(user.code(time))).body;
      outcomes.push([code, remaining]);
    }
    expect(outcomes).toEqual([
      ["code_already_used", 5],
      ["invalid_code", 4],
      ["code_already_used", 4],
    ]);
  });

  it("reports repeated codes together, and counts them against the rate limit", async () => {
    const user = await User.withTotp(await Tenant.create());
    setClock(user.tenant, start);
    const code = user.code(start);
    const { requests } = rateQuotas.attempts;
    const counts = tally(await sendAtOnce(requests + 5, () => user.verify(code)));
    const used = requests - 1;
    expect(counts).toEqual({ 200: 1, "422 code_already_used": used, "429 rate_limited": 5 });
    const refused = (await user.events()).filter(({ outcome }) => outcome === "refused");
    const isUsed = ({ reason }: { reason: string }) => reason === "code_already_used";
    const reports = refused.filter(isUsed);
    expect(reports.reduce((sum, { details }) => sum + details.count, 0)).toBe(used);
    expect(reports.length).toBeLessThan(5);
  });

  it.each(interruptions)(
    "refuses the codes of earlier time steps %s, and accepts the next one",
    async (_, interrupt) => {
      const tenant = await Tenant.create();
      const user = await User.withTotp(tenant);
      setClock(tenant, start);
      // The newest time step of the window, from a phone whose clock is fast.
      expect((await user.verify(user.code(start + step))).status).toBe(200);
      await interrupt(user);
      for (const earlier of [1, 0, -1]) {
        expect((await user.verify(user.code(start + earlier * step))).status).toBe(422);
      }
      // One hour earlier, as after the server's clock was set back.
      setClock(tenant, start - 120 * step);
      expect((await user.verify(user.code(start - 120 * step))).status).toBe(422);
      setClock(tenant, start + step);
      expect((await user.verify(user.code(start + 2 * step))).status).toBe(200);
    },
  );

  it("accepts each code of a window at most once, even when all are sent together", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    setClock(tenant, start);
    const steps = [1, 1, 0, 0, -1, -1];
    const answers = await Promise.all(steps.map((n) => user.verify(user.code(start + n * step))));
    const accepted = steps.filter((_, index) => answers[index]?.status === 200);
    expect(accepted.length).toBeGreaterThan(0);
    expect(new Set(accepted).size).toBe(accepted.length);
    expect(accepted).toContain(1);
    await user.tenant.send("POST", user.path("/unlock"));
    for (const n of [1, 0, -1]) {
      expect((await user.verify(user.code(start + n * step))).status).toBe(422);
    }
  });

  it("accepts the code that confirms a new secret once in 30 concurrent requests, and no code of the old secret", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    await tenant.setSettings({ otp: { enrolment: "confirm" } });
    setClock(tenant, start);
    const old = user.code(start);
    expect((await user.configure()).body.user.is_setup_complete).toBe(false);
    const confirming = user.code(start);
    const counts = tally(await sendAtOnce(30, () => user.verify(confirming)));
    expect(counts["200"]).toBe(1);
    expect((await tenant.send("POST", user.path("/unlock"))).status).toBe(200);
    expect((await user.verify(old)).status).toBe(422);
    expect((await user.verify(confirming)).status).toBe(422);
  });
});

describe("Promise 2, for backup codes", () => {
  const spellingsOf = (code: string): string[] => {
    const mixed = `${code.slice(0, 2).toLowerCase()}${code.slice(2)}`;
    const all = [code, code.toLowerCase(), mixed, code.charAt(0) + code.slice(1).toLowerCase()];
    return all.flatMap((spelling) => [spelling, spelling.replace("-", "")]);
  };

  it.each([
    ["stays in memory", false],
    ["was evicted just before", true],
  ])("accepts one of 8 concurrent spellings of a code, on a guard that %s", async (_, moves) => {
    const user = await User.withTotp(await Tenant.create());
    const [code = ""] = await user.backupCodes();
    if (moves) await evict(user);
    const counts = tally(await Promise.all(spellingsOf(code).map((text) => user.verify(text))));
    expect(counts).toEqual({ 200: 1, "422 code_already_used": 7 });
    expect((await user.profile()).backup_codes_remaining).toBe(9);
  });

  it.each(losses)("refuses a spent code in every spelling %s", async (_, interrupt) => {
    const user = await User.withTotp(await Tenant.create());
    const [code = ""] = await user.backupCodes();
    expect((await user.verify(code)).body).toMatchObject({
      method: "backup_code",
      backup_codes_remaining: 9,
    });
    await interrupt(user);
    const counts = tally(
      await Promise.all(
        spellingsOf(code)
          .slice(0, 4)
          .map((text) => user.verify(text)),
      ),
    );
    expect(counts).toEqual({ "422 code_already_used": 4 });
  });

  it("accepts ten different codes at once, and none of them again", async () => {
    const user = await User.withTotp(await Tenant.create());
    const codes = await user.backupCodes();
    expect(tally(await Promise.all(codes.map((code) => user.verify(code))))).toEqual({ 200: 10 });
    expect((await user.profile()).backup_codes_remaining).toBe(0);
    const again = tally(await Promise.all(codes.map((code) => user.verify(code))));
    // The code that was accepted last counts no failure, unless the lock came before it.
    const used = again["422 code_already_used"] ?? 0;
    expect(again["422 invalid_code"]).toBe(5);
    expect([0, 1]).toContain(used);
    expect(again["423 user_locked"]).toBe(5 - used);
  });

  it("refuses every code of a replaced set once the new set is answered, even if some were used meanwhile", async () => {
    const user = await User.withTotp(await Tenant.create());
    const old = await user.backupCodes();
    const used = old.slice(0, 4);
    const [fresh, ...answers] = await Promise.all([
      user.backupCodes(),
      ...used.map((code) => user.verify(code)),
    ]);
    for (const { status } of answers) expect([200, 422]).toContain(status);
    await user.tenant.send("POST", user.path("/unlock"));
    for (const code of old.slice(4, 8)) expect((await user.verify(code)).status).toBe(422);
    expect((await user.profile()).backup_codes_remaining).toBe(10);
    expect((await user.verify(fresh[0])).status).toBe(200);
  });

  it("leaves one valid set when three are generated at once beside a code of the old set", async () => {
    const user = await User.withTotp(await Tenant.create());
    const old = await user.backupCodes();
    const sets = await Promise.all([
      user.backupCodes(),
      user.backupCodes(),
      user.verify(old[0]),
      user.backupCodes(),
    ]);
    const answered = sets.filter((set) => Array.isArray(set));
    const [live, ...dead] = await Promise.all(
      answered.map(async (set) => (await user.verify(set[0])).status),
    ).then((statuses) => statuses.toSorted());
    expect(live).toBe(200);
    expect(dead).toEqual([422, 422]);
  });

  it("refuses another user's code, which stays unspent for its owner", async () => {
    const tenant = await Tenant.create();
    const [one, two] = [await User.withTotp(tenant, "a"), await User.withTotp(tenant, "b")];
    await one.backupCodes();
    const [foreign] = await two.backupCodes();
    expect((await one.verify(foreign)).status).toBe(422);
    expect((await two.profile()).backup_codes_remaining).toBe(10);
    expect((await two.verify(foreign)).status).toBe(200);
  });
});
