/** Known devices under attack: by strangers who guess, and by whoever has stolen a device token. */
import { base64urlnopad } from "@scure/base";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type Answer, Tenant, User } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { listDevices, rememberDevice, setClock, verifyWith } from "../support/devices.ts";
import { evict, loseStorage, replaceState } from "../support/guard.ts";
import { readRequestEvents } from "../support/request-events.ts";
import { copyStores, decodeText, spellingsOf } from "../support/stores.ts";
import { sendAtOnce, tally } from "./at-once.ts";

const start = Date.parse("2026-03-01T12:00:00Z");
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

interface Owner {
  readonly user: User;
  readonly token: string;
  /** Logs in on the known device at a time. */
  readonly logIn: (at: number) => Promise<Answer>;
  /** Guesses once at a time, as a stranger or with the stolen token. */
  readonly guess: (at: number, fields?: object) => Promise<Answer>;
}

async function createOwner(settings?: object): Promise<Owner> {
  const tenant = await Tenant.create();
  if (settings !== undefined) await tenant.setSettings(settings);
  const user = await User.withTotp(tenant);
  const { token } = await rememberDevice(user, start - minuteMs);
  const at = async (time: number, code: string, fields: object) => {
    setClock(tenant, time);
    return await verifyWith(user, code, fields);
  };
  return {
    user,
    token,
    logIn: (time) => at(time, user.code(time), { device_token: token }),
    guess: (time, fields = {}) => at(time, user.wrongCode(time), fields),
  };
}

describe("Strangers who guess", () => {
  it("keep a user locked for an hour, while the user's known device goes on logging in", async () => {
    const { user, logIn, guess } = await createOwner();
    const answers: Answer[] = [];
    for (let time = start; time < start + hourMs; time += 5 * minuteMs) {
      for (let n = 0; n < 6; n += 1) answers.push(await guess(time));
      const before = await user.profile();
      expect(before).toMatchObject({ is_locked: true, status: "locked" });
      const login = await logIn(time);
      expect([login.status, login.body.device.status]).toEqual([200, "known"]);
      const { failed_attempts, locked_until } = before;
      expect(await user.profile()).toMatchObject({ failed_attempts, locked_until });
    }
    // Locks of 15, 30 and 60 minutes.
    expect(tally(answers)).toEqual({ "422 invalid_code": 15, "423 user_locked": 57 });
    expect((await user.verify(user.code(start + hourMs))).status).toBe(423);
  });

  it("have five evaluated guesses for each lock and 100 in total, whatever the device does", async () => {
    const { user, logIn, guess } = await createOwner({
      lockout: { lock_seconds: 60, max_lock_seconds: 60 },
    });
    const answers: Answer[] = [];
    for (let lock = 0; lock < 20; lock += 1) {
      const time = start + lock * minuteMs;
      const round = await sendAtOnce(6, () => guess(time));
      expect(tally(round)).toEqual({
        "422 invalid_code": 5,
        "423 user_locked": 1,
      });
      answers.push(...round);
      expect((await logIn(time)).status).toBe(lock === 19 ? 423 : 200);
    }
    expect(answers.filter(({ status }) => status === 422)).toHaveLength(100);
    const refused = await logIn(start + hourMs);
    expect(refused.body.code).toBe("otp_disabled");
    expect((await user.profile()).otp_status).toBe("disabled");
  });

  it("do not use up the rate limit of a known device", async () => {
    const { user, token, logIn, guess } = await createOwner();
    await guess(start);
    const used = JSON.stringify({ startedAt: start, count: 300 });
    for (const kind of ["attempts", "assessments"]) {
      await replaceState(user, `json_set(state, '$.rates.${kind}', json('${used}'))`);
      await evict(user);
    }
    expect((await guess(start)).status).toBe(429);
    expect((await user.discover()).status).toBe(429);
    expect((await logIn(start)).status).toBe(200);
    expect((await user.discover({ device_token: token })).status).toBe(200);
  });

  it("who guess at the same time as the device do not stop it, nor it them", async () => {
    const { user, token, guess } = await createOwner();
    setClock(user.tenant, start);
    const answers = await sendAtOnce(30, async (index) =>
      index === 15
        ? await verifyWith(user, user.code(start), { device_token: token })
        : await guess(start),
    );
    expect(tally(answers)).toEqual({ "200": 1, "422 invalid_code": 5, "423 user_locked": 24 });
    expect(answers[15]?.status).toBe(200);
    expect(await user.profile()).toMatchObject({ failed_attempts: 5, is_locked: true });
  });

  it("leave discover with the factors that the known device can be challenged with", async () => {
    const { user, token, guess } = await createOwner();
    for (let n = 0; n < 5; n += 1) await guess(start);
    const known = (await user.discover({ device_token: token })).body;
    expect(known).toMatchObject({
      recommendation: "challenge",
      factors: ["totp"],
      user: { status: "locked" },
      device: { status: "known" },
    });
    expect((await user.discover()).body).toMatchObject({ factors: [], device: { status: "none" } });
  });

  it("do not make the sessions of a known device look riskier", async () => {
    const { user, token, guess } = await createOwner();
    const sent = { device_token: token };
    const scoreOf = async (fields = {}) => (await user.discover(fields)).body.risk_score;
    const before = { known: await scoreOf(sent), stranger: await scoreOf() };
    // More than a person sends in a minute, and most of them while the user is locked.
    await sendAtOnce(25, () => guess(start));
    expect(await scoreOf(sent)).toBe(before.known);
    expect(await scoreOf()).toBeGreaterThan(before.stranger);
    await guess(start, sent);
    expect(await scoreOf(sent)).toBeGreaterThan(before.known);
  });
});

describe("A stolen device token", () => {
  it("gives five guesses and dies, and locks nobody", async () => {
    const { user, token, guess } = await createOwner();
    const other = await rememberDevice(user, start);
    const stolen = { device_token: token };
    const remaining = [];
    for (let n = 0; n < 5; n += 1) {
      const { status, body } = await guess(start, stolen);
      expect([status, body.locked_until]).toEqual([422, null]);
      remaining.push(body.attempts_remaining);
    }
    // The last one is for the next attempt of this browser, which is one of a stranger.
    expect(remaining).toEqual([4, 3, 2, 1, 5]);
    expect((await listDevices(user)).map(({ id }) => id)).toEqual([other.id]);
    expect(await user.profile()).toMatchObject({ is_locked: false, failed_attempts: 5 });
    const later = start + minuteMs;
    setClock(user.tenant, later);
    expect((await verifyWith(user, user.code(later), stolen)).body.device.status).toBe("unknown");
  });

  it("gives five guesses of many at once, also while strangers have locked the user", async () => {
    const { user, token, guess } = await createOwner();
    for (let n = 0; n < 5; n += 1) await guess(start);
    const answers = await sendAtOnce(20, () => guess(start, { device_token: token }));
    expect(tally(answers)).toEqual({ "422 invalid_code": 5, "423 user_locked": 15 });
    const last = answers.find(({ body }) => body.attempts_remaining === 0);
    expect(last?.body.locked_until).toBe((await user.profile()).locked_until);
    expect(await listDevices(user)).toEqual([]);
  });

  it.each<[string, (user: User) => Promise<void>]>([
    ["an eviction", evict],
    [
      "a guard that loses its storage",
      async (user) => {
        await drainOutbox(user);
        await loseStorage(user);
      },
    ],
    ["an unlock", async (user) => void (await user.tenant.send("POST", user.path("/unlock")))],
    [
      "a success of somebody without a token",
      async (user) => void (await user.verify(user.code(start))),
    ],
  ])("gets no fresh guesses by %s", async (_, act) => {
    const { user, token, guess } = await createOwner();
    const stolen = { device_token: token };
    for (let n = 0; n < 4; n += 1) await guess(start, stolen);
    await act(user);
    expect((await guess(start, stolen)).status).toBe(422);
    expect(await listDevices(user)).toEqual([]);
  });

  it("counts towards the cap of failures, together with strangers", async () => {
    const { user, token, guess, logIn } = await createOwner({
      lockout: { max_failed_attempts: 3, disable_after: 6 },
    });
    for (let n = 0; n < 2; n += 1) await guess(start);
    for (let n = 0; n < 3; n += 1) await guess(start, { device_token: token });
    const last = await guess(start, { device_token: token });
    expect(last.body).toMatchObject({ code: "invalid_code", attempts_remaining: 0 });
    expect((await logIn(start + minuteMs)).body.code).toBe("otp_disabled");
    expect((await user.profile()).otp_status).toBe("disabled");
  });

  it("does not open the second step: a guess from it is a guess", async () => {
    const { user, token } = await createOwner();
    const stolen = { device_token: token };
    expect((await verifyWith(user, "ZZZZ-9999", stolen)).status).toBe(422);
    expect((await verifyWith(user, "12345", stolen)).status).toBe(400);
    await user.tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
    expect((await verifyWith(user, user.code(start), stolen)).body.code).toBe("user_suspended");
  });
});

describe("A device token", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it("is in no log, no trail and no store, whatever is done with it", async () => {
    const log: string[] = [];
    for (const level of ["debug", "log", "info", "warn", "error", "trace"] as const) {
      vi.spyOn(console, level).mockImplementation((...line) => void log.push(line.join(" ")));
    }
    const { user, token, guess } = await createOwner();
    const { tenant } = user;
    const sent = { device_token: token };
    tenant.requestKey = "remember-once";
    const further = await rememberDevice(user, start);
    tenant.requestKey = undefined;
    const { assessment_id } = await user.assess({ device_token: further.token });
    const later = start + minuteMs;
    setClock(tenant, later);
    await verifyWith(user, user.code(later), { ...sent, assessment_id });
    await guess(later, sent);
    await user.discover({ device_token: `${token}\u0000` });
    await verifyWith(user, user.code(later), { ...sent, device_token: 7 });
    await withD1Fault("throws", async () => {
      await loseStorage(user);
      await verifyWith(user, user.code(later), sent);
      await user.discover(sent);
    });
    await user.sendFeedback(assessment_id, "fraud");
    await readRequestEvents({ tenant, user }, null);
    const exported = String((await tenant.send("GET", "/v1/audit/export")).body);
    const sources = {
      log,
      trail: [JSON.stringify(await user.events()), exported],
      ...(await copyStores()),
    };
    const secrets = [token, further.token].flatMap((text) => [
      text,
      ...spellingsOf(base64urlnopad.decode(text.slice("dvc_".length))),
    ]);
    const found = Object.entries(sources).flatMap(([name, texts]) => {
      const text = decodeText(texts);
      return secrets.filter((secret) => text.includes(secret)).map((secret) => [name, secret]);
    });
    expect(found).toEqual([]);
  });
});
