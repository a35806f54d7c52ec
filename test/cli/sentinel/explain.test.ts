/** The API reports enough of an assessment to recompute it and to detect any change. */
import { beforeAll, describe, expect, it } from "vitest";
import {
  assessmentsSchema,
  recompute,
  type StoredAssessment,
} from "../../../packages/cli/src/sentinel/explain/recompute.ts";
import { attackerKinds } from "../../../src/sentinel/weights.ts";
import { Tenant, User } from "../../support/client.ts";

let tenant: Tenant;
let stored: StoredAssessment;

beforeAll(async () => {
  tenant = await Tenant.create();
  const kinds = Object.fromEntries(attackerKinds.map((kind) => [kind, { deny_at: 0.06 }]));
  await tenant.setSettings({ sentinel: { challenge_at: 0.999, deny_at: 0.9999, kinds } });
  const user = await User.provision(tenant);
  await user.sendFeedback((await user.assess()).assessment_id, "legitimate");
  await user.discover({ ip: "9.9.9.9", ua: "curl/8.9", user_id: "another user" });
  await user.events();
  const { body } = await tenant.send("GET", "/v1/sentinel/assessments?limit=1");
  const [newest] = assessmentsSchema.parse(body);
  if (newest === undefined) throw new Error("No assessment was stored");
  stored = newest;
});

describe("The explanation of an assessment", () => {
  it("recomputes the stored score and shows every reason", () => {
    const { lines, differences, problem } = recompute(stored);
    expect([differences, problem]).toEqual([[], null]);
    expect(stored.reasons.length).toBeGreaterThan(2);
    for (const { signal } of stored.reasons) expect(lines.join("\n")).toContain(`${signal} (`);
    for (const [kind, share] of Object.entries(stored.kinds ?? {})) {
      expect(lines.join("\n")).toContain(`${kind} ${share}`);
    }
    expect(lines.join("\n")).toContain(`log-odds: score ${stored.risk_score}`);
  });

  it("says what each contribution is, which thresholds are in force, and what was missing", () => {
    const degraded = ["geography", "vpn"];
    const text = recompute({ ...stored, degraded }).lines.join("\n");
    expect(text).toContain("agent_scripted (weight):");
    expect(text).toContain("network_history (ratio):");
    expect(text).toContain("kind_threshold (rule):");
    expect(text).toContain(
      "thresholds: challenge from 0.999, deny from 0.9999; stuffing: deny from",
    );
    expect(text).toContain("degraded: geography, vpn");
    expect(recompute({ ...stored, degraded: [] }).lines).toContain("  degraded: nothing");
  });

  it("has the steps that the API answers", async () => {
    const { steps } = recompute(stored);
    const { body } = await tenant.send("GET", `/v1/sentinel/assessments/${stored.assessment_id}`);
    expect(steps.length).toBeGreaterThan(3 * body.assessment.explanation.steps.length);
    for (const { name, value } of body.assessment.explanation.steps) {
      expect(steps.join("\n")).toContain(
        value === null ? `    ${name} = ` : `    ${name} = ${value}`,
      );
    }
  });

  it.each<[string, () => Partial<StoredAssessment>]>([
    ["score", () => ({ risk_score: 0.05 })],
    ["recommendation", () => ({ recommendation: "allow" })],
    ["reasons", () => ({ reasons: stored.reasons.slice(1) })],
    ["kinds", () => ({ kinds: stored.kinds && { ...stored.kinds, real: 0 } })],
    ["threshold of a kind", () => ({ policy: stored.policy && { ...stored.policy, kinds: {} } })],
    ["digest", () => ({ inputs_digest: "0".repeat(64) })],
    ["inputs", () => ({ inputs: stored.inputs && { ...stored.inputs, userMismatch: false } })],
    [
      "policy",
      () => ({ policy: stored.policy && { ...stored.policy, signals_off: ["user_mismatch"] } }),
    ],
  ])("detects a changed %s", (_part, change) => {
    expect(recompute({ ...stored, ...change() }).differences).not.toEqual([]);
  });

  it("shows of another model, and without inputs, what was stored, and invents nothing", () => {
    for (const other of [{ model: "sentinel-2" }, { inputs: null }, { policy: null }]) {
      // A rule adds nothing, and another model has other numbers behind its contributions.
      const { lines, steps, differences, problem } = recompute({ ...stored, ...other });
      expect([steps, differences]).toEqual([[], []]);
      expect(problem).toContain("model" in other ? "sentinel-2" : "inputs");
      for (const { signal, contribution } of stored.reasons) {
        expect(lines.join("\n")).toContain(`${contribution.toFixed(4)}  ${signal} (`);
      }
      expect(lines.join("\n")).toContain(`log-odds: score ${stored.risk_score}`);
      expect(recompute({ ...stored, ...other, risk_score: 0.5 }).differences).not.toEqual([]);
    }
  });

  it("accepts one assessment or a page of them, and nothing else", () => {
    expect(assessmentsSchema.parse(stored)).toEqual([stored]);
    expect(assessmentsSchema.parse({ assessments: [stored, stored] })).toHaveLength(2);
    expect(assessmentsSchema.parse({ assessment: stored })).toEqual([stored]);
    for (const other of [null, [], {}, { assessments: [{}] }, { ...stored, inputs: {} }]) {
      expect(assessmentsSchema.safeParse(other).success).toBe(false);
    }
  });
});
