/** Promise 2: no code is accepted twice, whatever happens between the two times. */
import { afterEach, describe, expect, it, vi } from "vitest";
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

function at(tenant: Tenant, time: number): void {
  tenant.clock = new Date(time).toISOString();
}

/** D1 has everything, as when some time has passed; then the guard's storage is lost. */
async function restore(user: User): Promise<void> {
  await drainOutbox(user);
  await loseStorage(user);
}

/** What takes nothing from anybody, and gives nothing back. */
const losses: [string, (user: User) => Promise<unknown>][] = [
  ["at once", async () => {}],
  ["after an eviction", evict],
  ["after the guard lost its storage", restore],
  ["after the tenant moved to another database", ({ tenant }) => relocateFully(tenant, 1)],
  [
    "after the tenant moved and the guard lost its storage",
    async (user) => {
      await drainOutbox(user);
      await relocateFully(user.tenant, 1);
      await loseStorage(user);
    },
  ],
  [
    "while the tenant moves and the guard has lost its storage",
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
      { ...location, guard: "that stays", moves: false },
      { ...location, guard: "that was evicted just before", moves: true },
    ]),
  )(
    "50 identical right codes at once are accepted once, of a tenant $location, on a guard $guard",
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
      const counts = tally(answers);
      expect(counts["200"]).toBe(1);
      // The replays are failures like any other: five of them lock.
      expect(counts).toEqual({ 200: 1, "422 invalid_code": 5, "423 user_locked": 44 });
    },
  );

  it.each(interruptions)("an accepted code is refused %s", async (_, interrupt) => {
    const user = await User.withTotp(await Tenant.create());
    at(user.tenant, start);
    const code = user.code(start);
    expect((await user.verify(code)).status).toBe(200);
    await interrupt(user);
    const again = await user.verify(code);
    expect(again.status).toBe(422);
    expect(again.body.code).toBe("invalid_code");
  });

  it.each(interruptions)(
    "no earlier step passes %s, and the next one does",
    async (_, interrupt) => {
      const tenant = await Tenant.create();
      const user = await User.withTotp(tenant);
      at(tenant, start);
      // The newest step of the window: the phone is fast.
      expect((await user.verify(user.code(start + step))).status).toBe(200);
      await interrupt(user);
      for (const earlier of [1, 0, -1]) {
        expect((await user.verify(user.code(start + earlier * step))).status).toBe(422);
      }
      // An hour back, as a server whose clock is set back would have it.
      at(tenant, start - 120 * step);
      expect((await user.verify(user.code(start - 120 * step))).status).toBe(422);
      at(tenant, start + step);
      expect((await user.verify(user.code(start + 2 * step))).status).toBe(200);
    },
  );

  it("all codes of a window at once are accepted once each at most, and then never again", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    at(tenant, start);
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

  it("the code that confirms a new secret is accepted once of 30 at once, the old secret's never", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    await tenant.setSettings({ otp: { enrolment: "confirm" } });
    at(tenant, start);
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
  const spellings = (code: string): string[] => {
    const mixed = `${code.slice(0, 2).toLowerCase()}${code.slice(2)}`;
    const all = [code, code.toLowerCase(), mixed, code.charAt(0) + code.slice(1).toLowerCase()];
    return all.flatMap((spelling) => [spelling, spelling.replace("-", "")]);
  };

  it.each([
    ["stays", false],
    ["was evicted just before", true],
  ])("one code in 8 spellings at once is accepted once, on a guard that %s", async (_, moves) => {
    const user = await User.withTotp(await Tenant.create());
    const [code = ""] = await user.backupCodes();
    if (moves) await evict(user);
    const counts = tally(await Promise.all(spellings(code).map((text) => user.verify(text))));
    expect(counts).toEqual({ 200: 1, "422 invalid_code": 5, "423 user_locked": 2 });
    expect((await user.profile()).backup_codes_remaining).toBe(9);
  });

  it.each(losses)("a spent code stays spent in every spelling %s", async (_, interrupt) => {
    const user = await User.withTotp(await Tenant.create());
    const [code = ""] = await user.backupCodes();
    expect((await user.verify(code)).body).toMatchObject({
      method: "backup_code",
      backup_codes_remaining: 9,
    });
    await interrupt(user);
    const counts = tally(
      await Promise.all(
        spellings(code)
          .slice(0, 4)
          .map((text) => user.verify(text)),
      ),
    );
    expect(counts).toEqual({ "422 invalid_code": 4 });
  });

  it("ten different codes at once are all accepted, and none of them again", async () => {
    const user = await User.withTotp(await Tenant.create());
    const codes = await user.backupCodes();
    expect(tally(await Promise.all(codes.map((code) => user.verify(code))))).toEqual({ 200: 10 });
    expect((await user.profile()).backup_codes_remaining).toBe(0);
    const again = tally(await Promise.all(codes.map((code) => user.verify(code))));
    expect(again).toEqual({ "422 invalid_code": 5, "423 user_locked": 5 });
  });

  it("a set that is used while it is replaced is dead once the new one has been answered", async () => {
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

  it("of three sets made at once, with a code of the old one beside them, one lives", async () => {
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

  it("another user's code fails, and stays unspent for its owner", async () => {
    const tenant = await Tenant.create();
    const [one, two] = [await User.withTotp(tenant, "a"), await User.withTotp(tenant, "b")];
    await one.backupCodes();
    const [foreign] = await two.backupCodes();
    expect((await one.verify(foreign)).status).toBe(422);
    expect((await two.profile()).backup_codes_remaining).toBe(10);
    expect((await two.verify(foreign)).status).toBe(200);
  });
});
