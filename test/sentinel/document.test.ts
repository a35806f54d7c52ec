/** Discover gives exactly the answers that the source document shows. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { Tenant, User } from "../support/client.ts";
import { encodeDataSet, feedOf } from "./network/support.ts";

const torExit = "185.220.101.7";
const script = "python-requests/2.32";

let user: User;

beforeAll(async () => {
  for (const [key, value] of encodeDataSet([feedOf("tor", torExit)], Date.now())) {
    await env.IP_REPUTATION.put(key, value);
  }
  user = await User.withTotp(await Tenant.create());
});

describe("Discover", () => {
  it("scores the document's sample exactly 0.05 and allows it", async () => {
    const { status, body } = await user.discover({ ip: "1.1.1.1", ua: "EnterpriseAgent/1.0" });
    expect(status).toBe(200);
    expect(body).toEqual({
      status: "authorized",
      risk_score: 0.05,
      recommendation: "allow",
      assessment_id: expect.stringMatching(/^[0-9a-f]{48}$/),
      model: "sentinel-3",
      kinds: expect.objectContaining({ real: 0.95 }),
      reasons: [],
      degraded: [],
      user: { status: "active", locked_until: null, otp_status: "active" },
      factors: ["totp"],
    });
  });

  it("denies a script behind a Tor exit on an identity with history", async () => {
    for (let n = 0; n < 3; n += 1) {
      const { assessment_id: id } = await user.assess({ ip: "84.208.20.110" });
      await user.sendFeedback(id, "legitimate");
    }
    const { status, body } = await user.discover({ ip: torExit, ua: script });
    expect(status).toBe(403);
    expect(body).toMatchObject({
      error: "High risk detection",
      code: "high_risk",
      recommendation: "deny",
    });
    expect(body.risk_score).toBeGreaterThanOrEqual(0.8);
    const signals = body.reasons.map(({ signal }: { signal: string }) => signal);
    expect(signals).toEqual(expect.arrayContaining(["tor_exit", "agent_scripted"]));
  });

  it("challenges a score between the two thresholds", async () => {
    const other = await User.provision(user.tenant);
    const { status, body } = await other.discover({ ip: torExit });
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: "step_up_required", recommendation: "challenge" });
  });
});
