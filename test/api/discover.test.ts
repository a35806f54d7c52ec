import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { assessmentsSchema, recompute } from "../../packages/cli/src/sentinel/explain/recompute.ts";
import { dataKinds } from "../../src/sentinel/network/network-facts.ts";
import { type Reason, signalNames } from "../../src/sentinel/reason.ts";
import { embeddingNames, embedIpv4 } from "../sentinel/network/embedded.ts";
import { type Answer, Tenant, User } from "../support/client.ts";
import { readContents } from "../support/stored-evidence.ts";
import { countStorages, listObjects } from "../support/stores.ts";

const browser =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36";

async function discover(user: User, context: object): Promise<Answer> {
  return await user.tenant.send("POST", "/v1/sentinel/discover", {
    sentinel: { id: user.id, context: { ip: "1.1.1.1", ua: "EnterpriseAgent/1.0", ...context } },
  });
}

function recomputeScore({ reasons }: { reasons: { contribution: number }[] }): number {
  const sum = reasons.reduce((total, { contribution }) => total + contribution, 0);
  return 1 / (1 + Math.exp(-(Math.log(0.05 / 0.95) + sum)));
}

describe("Discover", () => {
  it("scores the sample of the source document exactly 0.05 and allows it", async () => {
    const user = await User.provision(await Tenant.create());
    const { status, body } = await discover(user, {});
    expect(status).toBe(200);
    expect(body).toMatchObject({
      status: "authorized",
      risk_score: 0.05,
      recommendation: "allow",
      reasons: [],
    });
  });

  it("challenges a medium score and denies a high one, with reasons that add up to the score", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    const challenged = await discover(user, { ua: "", user_id: "another user" });
    expect(challenged.status).toBe(200);
    expect(challenged.body).toMatchObject({
      status: "step_up_required",
      recommendation: "challenge",
    });
    const wrong = user.wrongCode(Date.now());
    for (let n = 0; n < 5; n += 1) await user.verify(wrong);
    const denied = await discover(user, { ua: "curl/8.9", user_id: "another user" });
    expect(denied.status).toBe(403);
    expect(denied.body).toMatchObject({
      error: "High risk detection",
      code: "high_risk",
      recommendation: "deny",
    });
    for (const { body } of [challenged, denied]) {
      expect(body.risk_score).toBeCloseTo(recomputeScore(body), 4);
      const strengths = body.reasons.map((reason: { contribution: number }) =>
        Math.abs(reason.contribution),
      );
      expect(strengths).toEqual(strengths.toSorted((a: number, b: number) => b - a));
    }
    expect(denied.body.reasons.map(({ signal }: { signal: string }) => signal)).toEqual(
      expect.arrayContaining(["agent_scripted", "user_mismatch", "recent_failures", "locked"]),
    );
  });

  it("applies the tenant's thresholds, lists and disabled signals", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    await tenant.setSettings({ sentinel: { challenge_at: 0.04, deny_at: 0.05 } });
    expect((await discover(user, {})).status).toBe(403);
    await tenant.setSettings({
      sentinel: {
        challenge_at: 0.5,
        deny_at: 0.8,
        deny: ["1.1.1.0/24"],
        allow: ["2606:4700::/32"],
      },
    });
    expect((await discover(user, { ip: "::ffff:1.1.1.7" })).body.reasons[0].signal).toBe(
      "tenant_deny_list",
    );
    expect((await discover(user, { ip: "1.1.2.7" })).status).toBe(200);
    expect((await discover(user, { ip: "2606:4700::1111" })).body.risk_score).toBeLessThan(0.05);
    await tenant.setSettings({ sentinel: { signals_off: ["tenant_deny_list"] } });
    expect((await discover(user, { ip: "1.1.1.7" })).body.risk_score).toBe(0.05);
  });

  it("judges an embedded IPv4 address as that address, and trusts no list of tunnels", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    const spellings = embeddingNames.map((name) => embedIpv4(name, "9.9.9.7"));
    const firstReasons = async () => {
      const answers = await Promise.all(spellings.map((ip) => discover(user, { ip })));
      return new Set(answers.map(({ body }) => body.reasons[0]?.signal));
    };
    await tenant.setSettings({ sentinel: { deny: ["9.9.9.0/24"] } });
    expect(await firstReasons()).toEqual(new Set(["tenant_deny_list"]));
    await tenant.setSettings({ sentinel: { deny: [], allow: ["2002::/16", "::/0"] } });
    expect(await firstReasons()).toEqual(new Set([undefined]));
    const [, , , sixToFour = ""] = spellings;
    await tenant.setSettings({ sentinel: { allow: [`${sixToFour}/48`] } });
    expect(await firstReasons()).toEqual(new Set(["tenant_allow_list"]));
    await tenant.setSettings({ sentinel: { allow: [], deny: ["2002::/16"] } });
    expect((await discover(user, { ip: sixToFour })).status).toBe(403);
    expect((await discover(user, { ip: "9.9.9.7" })).status).toBe(200);
  });

  it("takes the external_id in place of the id, and exactly one of the two", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    const context = { ip: "1.1.1.1", ua: "EnterpriseAgent/1.0" };
    const send = (ids: object) =>
      tenant.send("POST", "/v1/sentinel/discover", { sentinel: { ...ids, context } });
    const { status, body } = await send({ external_id: user.externalId });
    expect(status).toBe(200);
    expect(body.assessment_id.slice(24)).toBe(user.id);
    expect((await send({ external_id: `${user.externalId}x` })).status).toBe(404);
    for (const ids of [{}, { id: user.id, external_id: user.externalId }]) {
      const refused = await send(ids);
      expect(refused.status).toBe(400);
      expect(refused.body.issues).toEqual([
        { path: "sentinel", message: "must have exactly one of id and external_id" },
      ]);
    }
  });

  it("shows the state of the user and what the user can be challenged with", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    const active = { status: "active", locked_until: null, otp_status: "active" };
    expect((await discover(user, {})).body).toMatchObject({ user: active, factors: ["totp"] });
    await tenant.send("POST", `/v1/idp/user/backup-codes?externalUserId=${user.externalId}`);
    expect((await discover(user, {})).body.factors).toEqual(["totp", "backup_code"]);
    const wrong = user.wrongCode(Date.now());
    for (let n = 0; n < 5; n += 1) await user.verify(wrong);
    await tenant.setSettings({
      sentinel: { challenge_at: 0.98, deny_at: 0.99, allow: ["1.1.1.1"] },
    });
    const locked = await discover(user, {});
    expect(locked.status).toBe(200);
    expect(locked.body).toMatchObject({
      status: "step_up_required",
      recommendation: "challenge",
      user: { status: "locked", locked_until: expect.any(String), otp_status: "active" },
      factors: [],
    });
    await tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
    const suspended = await discover(user, {});
    expect(suspended.status).toBe(403);
    expect(suspended.body).toMatchObject({
      code: "user_suspended",
      recommendation: "deny",
      user: { status: "suspended", locked_until: expect.any(String), otp_status: "active" },
      factors: [],
      assessment_id: expect.any(String),
    });
    for (const { body } of [locked, suspended]) {
      expect(body.risk_score).toBeCloseTo(recomputeScore(body), 4);
      expect(body.reasons).toContainEqual({
        signal: `user_${body.user.status}`,
        contribution: 0,
        detail: expect.any(String),
      });
    }
  });

  it("accepts reserved addresses and reports them", async () => {
    const user = await User.provision(await Tenant.create());
    for (const ip of ["10.0.0.1", "127.0.0.1", "::1", "192.0.2.7", "2001:db8::1", "fe80::1"]) {
      const { status, body } = await discover(user, { ip });
      expect(status).toBe(200);
      expect(body.reasons).toEqual([
        { signal: "reserved_address", contribution: 0, detail: expect.any(String) },
      ]);
    }
  });

  it("rejects an invalid address, agent or id, and stores nothing", async () => {
    const user = await User.provision(await Tenant.create());
    for (const context of [
      { ip: "1.1.1" },
      { ip: "01.1.1.1" },
      { ip: "1.1.1.1/24" },
      { ip: "1.1.1.1:65536" },
      { ip: "1.1.1.1, 2.2.2.2" },
      { ip: "" },
      { ip: 16843009 },
      { ua: 1 },
      { ua: undefined },
      { user_id: "" },
      { extra: 1 },
    ]) {
      expect((await discover(user, context)).status).toBe(400);
    }
    expect((await user.events()).map(({ action }) => action)).toEqual(["user.provisioned"]);
  });

  it("accepts an address as proxies hand it on, and treats it as the plain address", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    await tenant.setSettings({ sentinel: { deny: ["192.0.2.7", "2001:db8::1", "fe80::1"] } });
    for (const ip of [
      "192.0.2.7:5678",
      "[::ffff:192.0.2.7]:80",
      "[2001:db8::1]:443",
      "[2001:db8::1]",
      "fe80::1%eth0",
      "[fe80::1%25en0]:443",
    ]) {
      expect((await discover(user, { ip })).body.reasons[0].signal).toBe("tenant_deny_list");
    }
  });

  it("never refuses an agent, and reports one that no browser sends", async () => {
    const user = await User.provision(await Tenant.create());
    for (const [ua, stored] of [
      [browser.padEnd(1_025, "x"), browser.padEnd(1_024, "x")],
      ["\u{1f600}".repeat(2_000), "\u{1f600}".repeat(1_024)],
      [`${browser}\u0000\u009f`, `${browser}\ufffd\ufffd`],
      ["EnterpriseAgent/1.0 \ud800x\udfff", "EnterpriseAgent/1.0 \ufffdx\ufffd"],
    ] as const) {
      const { status, body } = await discover(user, { ua });
      expect(status).toBe(200);
      expect(body.reasons[0]).toMatchObject({ signal: "agent_scripted", contribution: 2 });
      const [event] = await user.events();
      expect(event.personal.agent).toBe(stored);
    }
    for (const ua of [null, "\n"]) {
      expect((await discover(user, { ua })).body.reasons[0].signal).toBe("agent_empty");
    }
    const longest = await discover(user, { ua: browser.padEnd(1_024, "x") });
    expect(JSON.stringify(longest.body.reasons)).not.toContain("agent_scripted");
  });

  it("says whose id it wants", async () => {
    const user = await User.provision(await Tenant.create(), "ORG_1");
    const { body } = await user.tenant.send("POST", "/v1/sentinel/discover", {
      sentinel: { id: "ORG_1", context: { ip: "1.1.1.1", ua: browser } },
    });
    expect(body.issues).toEqual([
      {
        path: "sentinel.id",
        message:
          "must be the id that the service gave the user, 24 lower-case hex digits, not the external_id",
      },
    ]);
  });

  it("reports more attempts than a person makes", async () => {
    const user = await User.provision(await Tenant.create());
    let last: Answer | undefined;
    for (let n = 0; n < 21; n += 1) last = await discover(user, {});
    expect(last?.body.reasons).toEqual([
      { signal: "velocity", contribution: 1, detail: expect.stringContaining("minute") },
    ]);
  });

  it("reports a user_id only if it does not match", async () => {
    const user = await User.provision(await Tenant.create(), "ORG_1");
    expect((await discover(user, { user_id: "ORG_1" })).body.risk_score).toBe(0.05);
    expect((await discover(user, { user_id: "org_1" })).body.reasons[0].signal).toBe(
      "user_mismatch",
    );
  });

  it("stores the assessment with its evidence, but neither address nor agent", async () => {
    const user = await User.provision(await Tenant.create());
    const { body } = await discover(user, { ip: "9.9.9.9", ua: browser });
    await user.events();
    const row = await env.DB.prepare("SELECT * FROM assessments WHERE id = ?")
      .bind(body.assessment_id)
      .first();
    expect(row).toMatchObject({
      tenant_id: user.tenant.id,
      identity_id: user.id,
      model: body.model,
      risk_score: body.risk_score,
      recommendation: "allow",
    });
    const [content] = await readContents(user.tenant.id, user.id);
    expect(content?.reasons).toEqual(
      body.reasons.map(({ signal, contribution }: Reason) => ({ signal, contribution })),
    );
    expect(content?.evidence).toMatchObject({ agent: "browser" });
    expect(JSON.stringify([row, content])).not.toMatch(/9\.9\.9\.9|Mozilla/);
  });

  it("reports which source it could not read", async () => {
    const user = await User.provision(await Tenant.create());
    expect((await discover(user, {})).body.degraded).toEqual(dataKinds);
    const broken = vi
      .spyOn(Object.getPrototypeOf(env.IP_REPUTATION), "get")
      .mockRejectedValue(new Error("KV injected"));
    const { status, body } = await discover(user, {});
    broken.mockRestore();
    expect(status).toBe(200);
    expect(body.degraded).toEqual(dataKinds);
  });
});

describe("A test address", () => {
  const fixed = [
    { ip: "192.0.2.1", status: 200, recommendation: "allow", score: 0.05 },
    { ip: "192.0.2.2", status: 200, recommendation: "challenge", score: 0.65 },
    { ip: "192.0.2.3", status: 403, recommendation: "deny", score: 0.95 },
  ] as const;
  const suspicious = { ua: "curl/8.9", user_id: "another user" };

  it("has a fixed result in a test tenant, whatever the session and the policy are", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    const list = ["192.0.2.0/24"];
    for (const policy of [
      { deny: list },
      { challenge_at: 0.01, deny_at: 0.02, deny: [], allow: list },
      { challenge_at: 0.98, deny_at: 0.99, signals_off: signalNames },
    ]) {
      await tenant.setSettings({ sentinel: policy });
      for (const { ip, status, recommendation, score } of fixed) {
        for (const spelling of [ip, `::ffff:${ip}`, `[::ffff:${ip}]:443`]) {
          const answer = await discover(user, { ...suspicious, ip: spelling });
          expect(answer.status).toBe(status);
          expect(answer.body).toMatchObject({ recommendation, risk_score: score });
          expect(answer.body.reasons).toEqual([
            {
              signal: "test_address",
              contribution: expect.any(Number),
              detail: expect.stringContaining(`${ip} is a test address`),
            },
          ]);
          expect(recomputeScore(answer.body)).toBeCloseTo(score, 4);
        }
      }
    }
  });

  it("is any other documentation address in a live tenant", async () => {
    const user = await User.provision(await Tenant.create("live"));
    for (const { ip } of fixed) {
      expect((await discover(user, { ip })).body).toMatchObject({
        recommendation: "allow",
        risk_score: 0.05,
        reasons: [{ signal: "reserved_address", contribution: 0 }],
      });
    }
  });

  it("allows no locked user, and nobody who is suspended", async () => {
    const user = await User.withTotp(await Tenant.create());
    const wrong = user.wrongCode(Date.now());
    for (let n = 0; n < 5; n += 1) await user.verify(wrong);
    const locked = [];
    for (const { ip } of fixed) locked.push((await discover(user, { ip })).body);
    const bounded = ["challenge", "challenge", "deny"];
    expect(locked.map(({ recommendation }) => recommendation)).toEqual(bounded);
    expect(locked[0].reasons).toEqual([
      expect.objectContaining({ signal: "test_address" }),
      expect.objectContaining({ signal: "user_locked" }),
    ]);
    await user.tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
    for (const { ip, score } of fixed) {
      const { status, body } = await discover(user, { ip });
      expect(status).toBe(403);
      expect(body).toMatchObject({
        code: "user_suspended",
        recommendation: "deny",
        risk_score: score,
      });
    }
  });

  it("is stored, listed, explained and simulated like any other", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    const ids = [];
    for (const { ip } of fixed) {
      ids.push((await discover(user, { ...suspicious, ip })).body.assessment_id);
    }
    await user.events();
    const { body } = await tenant.send("GET", "/v1/sentinel/assessments");
    const stored = assessmentsSchema.parse(body);
    expect(stored.map(({ assessment_id: id }) => id)).toEqual(ids.toReversed());
    for (const [index, assessment] of stored.toReversed().entries()) {
      expect(assessment.risk_score).toBe(fixed[index]?.score);
      expect(assessment.reasons[0]?.detail).toContain(fixed[index]?.ip);
      expect(recompute(assessment).differences).toEqual([]);
    }
    const query = "?recommendation=deny";
    const { body: denied } = await tenant.send("GET", `/v1/sentinel/assessments${query}`);
    expect(denied.assessments).toHaveLength(1);
    const draft = { challenge_at: 0.01, deny_at: 0.02, deny: ["192.0.2.0/24"] };
    const simulated = await tenant.send("POST", "/v1/sentinel/simulate", {
      simulation: { sentinel: draft },
    });
    expect(simulated.body.simulation).toMatchObject({ replayed: 3, changed: [] });
  });

  it("teaches Sentinel no more than another documentation address with the same result does", async () => {
    const thresholds = {
      allow: { challenge_at: 0.98, deny_at: 0.99 },
      challenge: { challenge_at: 0.001, deny_at: 0.99 },
      deny: { challenge_at: 0.001, deny_at: 0.001 },
    };
    const scores = [];
    for (const others of [undefined, ["192.0.2.4", "192.0.2.5", "192.0.2.6"]]) {
      const tenant = await Tenant.create();
      tenant.clock = "2026-11-02T09:00:00Z";
      const user = await User.provision(tenant);
      for (const [index, { ip, recommendation }] of fixed.entries()) {
        await tenant.setSettings({ sentinel: thresholds[recommendation] });
        const { body } = await discover(user, { ip: others?.[index] ?? ip, ua: browser });
        expect(body.recommendation).toBe(recommendation);
        await user.sendFeedback(body.assessment_id, "legitimate");
      }
      await tenant.setSettings({ sentinel: thresholds.allow });
      for (const ip of ["84.208.20.110", "192.0.2.9"]) {
        scores.push((await discover(user, { ip, ua: "curl/8.9" })).body);
      }
    }
    const known = scores.map(({ risk_score, reasons }) => ({ risk_score, reasons }));
    expect(known.slice(0, 2)).toEqual(known.slice(2));
    expect(known[0]?.reasons.length).toBeGreaterThan(1);
  });
});

describe("Requests about users that do not exist", () => {
  it("leave no storage and no alarm, except in the one refusal log of the tenant", async () => {
    const tenant = await Tenant.create();
    const unknown = (n: number) => ({
      externalId: `unknown-${n}`,
      id: String(n).padStart(24, "0"),
    });
    const before = await listObjects();
    for (let n = 0; n < 10; n += 1) {
      const { externalId, id } = unknown(n);
      const session = { ip: `45.80.${n}.1`, ua: "EnterpriseAgent/1.0" };
      const query = `?externalUserId=${externalId}`;
      const answers = await Promise.all([
        tenant.send("POST", "/v1/sentinel/discover", { sentinel: { id, context: session } }),
        tenant.send("POST", "/v1/idp/otp/verify", { otp: { id: externalId, code: "123456" } }),
        tenant.send("GET", `/v1/idp/user${query}`),
        tenant.send("PATCH", `/v1/idp/user${query}`, { user: { status: "suspended" } }),
        tenant.send("DELETE", `/v1/idp/user${query}`),
        tenant.send("POST", `/v1/idp/user/unlock${query}`),
        tenant.send("POST", `/v1/idp/user/backup-codes${query}`),
        tenant.send("DELETE", `/v1/idp/user/otp${query}`),
        tenant.send("POST", `/v1/idp/user/otp${query}`, {
          otp: { issuer_name: "Acme", account_name: "alexander" },
        }),
        tenant.send("POST", "/v1/sentinel/feedback", {
          feedback: { assessment_id: `${id}${id}`, outcome: "fraud" },
        }),
      ]);
      expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(404));
    }
    expect(await countStorages(before)).toBe(1);
  });

  it("are counted with those about users of the same address block", async () => {
    const tenant = await Tenant.create();
    for (let n = 0; n < 12; n += 1) {
      await tenant.send("POST", "/v1/sentinel/discover", {
        sentinel: { id: String(n).padStart(24, "0"), context: { ip: "45.81.0.1", ua: "x" } },
      });
    }
    const { reasons } = await (await User.provision(tenant)).assess({ ip: "45.81.0.1" });
    expect(reasons.map(({ signal }: { signal: string }) => signal)).toContain(
      "credential_stuffing",
    );
  });
});
