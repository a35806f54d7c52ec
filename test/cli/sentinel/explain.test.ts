/** The API reports enough of an assessment to recompute it and to detect any change. */
import { beforeAll, describe, expect, it } from "vitest";
import {
  assessmentsSchema,
  recompute,
  type StoredAssessment,
} from "../../../packages/cli/src/sentinel/explain/recompute.ts";
import { attackerKinds } from "../../../src/sentinel/weights.ts";
import { Tenant, User } from "../../support/client.ts";

let stored: StoredAssessment;

beforeAll(async () => {
  const tenant = await Tenant.create();
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
    const { lines, differences } = recompute(stored);
    expect(differences).toEqual([]);
    expect(stored.reasons.length).toBeGreaterThan(2);
    for (const { signal } of stored.reasons) expect(lines.join("\n")).toContain(`${signal}:`);
    for (const [kind, share] of Object.entries(stored.kinds ?? {})) {
      expect(lines.join("\n")).toContain(`${kind} ${share}`);
    }
    expect(lines.at(-1)).toContain(`score ${stored.risk_score}`);
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

  it("refuses another model and an assessment without inputs", () => {
    expect(() => recompute({ ...stored, model: "sentinel-1" })).toThrow(/sentinel-1/);
    expect(() => recompute({ ...stored, inputs: null })).toThrow();
  });

  it("accepts one assessment or a page of them, and nothing else", () => {
    expect(assessmentsSchema.parse(stored)).toEqual([stored]);
    expect(assessmentsSchema.parse({ assessments: [stored, stored] })).toHaveLength(2);
    for (const other of [null, [], {}, { assessments: [{}] }, { ...stored, inputs: {} }]) {
      expect(assessmentsSchema.safeParse(other).success).toBe(false);
    }
  });
});
