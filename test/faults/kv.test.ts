/**
 * KV that is empty, stale, damaged, failing or hanging, as a client sees it: a session is assessed
 * without what is missing, and everything else goes on.
 */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { feedOf, encodeDataSet } from "../sentinel/network/support.ts";
import { type Answer, Tenant, User } from "../support/client.ts";
import { type KvFault, kvFaults, withKvFault } from "../support/kv.ts";
import { drained, trailOf } from "../support/settled.ts";

const day = 24 * 60 * 60 * 1000;
/** On a list of the shard and on one of `current`. */
const listed = { ip: "185.220.101.7", ua: "curl/8.9" };
const feeds = [feedOf("vpn", "185.220.101.0/24"), feedOf("tor", "185.220.101.7")];
let now = Date.now();

async function store(builtAt: number): Promise<void> {
  for (const [key, value] of encodeDataSet(feeds, builtAt)) await env.IP_REPUTATION.put(key, value);
}

// Days apart, so that the isolate remembers nothing of the test before.
beforeEach(async () => {
  now += 2 * day;
  vi.useFakeTimers({ toFake: ["Date"], now });
  await store(now);
});

afterEach(() => {
  vi.useRealTimers();
});

function signalsOf(body: Answer["body"]): string[] {
  return body.reasons.map(({ signal }: { signal: string }) => signal).toSorted();
}

async function someone(): Promise<User> {
  return await User.withTotp(await Tenant.create());
}

/** A login under the fault: assessed, verified, judged, and told in the trail. */
async function expectLogin(user: User, prefix: string, fault: KvFault) {
  const { tenant } = user;
  await drained(user);
  const told = await trailOf(tenant);
  const assessed = await withKvFault(prefix, fault, async () => {
    const answer = await user.discover(listed);
    const { assessment_id } = answer.body;
    expect((await user.verify(user.code(now), undefined, assessment_id)).status).toBe(200);
    expect((await user.judge(assessment_id, "legitimate")).status).toBe(204);
    return answer;
  });
  expect(assessed.status).toBeOneOf([200, 403]);
  await drained(user);
  expect(await trailOf(tenant)).toEqual([
    ...told,
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

describe.each(kvFaults)("KV that $how", ({ fault }) => {
  it("for the list of shards is said to be missing, and a login goes on", async () => {
    const body = await expectLogin(await someone(), "net/v2/current", fault);
    expect(body.degraded).toEqual(["ip_reputation"]);
    expect(signalsOf(body)).toEqual(["agent_scripted"]);
  });

  it("for the shard is said to be missing, and a login goes on with the lists", async () => {
    const body = await expectLogin(await someone(), "net/v2/4/", fault);
    expect(body.degraded).toEqual(["ip_reputation"]);
    expect(signalsOf(body)).toEqual(["agent_scripted", "tor_exit"]);
  });

  it("for everything is said to be missing, and a login goes on", async () => {
    const body = await expectLogin(await someone(), "", fault);
    expect(body.degraded).toEqual(["ip_reputation"]);
    expect(signalsOf(body)).toEqual(["agent_scripted"]);
  });
});

describe("KV that is not amiss", () => {
  it("is not said to be missing", async () => {
    const body = await expectLogin(await someone(), "", (read) => read());
    expect(body.degraded).toEqual([]);
    expect(signalsOf(body)).toEqual(["agent_scripted", "tor_exit", "vpn"]);
  });

  it("is believed again with the first read that succeeds", async () => {
    const user = await someone();
    const hurt = await withKvFault(
      "net/v2/",
      () => Promise.reject(new Error("KV injected")),
      async () => await user.discover(listed),
    );
    expect(hurt.body.degraded).toEqual(["ip_reputation"]);
    vi.setSystemTime(now + 61_000);
    const healed = await user.discover(listed);
    expect(healed.body.degraded).toEqual([]);
    expect(signalsOf(healed.body)).toEqual(["agent_scripted", "tor_exit", "vpn"]);
  });

  it("and is older than lists are believed is said to be missing", async () => {
    await store(now - 91 * day);
    const body = await expectLogin(await someone(), "", (read) => read());
    expect(body.degraded).toEqual(["ip_reputation"]);
    expect(signalsOf(body)).toEqual(["agent_scripted"]);
  });
});
