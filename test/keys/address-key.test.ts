/** ADDRESS_HASH_KEY has no keyring, so after a change no session matches earlier ones. */
import { afterEach, describe, expect, it } from "vitest";
import type { Context } from "../../src/sentinel/context.ts";
import { Tenant, User } from "../support/client.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { evict } from "../support/guard.ts";
import { deployAddressKey } from "../support/keys.ts";
import { readContents } from "../support/stored-evidence.ts";

const day = 24 * 60 * 60 * 1000;
const start = Date.parse("2026-03-02T09:00:00Z");
const desk = {
  ip: "84.208.20.110",
  ua: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
};

let undo = (): void => {};

afterEach(() => undo());

function setClock(user: User, dayNumber: number): number {
  const time = start + dayNumber * day;
  user.tenant.clock = new Date(time).toISOString();
  return time;
}

async function logIn(user: User, dayNumber: number): Promise<string> {
  const time = setClock(user, dayNumber);
  const { assessment_id: id } = await user.assess(desk);
  expect((await user.verify(user.code(time), undefined, id)).status).toBe(200);
  return id;
}

async function assessOn(user: User, dayNumber: number) {
  setClock(user, dayNumber);
  const { risk_score: score, degraded } = await user.assess(desk);
  return { score, degraded };
}

async function contextsOf(user: User): Promise<Context[]> {
  const contents = await readContents(user.tenant.id, user.id);
  return contents.map(({ evidence }) => evidence.context);
}

describe("A changed ADDRESS_HASH_KEY", () => {
  it("blocks no login, matches no earlier session, and builds a new history of the user", async () => {
    const tenant = await Tenant.create();
    tenant.clock = new Date(start).toISOString();
    const user = await User.withTotp(tenant);
    const first = await logIn(user, 0);
    for (let n = 1; n < 6; n += 1) await logIn(user, n);
    const known = await assessOn(user, 6);
    await drainOutbox(user);

    undo = await deployAddressKey(btoa("another key of addresses, 32 byt"));
    await evict(user);
    const unknown = await assessOn(user, 7);
    expect(unknown.score).toBeGreaterThan(known.score);
    expect(unknown.degraded).toEqual(known.degraded);
    for (let n = 8; n < 14; n += 1) await logIn(user, n);
    expect((await assessOn(user, 14)).score).toBe(known.score);

    // Earlier assessments are still listed and accept feedback, but match nothing under the new key.
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
