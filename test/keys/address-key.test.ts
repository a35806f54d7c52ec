/** Another ADDRESS_HASH_KEY: there is no ring of it, so no session compares with those of before. */
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { Tenant, User } from "../support/client.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { evict } from "../support/guard.ts";
import { deployAddressKey } from "../support/keys.ts";

const day = 24 * 60 * 60 * 1000;
const start = Date.parse("2026-03-02T09:00:00Z");
const desk = {
  ip: "84.208.20.110",
  ua: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
};

let back = (): void => {};

afterEach(() => back());

function on(user: User, dayNumber: number): number {
  const time = start + dayNumber * day;
  user.tenant.clock = new Date(time).toISOString();
  return time;
}

async function login(user: User, dayNumber: number): Promise<string> {
  const time = on(user, dayNumber);
  const { assessment_id: id } = await user.assess(desk);
  expect((await user.verify(user.code(time), undefined, id)).status).toBe(200);
  return id;
}

async function assessedOn(user: User, dayNumber: number) {
  on(user, dayNumber);
  const { risk_score: score, degraded } = await user.assess(desk);
  return { score, degraded };
}

async function contextsOf(user: User): Promise<{ address: string; agent: string }[]> {
  const { results } = await env.DB.prepare(
    "SELECT evidence -> '$.context' AS context FROM assessments WHERE identity_id = ? ORDER BY id",
  )
    .bind(user.id)
    .all<{ context: string }>();
  return results.map(({ context }) => JSON.parse(context));
}

describe("Another ADDRESS_HASH_KEY", () => {
  it("stops no login, compares with nothing of before, and learns the user anew", async () => {
    const tenant = await Tenant.create();
    tenant.clock = new Date(start).toISOString();
    const user = await User.withTotp(tenant);
    const first = await login(user, 0);
    for (let n = 1; n < 6; n += 1) await login(user, n);
    const known = await assessedOn(user, 6);
    await drainOutbox(user);

    back = await deployAddressKey(btoa("another key of addresses, 32 byt"));
    await evict(user);
    const unknown = await assessedOn(user, 7);
    expect(unknown.score).toBeGreaterThan(known.score);
    expect(unknown.degraded).toEqual(known.degraded);
    for (let n = 8; n < 14; n += 1) await login(user, n);
    expect((await assessedOn(user, 14)).score).toBe(known.score);

    // What was assessed before is shown and judged as ever; nothing of it is found under the new key.
    expect((await user.sendFeedback(first, "legitimate")).status).toBe(204);
    await drainOutbox(user);
    const contexts = await contextsOf(user);
    const before = new Set(contexts.slice(0, 7).flatMap(({ address, agent }) => [address, agent]));
    const after = contexts.slice(7).flatMap(({ address, agent }) => [address, agent]);
    expect(after.some((hash) => before.has(hash))).toBe(false);
    const shown = await tenant.send("GET", "/v1/sentinel/assessments?limit=100");
    expect(shown.body.assessments).toHaveLength(contexts.length);
  });
});
