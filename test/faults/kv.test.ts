/**
 * KV is empty, stale, damaged, failing or hanging. A client sees that a session is assessed without the
 * missing data, and that everything else works.
 */

import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { dataKinds } from "../../src/sentinel/network/network-facts.ts";
import { encodeDataSet, feedOf } from "../sentinel/network/support.ts";
import { type Answer, Tenant, User } from "../support/client.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import { type KvFault, kvFaults, withKvFault } from "../support/kv-faults.ts";

const dayMs = 24 * 60 * 60 * 1000;
/** Its address is on a list of the shard and on a list of `current`. */
const listed = { ip: "185.220.101.7", ua: "curl/8.9" };
const feeds = [feedOf("vpn", "185.220.101.0/24"), feedOf("tor", "185.220.101.7")];
let now = Date.now();

async function storeFeeds(builtAt: number): Promise<void> {
  for (const [key, value] of encodeDataSet(feeds, builtAt)) await env.IP_REPUTATION.put(key, value);
}

// The tests run days apart, so that no cache entry of one is valid in the next.
beforeEach(async () => {
  now += 2 * dayMs;
  vi.useFakeTimers({ toFake: ["Date"], now });
  await storeFeeds(now);
});

afterEach(() => {
  vi.useRealTimers();
});

function signalsOf(body: Answer["body"]): string[] {
  return body.reasons.map(({ signal }: { signal: string }) => signal).toSorted();
}

async function createUser(): Promise<User> {
  return await User.withTotp(await Tenant.create());
}

/** Expects a login under the fault to be assessed, verified, given feedback, and reported in the trail. */
async function expectLogin(user: User, prefix: string, fault: KvFault) {
  const { tenant } = user;
  await drainOutbox(user);
  const earlier = await readTrail(tenant);
  const assessed = await withKvFault(prefix, fault, async () => {
    const answer = await user.discover(listed);
    const { assessment_id } = answer.body;
    expect((await user.verify(user.code(now), undefined, assessment_id)).status).toBe(200);
    expect((await user.sendFeedback(assessment_id, "legitimate")).status).toBe(204);
    return answer;
  });
  expect(assessed.status).toBeOneOf([200, 403]);
  await drainOutbox(user);
  expect(await readTrail(tenant)).toEqual([
    ...earlier,
    `session.assessed success ${assessed.body.recommendation}`,
    "otp.verified success",
    "session.judged success legitimate",
  ]);
  const { body } = await tenant.send("GET", "/v1/sentinel/assessments");
  expect(body.assessments).toMatchObject([
    { assessment_id: assessed.body.assessment_id, outcome: "legitimate" },
  ]);
  return assessed.body;
}

const shardKinds = dataKinds.filter((kind) => !["tor", "scanner", "threat"].includes(kind));

describe.each(kvFaults)("KV that $how", ({ fault }) => {
  it("for the list of shards is reported as missing, and a login still works", async () => {
    const body = await expectLogin(await createUser(), "net/v2/current", fault);
    expect(body.degraded).toEqual(dataKinds);
    expect(signalsOf(body)).toEqual(["agent_scripted"]);
  });

  it("for the shard is reported as missing, and a login uses the other lists", async () => {
    const body = await expectLogin(await createUser(), "net/v2/4/", fault);
    expect(body.degraded).toEqual(shardKinds);
    expect(signalsOf(body)).toEqual(["agent_scripted", "tor_exit"]);
  });

  it("for every key is reported as missing, and a login still works", async () => {
    const body = await expectLogin(await createUser(), "", fault);
    expect(body.degraded).toEqual(dataKinds);
    expect(signalsOf(body)).toEqual(["agent_scripted"]);
  });
});

describe("KV that works", () => {
  it("is not reported as missing", async () => {
    const body = await expectLogin(await createUser(), "", (read) => read());
    expect(body.degraded).toEqual([]);
    expect(signalsOf(body)).toEqual(["agent_scripted", "tor_exit", "vpn"]);
  });

  it("is used again from the first read that succeeds", async () => {
    const user = await createUser();
    const during = await withKvFault(
      "net/v2/",
      () => Promise.reject(new Error("KV injected")),
      async () => await user.discover(listed),
    );
    expect(during.body.degraded).toEqual(dataKinds);
    vi.setSystemTime(now + 61_000);
    const after = await user.discover(listed);
    expect(after.body.degraded).toEqual([]);
    expect(signalsOf(after.body)).toEqual(["agent_scripted", "tor_exit", "vpn"]);
  });

  it("is reported as missing when its lists are too old", async () => {
    await storeFeeds(now - 91 * dayMs);
    const body = await expectLogin(await createUser(), "", (read) => read());
    expect(body.degraded).toEqual(dataKinds);
    expect(signalsOf(body)).toEqual(["agent_scripted"]);
  });
});
