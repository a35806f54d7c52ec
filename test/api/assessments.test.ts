import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { digestCanonicalJson } from "../../src/crypto/canonical.ts";
import { sessionEvidenceSchema } from "../../src/sentinel/evidence.ts";
import { scoreOf } from "../../src/sentinel/score.ts";
import { findReasons } from "../../src/sentinel/signals/reasons.ts";
import { attackerKinds } from "../../src/sentinel/weights.ts";
import { findWrongSteps, readStep } from "../sentinel/explanation/calculator.ts";
import { type Answer, Tenant, User } from "../support/client.ts";

async function listAssessments(tenant: Tenant, query = ""): Promise<Answer["body"]> {
  return (await tenant.send("GET", `/v1/sentinel/assessments${query}`)).body;
}

async function simulate(tenant: Tenant, simulation: object): Promise<Answer> {
  return await tenant.send("POST", "/v1/sentinel/simulate", { simulation });
}

function idsOf({ assessments }: Answer["body"]): string[] {
  return assessments.map(({ assessment_id: id }: { assessment_id: string }) => id);
}

/** Creates a tenant with one user and one assessment for each context, all filed in D1. */
async function createAssessments(...contexts: readonly object[]) {
  const tenant = await Tenant.create();
  const user = await User.provision(tenant);
  const ids: string[] = [];
  for (const context of contexts) {
    ids.push((await user.discover(context)).body.assessment_id);
  }
  await user.events();
  return { tenant, user, ids };
}

async function getAssessment(tenant: Tenant, id: string): Promise<Answer> {
  return await tenant.send("GET", `/v1/sentinel/assessments/${id}`);
}

describe("An assessment", () => {
  it("is the one of the list, with the numbers behind its score", async () => {
    const { tenant, user, ids } = await createAssessments({});
    await user.sendFeedback(ids[0] ?? "", "legitimate");
    const { assessment_id: id } = await user.assess({ ip: "9.9.9.9", ua: "curl/8.9" });
    await user.events();
    const { status, body } = await getAssessment(tenant, id);
    expect(status).toBe(200);
    const { explanation, ...assessment } = body.assessment;
    const [listed] = (await listAssessments(tenant, "?limit=1")).assessments;
    expect(assessment).toEqual(listed);
    const numberOf = (name: string) =>
      explanation.steps.find((step: { name: string }) => step.name === name)?.value;
    expect(numberOf("risk_score")).toBe(assessment.risk_score);
    expect(assessment.reasons.length).toBeGreaterThan(1);
    for (const [index, { signal, contribution }] of assessment.reasons.entries()) {
      expect(explanation.contributions[index]).toMatchObject({ signal, contribution });
      expect(numberOf(signal), signal).toBe(contribution);
    }
    expect(findWrongSteps(explanation.steps.map(readStep))).toEqual([]);
  });

  it("has no explanation if another model computed it, or if the numbers do not lead to its score", async () => {
    const { tenant, ids } = await createAssessments({ ua: "" });
    const [id = ""] = ids;
    const change = async (columns: string) => {
      await env.DB.prepare(`UPDATE assessments SET ${columns} WHERE id = ?`).bind(id).run();
      return (await getAssessment(tenant, id)).body.assessment;
    };
    expect((await getAssessment(tenant, id)).body.assessment.explanation).not.toBeNull();
    const moved = await change("risk_score = 0.3");
    expect(moved).toMatchObject({ risk_score: 0.3, explanation: null });
    const older = await change("model = 'sentinel-2'");
    expect(older).toMatchObject({ model: "sentinel-2", explanation: null });
    expect(older.reasons).toMatchObject([{ signal: "agent_empty", contribution: 1.6 }]);
    expect(older.inputs).not.toBeNull();
    const oldest = await change(
      "model = 'sentinel-1', evidence = '{}', evidence_digest = NULL, policy = NULL",
    );
    expect(oldest).toMatchObject({ inputs: null, explanation: null });
  });

  it("is unknown to another tenant, and under any other id", async () => {
    const { tenant, ids } = await createAssessments({});
    const other = await Tenant.create();
    const [id = ""] = ids;
    for (const [asked, about] of [
      [other, id],
      [tenant, "0".repeat(48)],
      [tenant, "x"],
      [tenant, id.toUpperCase()],
    ] as const) {
      const { status, body } = await getAssessment(asked, about);
      expect([status, body.code]).toEqual([404, "assessment_not_found"]);
    }
  });
});

describe("The list of assessments", () => {
  it("contains everything that a score was computed from, and the answer", async () => {
    const { tenant, user, ids } = await createAssessments({ ua: "", user_id: "another user" });
    const { assessments, has_more: hasMore } = await listAssessments(tenant);
    expect(hasMore).toBe(false);
    const [stored] = assessments;
    expect(stored).toMatchObject({
      assessment_id: ids[0],
      user_id: user.id,
      recommendation: "challenge",
      policy: { challenge_at: 0.5, deny_at: 0.8, signals_off: [], kinds: {} },
      outcome: null,
      outcome_source: null,
      outcome_at: null,
    });
    const inputs = sessionEvidenceSchema.parse(stored.inputs);
    const reasons = findReasons(inputs, stored.policy.signals_off);
    expect(reasons).toEqual(stored.reasons);
    expect(scoreOf(reasons)).toBe(stored.risk_score);
    expect(digestCanonicalJson(inputs)).toBe(stored.inputs_digest);
    expect(Object.keys(stored.kinds)).toEqual([...attackerKinds, "real"]);
    expect(stored.kinds.real).toBeCloseTo(1 - stored.risk_score, 9);
  });

  it("contains the probability of each kind of attacker, as the session's answer does", async () => {
    const tenant = await Tenant.create();
    await tenant.setSettings({ sentinel: { kinds: { proxy: { challenge_at: 0.001 } } } });
    const user = await User.provision(tenant);
    const { body } = await user.discover();
    expect(body).toMatchObject({ status: "step_up_required", risk_score: 0.05 });
    expect(body.reasons).toMatchObject([{ signal: "kind_threshold", contribution: 0 }]);
    expect(body.reasons[0].detail).toContain("proxy");
    await user.events();
    const [stored] = (await listAssessments(tenant)).assessments;
    expect(stored.kinds).toEqual(body.kinds);
    expect(stored).toMatchObject({
      recommendation: "challenge",
      reasons: body.reasons,
      policy: { kinds: { proxy: { challenge_at: 0.001 } } },
    });
  });

  it("comes in pages, newest first, without gaps or duplicates", async () => {
    const { tenant, ids } = await createAssessments({}, {}, {}, {}, {});
    const seen: string[] = [];
    let after = "";
    for (let page = 0; page < 5; page += 1) {
      const body = await listAssessments(tenant, `?limit=2${after}`);
      seen.push(...idsOf(body));
      if (!body.has_more) break;
      after = `&after=${body.next_after}`;
    }
    expect(seen).toEqual(ids.toReversed());
  });

  it("filters by user, recommendation, outcome, score and time", async () => {
    const tenant = await Tenant.create();
    const [alice, bob] = [await User.provision(tenant), await User.provision(tenant)];
    const first = "2026-03-02T09:00:00Z";
    tenant.clock = first;
    const { assessment_id: calm } = await alice.assess();
    tenant.clock = "2026-03-03T09:00:00Z";
    const { assessment_id: odd } = await alice.assess({ ua: "", user_id: "x" });
    const { assessment_id: bobs } = await bob.assess();
    await alice.sendFeedback(odd, "fraud");
    await bob.events();
    const findIds = async (query: string) =>
      idsOf(await listAssessments(tenant, `?${query}`)).toSorted();
    expect(await findIds(`externalUserId=${bob.externalId}`)).toEqual([bobs]);
    expect(await findIds("recommendation=challenge")).toEqual([odd]);
    expect(await findIds("outcome=fraud")).toEqual([odd]);
    expect(await findIds("outcome=none")).toEqual([calm, bobs].toSorted());
    expect(await findIds("min_score=0.5")).toEqual([odd]);
    expect(await findIds("to=2026-03-03T00:00:00Z")).toEqual([calm]);
    expect(await findIds("from=2026-03-03T00:00:00Z")).toEqual([odd, bobs].toSorted());
    expect(await findIds("outcome=legitimate")).toEqual([]);
  });

  it("rejects an invalid filter", async () => {
    const tenant = await Tenant.create();
    for (const query of [
      "recommendation=maybe",
      "outcome=null",
      "min_score=2",
      "min_score=-0.1",
      "min_score=.5e1",
      "after=xyz",
      "from=yesterday",
      "limit=101",
    ]) {
      const answer = await tenant.send("GET", `/v1/sentinel/assessments?${query}`);
      expect(answer.status).toBe(400);
    }
  });

  it("shows an assessment of an older model without the inputs that it cannot read", async () => {
    const { tenant, ids } = await createAssessments({});
    await env.DB.prepare(
      "UPDATE assessments SET model = 'sentinel-1', evidence = '{}', evidence_digest = NULL, policy = NULL WHERE id = ?",
    )
      .bind(ids[0])
      .run();
    const { assessments } = await listAssessments(tenant);
    expect(assessments).toMatchObject([
      { model: "sentinel-1", inputs: null, policy: null, kinds: null },
    ]);
    const { simulation } = (await simulate(tenant, { sentinel: {} })).body;
    expect(simulation).toMatchObject({ replayed: 0, other_model: 1, changed: [] });
  });
});

describe("A simulation", () => {
  const odd = { ua: "", user_id: "another user" };

  it("finds no change under the current policy", async () => {
    const { tenant } = await createAssessments({}, odd, { ua: "curl/8.9" });
    const { status, body } = await simulate(tenant, { sentinel: {} });
    expect(status).toBe(200);
    expect(body.simulation).toMatchObject({
      replayed: 3,
      other_model: 0,
      changed: [],
      recommendations: {
        before: { allow: 2, challenge: 1, deny: 0 },
        after: { allow: 2, challenge: 1, deny: 0 },
      },
      has_more: false,
    });
  });

  it("takes thresholds by kind of attacker, and null for those that the tenant has set", async () => {
    const tenant = await Tenant.create();
    await tenant.setSettings({ sentinel: { kinds: { proxy: { challenge_at: 0.001 } } } });
    const user = await User.provision(tenant);
    await user.discover();
    await user.events();
    const simulateKinds = async (kinds: object) =>
      (await simulate(tenant, { sentinel: { kinds } })).body.simulation.recommendations.after;
    expect(await simulateKinds({})).toMatchObject({ challenge: 1 });
    expect(await simulateKinds({ proxy: null })).toMatchObject({ allow: 1 });
    expect(await simulateKinds({ proxy: { deny_at: 0.002 } })).toMatchObject({ deny: 1 });
    const invalid = { proxy: { deny_at: 0.0001 } };
    const answer = await simulate(tenant, { sentinel: { kinds: invalid } });
    expect(answer.body.issues).toMatchObject([{ path: "simulation.sentinel.kinds.proxy.deny_at" }]);
  });

  it("reports which recommendations other thresholds would change", async () => {
    const { tenant, user, ids } = await createAssessments({}, odd);
    const { simulation } = (
      await simulate(tenant, { sentinel: { challenge_at: 0.3, deny_at: 0.5 } })
    ).body;
    expect(simulation.changed).toMatchObject([
      {
        assessment_id: ids[1],
        user_id: user.id,
        before: { recommendation: "challenge" },
        after: { recommendation: "deny" },
      },
    ]);
    expect(simulation.changed[0].after.risk_score).toBe(simulation.changed[0].before.risk_score);
    // The simulation has not changed the policy.
    expect((await user.discover(odd)).body.recommendation).toBe("challenge");
  });

  it("recomputes scores when signals are switched off", async () => {
    const { tenant } = await createAssessments(odd);
    const off = { sentinel: { signals_off: ["agent_empty", "user_mismatch"] } };
    const { changed } = (await simulate(tenant, off)).body.simulation;
    expect(changed).toMatchObject([{ after: { risk_score: 0.05, recommendation: "allow" } }]);
  });

  it("finds addresses and blocks in draft lists by their hashes", async () => {
    const { tenant, ids } = await createAssessments(
      { ip: "8.8.8.8" },
      { ip: "8.8.4.4" },
      { ip: "2001:4860:4860::8888" },
    );
    const simulateDenyList = async (deny: readonly string[]) => {
      const { simulation } = (await simulate(tenant, { sentinel: { deny } })).body;
      const changed: { assessment_id: string }[] = simulation.changed;
      return [
        changed.map(({ assessment_id: id }) => ids.indexOf(id)).toSorted(),
        simulation.not_replayable,
      ];
    };
    expect(await simulateDenyList(["8.8.8.8"])).toEqual([[0], []]);
    expect(await simulateDenyList(["8.8.4.0/24"])).toEqual([[1], []]);
    expect(await simulateDenyList(["2001:4860:4860::/48"])).toEqual([[2], []]);
    expect(await simulateDenyList(["8.0.0.0/8"])).toEqual([[], ["8.0.0.0/8"]]);
  });

  it("reuses an earlier match with a list entry, whichever list of the draft contains the entry", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    await tenant.setSettings({ sentinel: { deny: ["8.8.0.0/16"] } });
    expect((await user.discover({ ip: "8.8.8.8" })).status).toBe(403);
    await user.events();
    const simulateRecommendations = async (sentinel: object) =>
      (await simulate(tenant, { sentinel })).body.simulation.recommendations.after;
    expect(await simulateRecommendations({ deny: ["8.0.0.0/8"] })).toMatchObject({ deny: 1 });
    expect(await simulateRecommendations({ deny: [] })).toMatchObject({ allow: 1 });
    expect(await simulateRecommendations({ deny: [], allow: ["8.8.0.0/16"] })).toMatchObject({
      allow: 1,
    });
  });

  it("finds a single denied address, although the address is not stored", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    // A private address is neither compared nor hashed with the session.
    const shared = (await simulate(tenant, { sentinel: { deny: ["10.1.2.3"] } })).body.simulation;
    expect(shared.not_replayable).toEqual([]);
    await tenant.setSettings({ sentinel: { deny: ["10.1.2.3"] } });
    expect((await user.discover({ ip: "10.1.2.3" })).status).toBe(403);
    await user.events();
    expect(JSON.stringify(await listAssessments(tenant))).not.toContain("10.1.2.3");
    expect((await simulate(tenant, { sentinel: {} })).body.simulation.changed).toEqual([]);
    const without = (await simulate(tenant, { sentinel: { deny: [] } })).body.simulation;
    expect(without.changed).toHaveLength(1);
  });

  it("rejects a draft that contradicts itself or the settings", async () => {
    const tenant = await Tenant.create();
    const answer = await simulate(tenant, { sentinel: { deny_at: 0.4 } });
    expect(answer.status).toBe(400);
    expect(answer.body.issues).toMatchObject([{ path: "simulation.sentinel.deny_at" }]);
    for (const sentinel of [{ deny: ["x"] }, { signals_off: ["no"] }, { other: 1 }]) {
      expect((await simulate(tenant, { sentinel })).status).toBe(400);
    }
  });
});
