/** Tests codes, enrolment, backup codes and lockout as a login uses them, over HTTP. */
import { describe, expect, it } from "vitest";
import { drawQrSvg } from "../../src/otp/qr-code.ts";
import { type Answer, Tenant, User } from "../support/client.ts";

const start = Date.parse("2026-03-01T12:00:10Z");
const step = 30_000;

async function createTestUser(settings?: object): Promise<User> {
  const tenant = await Tenant.create("test");
  if (settings !== undefined) await tenant.setSettings(settings);
  const user = await User.provision(tenant);
  setClock(user, start);
  await user.configure();
  return user;
}

function setClock(user: User, time: number): void {
  user.tenant.clock = new Date(time).toISOString();
}

async function fail(user: User, times: number, time: number): Promise<Answer[]> {
  const answers: Answer[] = [];
  setClock(user, time);
  for (let n = 0; n < times; n += 1) answers.push(await user.verify(user.wrongCode(time)));
  return answers;
}

describe("Configuring TOTP", () => {
  it("returns a secret that every app reads, and a key URI with %20", async () => {
    const user = await User.provision(await Tenant.create(), "ORG_USR_9921_AFG");
    const { status, body, headers } = await user.tenant.send("POST", user.path("/otp"), {
      otp: { issuer_name: "Acme Enterprise", account_name: "alexander@enterprise.com" },
    });
    expect(status).toBe(200);
    expect(headers.get("Cache-Control")).toBe("no-store");
    const secret = body.user.new_otp_secret;
    expect(secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(body).toEqual({
      user: {
        external_id: "ORG_USR_9921_AFG",
        new_otp_secret: secret,
        qrcode_payload: `otpauth://totp/Acme%20Enterprise:alexander%40enterprise.com?secret=${secret}&issuer=Acme%20Enterprise`,
        is_setup_complete: true,
      },
    });
  });

  it("returns the QR code on request", async () => {
    const user = await User.provision(await Tenant.create());
    const { body } = await user.tenant.send("POST", `${user.path("/otp")}&qr=svg`, {
      otp: { issuer_name: "Acme", account_name: "a" },
    });
    expect(body.user.qrcode_svg).toBe(drawQrSvg(body.user.qrcode_payload));
  });

  it("refuses names that are empty, have a colon or exceed a QR code, and keeps the old secret", async () => {
    const user = await createTestUser();
    for (const otp of [
      { issuer_name: "Ac:me", account_name: "a" },
      { issuer_name: "Acme", account_name: "a:b" },
      { issuer_name: "", account_name: "a" },
      { issuer_name: "漢".repeat(64), account_name: "漢".repeat(255) },
      { issuer_name: "a\ud800", account_name: "a" },
      { issuer_name: "Acme" },
    ]) {
      const { status } = await user.tenant.send("POST", user.path("/otp"), { otp });
      expect(status).toBe(400);
    }
    expect((await user.verify(user.code(start))).status).toBe(200);
  });

  it("again replaces the secret, and the new one works in the same time step", async () => {
    const user = await createTestUser();
    const old = user.code(start);
    expect((await user.verify(old)).status).toBe(200);
    await user.configure();
    expect((await user.verify(old)).status).toBe(422);
    expect((await user.verify(user.code(start))).status).toBe(200);
  });
});

describe("Enrolment `confirm`", () => {
  const confirm = { otp: { enrolment: "confirm" } };

  it("is complete with the first code of the new secret", async () => {
    const user = await createTestUser(confirm);
    expect((await user.profile()).has_otp).toBe(false);
    expect((await user.verify(user.code(start))).status).toBe(200);
    expect((await user.profile()).has_otp).toBe(true);
  });

  it("keeps the old secret valid until then", async () => {
    const user = await createTestUser(confirm);
    await user.verify(user.code(start));
    const oldSecret = user.secret;
    const configured = await user.configure();
    expect(configured.body.user.is_setup_complete).toBe(false);
    const newSecret = user.secret;
    setClock(user, start + step);
    user.secret = oldSecret;
    expect((await user.verify(user.code(start + step))).status).toBe(200);
    user.secret = newSecret;
    expect((await user.verify(user.code(start + step))).status).toBe(200);
    setClock(user, start + 2 * step);
    expect((await user.verify(user.code(start + 2 * step))).status).toBe(200);
    user.secret = oldSecret;
    expect((await user.verify(user.code(start + 2 * step))).status).toBe(422);
  });

  it("is confirmed by a code of the new secret alone, and says so", async () => {
    const user = await createTestUser(confirm);
    expect((await user.verify(user.code(start))).body.enrolment_confirmed).toBe(true);
    const [backup = ""] = await user.backupCodes();
    const old = user.secret;
    const sent: unknown[] = [];
    const send = async (code: string) => {
      const { status, body } = await user.confirm(code);
      sent.push([status, body.code ?? body.enrolment_confirmed, body.attempts_remaining]);
    };
    setClock(user, start + step);
    await send(user.code(start + step));
    await user.configure();
    const fresh = user.secret;
    user.secret = old;
    await send(user.code(start + step));
    await send(backup);
    await send("ZZZZ-9999");
    expect((await user.verify(user.code(start + step))).body.enrolment_confirmed).toBe(false);
    user.secret = fresh;
    expect(await user.profile()).toMatchObject({ otp_status: "active", otp_pending: true });
    await send(user.code(start + step));
    await send(user.code(start + step));
    expect(sent).toEqual([
      [409, "no_pending_enrolment", undefined],
      [422, "invalid_code", 4],
      [422, "invalid_code", 3],
      [422, "invalid_code", 2],
      [200, true, undefined],
      [409, "no_pending_enrolment", undefined],
    ]);
    expect(await user.profile()).toMatchObject({ otp_pending: false, backup_codes_remaining: 10 });
    expect((await user.verify(user.code(start + step))).body.code).toBe("code_already_used");
    expect((await user.verify(backup)).body.enrolment_confirmed).toBe(false);
    for (const purpose of ["login", "", null]) {
      const otp = { id: user.externalId, code: backup, purpose };
      const { status } = await user.tenant.send("POST", "/v1/idp/otp/verify", { otp });
      expect(status).toBe(400);
    }
  });

  it("deletes an unconfirmed secret after ten minutes", async () => {
    const user = await createTestUser(confirm);
    setClock(user, start + 600_000);
    const { status, body } = await user.verify(user.code(start + 600_000));
    expect(status).toBe(409);
    expect(body.code).toBe("otp_not_configured");
  });
});

describe("Verifying a code", () => {
  it("accepts the steps before and after the current one, and no other", async () => {
    for (const [steps, status] of [
      [-2, 422],
      [-1, 200],
      [0, 200],
      [1, 200],
      [2, 422],
    ] as const) {
      const user = await createTestUser();
      expect((await user.verify(user.code(start + steps * step))).status).toBe(status);
    }
  });

  it("rejects every step up to an accepted one", async () => {
    const user = await createTestUser();
    expect((await user.verify(user.code(start + step))).status).toBe(200);
    for (const steps of [-1, 0, 1]) {
      const { status, body } = await user.verify(user.code(start + steps * step));
      expect(status).toBe(422);
      expect(body.code).toBe(steps === 1 ? "code_already_used" : "invalid_code");
    }
    setClock(user, start + step);
    expect((await user.verify(user.code(start + 2 * step))).status).toBe(200);
  });

  it("takes only six ASCII digits or a backup code, and does not count other input", async () => {
    const user = await createTestUser();
    const right = user.code(start);
    for (const code of [
      [...right].map((digit) => String.fromCodePoint(0xff10 + Number(digit))).join(""),
      [...right].map((digit) => String.fromCodePoint(0x660 + Number(digit))).join(""),
      Number(right),
      [right],
      null,
      true,
      {},
      right.slice(1),
      `${right}0`,
      "",
      "-12345",
      "1e5",
      "0x1234",
      "12345a",
      "ABCD-12345",
      "ABCDE-1234",
      "AB-CD1234",
      "ABCD--1234",
      "ſBCD-1234",
    ]) {
      const { status, body } = await user.verify(code);
      expect([code, status]).toEqual([code, 400]);
      expect(body.issues[0].path).toBe("otp.code");
    }
    expect((await user.profile()).failed_attempts).toBe(0);
    expect((await user.verify(right)).status).toBe(200);
  });

  it("accepts a right code with leading zeros, as a string", async () => {
    const user = await createTestUser();
    let time = start;
    while (!user.code(time).startsWith("0")) time += step;
    setClock(user, time);
    expect((await user.verify(user.code(time))).status).toBe(200);
  });

  it("answers 409 for a user without TOTP and counts no failure", async () => {
    const user = await User.provision(await Tenant.create());
    for (const code of ["123456", "ABCD-1234"]) {
      const { status, body } = await user.verify(code);
      expect(status).toBe(409);
      expect(body.code).toBe("otp_not_configured");
    }
    expect((await user.profile()).failed_attempts).toBe(0);
  });

  it("distinguishes wrong, replayed and spent codes in the trail only", async () => {
    const user = await createTestUser();
    const [backup, later] = await user.backupCodes();
    const right = user.code(start);
    const attempt = async (code: unknown) => {
      await user.tenant.send("POST", user.path("/unlock"));
      const { request_id, ...body } = (await user.verify(code)).body;
      expect(request_id).toBeDefined();
      return body;
    };
    for (const code of [right, backup, later]) await user.verify(code);
    const answers = [
      await attempt(user.wrongCode(start)),
      await attempt(right),
      await attempt(backup),
    ];
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    const reasons = (await user.events())
      .filter(({ outcome }) => outcome === "failure")
      .map(({ reason }) => reason);
    expect(reasons.toSorted()).toEqual(["invalid_code", "replayed_code", "spent_code"]);
  });
});

describe("The event of a code", () => {
  const context = { ip: "203.0.113.7:443", ua: "Peculiar Agent/9" };

  it("names the session of every success, failure and refusal, and a report the last one", async () => {
    const user = await createTestUser();
    const { assessment_id: assessment } = await user.assess();
    const send = async (code: string, ua: string) => {
      const otp = { id: user.externalId, code, assessment_id: assessment };
      const body = { otp: { ...otp, context: { ...context, ua } } };
      return (await user.tenant.send("POST", "/v1/idp/otp/verify", body)).status;
    };
    const right = user.code(start);
    await send(right, "a");
    await send(right, "b");
    for (const ua of ["c", "d", "e", "f", "g"]) await send(user.wrongCode(start), ua);
    for (const ua of ["h", "i", "j"]) expect(await send(right, ua)).toBe(423);
    await user.tenant.send("POST", user.path("/unlock"));
    const events = (await user.events()).filter(({ action }) => action === "otp.verified");
    const shown = events.map(({ outcome, reason, details, personal }) => {
      expect(details.assessment_id).toBe(assessment);
      expect(personal.address).toBe("203.0.113.7");
      return `${personal.agent} ${outcome} ${reason ?? ""}`.trim();
    });
    // On a busy machine, the alarm reports the first refusals before the last one comes.
    const reported = shown.filter((one) => one !== "i refused user_locked");
    expect(reported.toSorted()).toEqual([
      "a success",
      "b refused code_already_used",
      ...["c", "d", "e", "f", "g"].map((ua) => `${ua} failure invalid_code`),
      "h refused user_locked",
      "j refused user_locked",
    ]);
  });

  it("names an assessment that confirms nothing, and needs no assessment to name the session", async () => {
    const user = await createTestUser();
    const { assessment_id: assessment } = await user.assess();
    await user.sendFeedback(assessment, "fraud");
    await user.verify(user.code(start), undefined, assessment);
    const otp = {
      id: user.externalId,
      code: user.wrongCode(start),
      context: { ...context, ua: null },
    };
    await user.tenant.send("POST", "/v1/idp/otp/verify", { otp });
    const events = (await user.events()).filter(({ action }) => action === "otp.verified");
    const byOutcome = new Map(events.map((event) => [event.outcome, event]));
    expect(byOutcome.get("success")?.details).toEqual({
      method: "totp",
      assessment_id: assessment,
    });
    expect(byOutcome.get("failure")?.details).toEqual({ method: "totp", failed_attempts: 1 });
    expect(byOutcome.get("failure")?.personal).toMatchObject({ address: "203.0.113.7", agent: "" });
    for (const bad of [
      { ip: "1.1.1" },
      { ...context, ip: "x" },
      { ...context, more: 1 },
      { ua: "a" },
    ]) {
      const request = { otp: { id: user.externalId, code: "123456", context: bad } };
      expect((await user.tenant.send("POST", "/v1/idp/otp/verify", request)).status).toBe(400);
    }
  });
});

describe("Backup codes", () => {
  it("are ten, work once each, and are accepted in any spelling", async () => {
    const user = await createTestUser();
    const codes = await user.backupCodes();
    expect(new Set(codes).size).toBe(10);
    for (const code of codes) expect(code).toMatch(/^[A-HJ-NPR-Z]{4}-[0-9]{4}$/);
    const [first = "", second = "", third = ""] = codes;
    for (const [index, spelling] of [
      first.toLowerCase(),
      second.replace("-", ""),
      third.charAt(0).toLowerCase() + third.slice(1),
    ].entries()) {
      const { status, body } = await user.verify(spelling);
      expect(status).toBe(200);
      expect(body).toMatchObject({ method: "backup_code", backup_codes_remaining: 9 - index });
    }
    expect((await user.verify(first)).status).toBe(422);
  });

  it("end with a new set, spent or not", async () => {
    const user = await createTestUser();
    const [old] = await user.backupCodes();
    await user.backupCodes();
    expect((await user.verify(old)).status).toBe(422);
    expect((await user.profile()).backup_codes_remaining).toBe(10);
  });

  it("of another user fail and stay unspent", async () => {
    const one = await createTestUser();
    const two = await User.withTotp(one.tenant);
    const [code] = await two.backupCodes();
    expect((await one.verify(code)).status).toBe(422);
    expect((await two.verify(code)).status).toBe(200);
  });

  it("are removed together with TOTP", async () => {
    const user = await createTestUser();
    const [code] = await user.backupCodes();
    expect((await user.tenant.send("DELETE", user.path("/otp"))).status).toBe(204);
    expect(await user.profile()).toMatchObject({ has_otp: false, backup_codes_remaining: 0 });
    expect((await user.verify(code)).status).toBe(409);
    expect((await user.tenant.send("DELETE", user.path("/otp"))).status).toBe(409);
    await user.configure();
    expect((await user.verify(code)).status).toBe(422);
  });
});

describe("Lockout", () => {
  it("counts TOTP and backup codes together and reports the remaining attempts", async () => {
    const user = await createTestUser();
    const [code] = await user.backupCodes();
    await user.verify(code);
    const answers = await fail(user, 4, start);
    expect(answers.map(({ body }) => body.attempts_remaining)).toEqual([4, 3, 2, 1]);
    for (const { body, headers } of answers) {
      expect(body).toMatchObject({ locked_until: null, retry_after_seconds: null });
      expect(headers.get("Retry-After")).toBeNull();
    }
    const last = await user.verify("ZZZZ-9999");
    expect(last.status).toBe(422);
    expect(last.body).toMatchObject({
      attempts_remaining: 0,
      locked_until: new Date(start + 900_000).toISOString(),
      retry_after_seconds: 900,
    });
    expect(last.headers.get("Retry-After")).toBe("900");
    expect(last.body.error).toContain("the user is locked now");
    const locked = await user.verify(user.code(start));
    expect(locked.status).toBe(423);
    expect(locked.body).toMatchObject({
      code: "user_locked",
      locked_until: new Date(start + 900_000).toISOString(),
      retry_after_seconds: 900,
    });
    expect(locked.headers.get("Retry-After")).toBe("900");
    expect(await user.profile()).toMatchObject({
      status: "locked",
      is_locked: true,
      failed_attempts: 5,
      locked_until: new Date(start + 900_000).toISOString(),
    });
  });

  it("neither counts attempts during a lock nor extends the lock", async () => {
    const user = await createTestUser();
    await fail(user, 5, start);
    for (const answer of await fail(user, 20, start + 899_999)) expect(answer.status).toBe(423);
    setClock(user, start + 900_000);
    expect(await user.profile()).toMatchObject({ is_locked: false, failed_attempts: 5 });
    expect((await user.verify(user.code(start + 900_000))).status).toBe(200);
    expect(await user.profile()).toMatchObject({ failed_attempts: 0, locked_until: null });
  });

  it("doubles the time with each further lock, up to a day, and only a success resets it", async () => {
    const user = await createTestUser();
    let time = start;
    const lengths: number[] = [];
    for (let lock = 0; lock < 9; lock += 1) {
      const answers = await fail(user, 6, time);
      expect(answers.map(({ status }) => status)).toEqual([422, 422, 422, 422, 422, 423]);
      const seconds = answers[5]?.body.retry_after_seconds;
      lengths.push(seconds);
      time += seconds * 1000;
    }
    expect(lengths).toEqual([900, 1800, 3600, 7200, 14400, 28800, 57600, 86400, 86400]);
    setClock(user, time);
    expect((await user.profile()).failed_attempts).toBe(45);
    expect((await user.verify(user.code(time))).status).toBe(200);
    const [answer] = (await fail(user, 6, time + 3 * step)).slice(-1);
    expect(answer?.body.retry_after_seconds).toBe(900);
  });

  it("survives a new secret and new backup codes, and ends with an audited unlock", async () => {
    const user = await createTestUser();
    await fail(user, 5, start);
    await user.configure();
    await user.backupCodes();
    expect((await user.verify(user.code(start))).status).toBe(423);
    const unlocked = await user.tenant.send("POST", user.path("/unlock"));
    expect(unlocked.body).toMatchObject({ status: "active", failed_attempts: 0 });
    expect((await user.verify(user.code(start))).status).toBe(200);
    const actions = (await user.events()).map(({ action }) => action);
    expect(actions).toContain("user.unlocked");
    expect(actions).toContain("user.locked");
  });

  it.each([
    ["alone", { max_failed_attempts: 2, disable_after: 3 }, null],
    ["and locks", { max_failed_attempts: 3, disable_after: 3 }, "900"],
  ])("says so with the failure that disables TOTP %s", async (_, lockout, seconds) => {
    const user = await createTestUser({ lockout });
    await fail(user, 2, start);
    const [last] = await fail(user, 1, start + 900_000);
    expect(last?.status).toBe(422);
    expect(last?.body).toMatchObject({
      attempts_remaining: 0,
      retry_after_seconds: seconds === null ? null : Number(seconds),
    });
    expect(last?.body.error).toContain("TOTP is disabled now");
    expect(last?.body.error.includes("locked until locked_until")).toBe(seconds !== null);
    expect(last?.headers.get("Retry-After")).toBe(seconds);
  });

  it("disables TOTP after a hundred consecutive failures, until it is configured again", async () => {
    const user = await createTestUser({ lockout: { lock_seconds: 1, max_lock_seconds: 1 } });
    const codes = await user.backupCodes();
    let time = start;
    for (let round = 0; round < 20; round += 1) {
      await fail(user, 5, time);
      time += 60_000;
    }
    setClock(user, time);
    expect(await user.profile()).toMatchObject({ failed_attempts: 100, has_otp: true });
    for (const code of [user.code(time), codes[0]]) {
      const { status, body } = await user.verify(code);
      expect(status).toBe(423);
      expect(body).toMatchObject({ code: "otp_disabled", locked_until: null });
    }
    await user.tenant.send("POST", user.path("/unlock"));
    expect((await user.verify(user.code(time))).body.code).toBe("otp_disabled");
    await user.configure();
    expect((await user.verify(user.code(time))).status).toBe(200);
    expect((await user.profile()).failed_attempts).toBe(0);
  });

  it("is separate for an external_id in another case or Unicode form", async () => {
    const tenant = await Tenant.create();
    const users = [];
    for (const externalId of ["Émile", "E\u0301mile", "émile", "ÉMILE"]) {
      users.push(await User.withTotp(tenant, externalId));
    }
    const [first, ...others] = users;
    for (let n = 0; n < 5; n += 1) await first?.verify(first.wrongCode(Date.now()));
    expect((await first?.profile())?.is_locked).toBe(true);
    for (const other of others) expect((await other.profile()).is_locked).toBe(false);
  });
});
