/** The tenant watch sees what is spread over a whole tenant: in a real Durable Object, and over HTTP. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { compareWithActivity } from "../../../src/sentinel/activity/compare-activity.ts";
import type { FraudReport } from "../../../src/sentinel/activity/tenant-activity.ts";
import type { SessionEvidence } from "../../../src/sentinel/evidence.ts";
import type { NetworkKind } from "../../../src/sentinel/network/network-facts.ts";
import type { Reason } from "../../../src/sentinel/reason.ts";
import { findNetworkStuffingReasons } from "../../../src/sentinel/signals/network-stuffing.ts";
import { Tenant, User } from "../../support/client.ts";
import { countCalls } from "../../support/count-calls.ts";
import { neutralEvidence } from "../example.ts";
import { encodeDataSet, feedOf, geographyOf, storeNetwork } from "../network/support.ts";

const minute = 60_000;
const day = 24 * 60 * minute;
const now = 1_700_000_000_000;
const ua = "EnterpriseAgent/1.0";
const browser =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36";
let watches = 0;

function createWatch() {
  watches += 1;
  return env.TENANT_WATCHES.get(env.TENANT_WATCHES.idFromName(`test:${watches}`));
}

function attemptOf(name: string, networks: readonly string[] = ["AS64500"], at = now) {
  return { identityId: name, networks, at };
}

function fraudOf(id: string, at = now): FraudReport {
  return { id, address: `address of ${id}`, prefix: "prefix", agent: null, at };
}

async function readAlarm(watch: ReturnType<typeof createWatch>): Promise<number | null> {
  return await runInDurableObject(watch, (_, { storage }) => storage.getAlarm());
}

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("The tenant watch", () => {
  it("counts distinct users by network within ten minutes, and lists networks of five or more", async () => {
    const watch = createWatch();
    for (let n = 0; n < 4; n += 1) await watch.count(attemptOf(`user-${n}`));
    await watch.count(attemptOf("user-0", ["AS64500", "2001:db8::/32"]));
    await watch.count(attemptOf("other", ["AS64501"]));
    expect(await watch.read(now)).toMatchObject({ users: 5, networks: [] });
    expect(await watch.count(attemptOf("user-5", ["AS64500"], now + minute))).toMatchObject({
      users: 6,
      networks: [{ network: "AS64500", users: 5 }],
    });
    expect(await watch.read(now + 10 * minute)).toMatchObject({ users: 1, networks: [] });
  });

  it("keeps its bounds, whoever comes from wherever", async () => {
    const watch = createWatch();
    for (let n = 0; n < 50; n += 1) await watch.count(attemptOf("decoy", [`AS${n}`]));
    for (let n = 0; n < 1_050; n += 1) await watch.count(attemptOf(`user-${n}`));
    const activity = await watch.read(now);
    expect(activity?.users).toBe(1_000);
    for (let n = 0; n < 150; n += 1) await watch.report(fraudOf(`id-${n}`));
    expect((await watch.read(now))?.frauds).toHaveLength(100);
    const size = await runInDurableObject(
      watch,
      (_, { storage }) => JSON.stringify([...storage.kv.list()]).length,
    );
    expect(size).toBeLessThan(150_000);
  });

  it("loses at most a fifth of the users by an eviction, and writes about fifteen rows for a hundred", async () => {
    const watch = createWatch();
    const work = async () => {
      const counted = env.TENANT_WATCHES.get(watch.id);
      for (let n = 0; n < 100; n += 1) {
        await counted.count(attemptOf(`user-${n}`));
        await counted.count(attemptOf(`user-${n}`));
      }
    };
    expect((await countCalls(work)).counts.objectRowsWritten).toBeLessThan(20);
    await evictDurableObject(watch);
    expect((await watch.read(now))?.users).toBeGreaterThanOrEqual(80);
  });

  it("keeps a report of fraud for a day, once, until it is withdrawn", async () => {
    const watch = createWatch();
    for (const id of ["one", "one", "two"]) await watch.report(fraudOf(id));
    await evictDurableObject(watch);
    expect((await watch.read(now))?.frauds.map(({ id }) => id)).toEqual(["one", "two"]);
    await watch.withdraw("one");
    expect((await watch.read(now + day - 1))?.frauds.map(({ id }) => id)).toEqual(["two"]);
    expect((await watch.read(now + day))?.frauds).toEqual([]);
  });

  it("deletes attempts after ten minutes, and everything after a day", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const watch = createWatch();
    const start = Date.now();
    await watch.count(attemptOf("user", ["AS64500"], start));
    await watch.report(fraudOf("one", start));
    expect(await readAlarm(watch)).toBe(start + 10 * minute);
    vi.setSystemTime(start + 10 * minute);
    expect(await runDurableObjectAlarm(watch)).toBe(true);
    expect(await readAlarm(watch)).toBe(start + day);
    vi.setSystemTime(start + day);
    expect(await runDurableObjectAlarm(watch)).toBe(true);
    const left = await runInDurableObject(watch, (_, { storage }) => [...storage.kv.list()]);
    expect([left, await readAlarm(watch)]).toEqual([[], null]);
  });

  it("is empty after it was cleared, and counts anew", async () => {
    const watch = createWatch();
    await watch.count(attemptOf("user"));
    await watch.report(fraudOf("one"));
    expect(await watch.clear()).toBe(true);
    const left = await runInDurableObject(watch, (_, { storage }) => [...storage.kv.list()]);
    expect([left, await readAlarm(watch)]).toEqual([[], null]);
    expect(await watch.count(attemptOf("other"))).toMatchObject({ users: 1, frauds: [] });
    expect(await readAlarm(watch)).not.toBeNull();
  });

  it("says nothing about a session that shares nothing with its activity", () => {
    const activity = {
      users: 9,
      networks: [{ network: "AS64500", users: 9 }],
      frauds: [fraudOf("one")],
    };
    const session = { address: "a", prefix: "b", agent: "c" };
    expect(compareWithActivity(activity, ["AS1"], session)).toEqual({});
    expect(compareWithActivity(activity, ["AS1"], { ...session, prefix: "prefix" })).toEqual({
      nearbyFraud: ["prefix"],
    });
    expect(compareWithActivity(activity, ["AS64500"], session)).toEqual({
      networkCrowd: { users: 9, fromNetwork: 9 },
    });
  });
});

describe("The signal network_stuffing", () => {
  const contributionOf = (
    { users = 0, fromNetwork = 0, count = 0, all = 0 }: Record<string, number>,
    network: SessionEvidence["network"] = neutralEvidence.network,
  ) => {
    const networkCrowd = { users, fromNetwork, population: { count, all } };
    const reasons = findNetworkStuffingReasons({ ...neutralEvidence, network, networkCrowd });
    return reasons[0]?.contribution ?? 0;
  };
  const withFacts = (...kinds: readonly NetworkKind[]) => ({
    ...neutralEvidence.network,
    facts: { kinds, threatGrade: 0 },
  });

  it("counts only the users beyond what the network's share and chance explain", () => {
    // The newcomers of a provider that half of the users have, and of one that few have.
    expect(contributionOf({ users: 200, fromNetwork: 110, count: 250, all: 500 })).toBe(0);
    expect(contributionOf({ users: 200, fromNetwork: 110, count: 0, all: 500 })).toBe(3.2);
    expect(contributionOf({ users: 9, fromNetwork: 9, count: 0, all: 500 })).toBe(0);
  });

  it("takes the launch of a tenant for a launch, and a hoster for a hoster", () => {
    expect(contributionOf({ users: 250, fromNetwork: 150 })).toBe(0);
    expect(contributionOf({ users: 250, fromNetwork: 150 }, withFacts("hosting"))).toBe(3.2);
    expect(contributionOf({ users: 40, fromNetwork: 40 }, withFacts("vpn"))).toBe(2.6);
    expect(contributionOf({ users: 40, fromNetwork: 40 }, withFacts("vpn", "relay"))).toBe(0);
    const reserved = { ...neutralEvidence.network, reservedRange: "uniqueLocal" };
    expect(contributionOf({ users: 400, fromNetwork: 400 }, reserved)).toBe(0);
  });
});

type Answer = { readonly risk_score: number; readonly reasons: readonly Reason[] };

function contributionIn({ reasons }: Answer, name: string): number {
  return reasons.find(({ signal }) => signal === name)?.contribution ?? 0;
}

describe("Discover", () => {
  const discover = async (user: User, ip: string, agent = ua): Promise<Answer> =>
    (await user.discover({ ip, ua: agent })).body;

  it("sees stuffing over forty /48s of one hoster, and over the blocks of one autonomous system", async () => {
    // An isolate may know the network data before for a minute.
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 10 * minute });
    const hosters = feedOf("hosting", "45.80.0.0/12", "2a0a:d6c0::/29");
    const values = encodeDataSet([hosters], Date.now(), geographyOf(["45.80.0.0/12,64500"]));
    await storeNetwork(values);
    for (const spread of [
      (n: number) => `2a0a:d6c0:${(n * 7).toString(16)}::1`,
      (n: number) => `45.${80 + (n % 16)}.${n}.7`,
    ]) {
      const tenant = await Tenant.create();
      const users = await Promise.all(Array.from({ length: 40 }, () => User.provision(tenant)));
      const answers: Answer[] = [];
      for (const [n, user] of users.entries()) {
        answers.push(await discover(user, spread(n), browser));
      }
      const found = answers.map((answer) => contributionIn(answer, "network_stuffing"));
      expect(found.slice(0, 10)).toEqual(new Array(10).fill(0));
      expect(found.at(-1)).toBe(2.6);
      expect(answers.at(-1)?.risk_score).toBeGreaterThan(0.5);
      expect(answers.filter((one) => contributionIn(one, "credential_stuffing") > 0)).toEqual([]);
    }
    const bystander = await discover(await User.provision(await Tenant.create()), "45.80.1.7");
    expect(contributionIn(bystander, "network_stuffing")).toBe(0);
  });

  it("challenges a user who is tried from thirty networks in a minute, but hardly at the usual address", async () => {
    const user = await User.provision(await Tenant.create());
    const home = "84.208.20.110";
    const { body } = await user.discover({ ip: home, ua });
    await user.sendFeedback(body.assessment_id, "legitimate");
    expect(contributionIn(await discover(user, "91.90.1.1"), "many_networks")).toBe(0);
    let last: Answer = { risk_score: 0, reasons: [] };
    for (let n = 2; n < 30; n += 1) last = await discover(user, `91.90.${n}.1`);
    expect(contributionIn(last, "many_networks")).toBe(3.6);
    expect(last.risk_score).toBeGreaterThan(0.5);
    const atHome = await discover(user, home);
    expect(contributionIn(atHome, "many_networks")).toBeCloseTo(0.9);
    expect(atHome.risk_score).toBeLessThan(0.5);
  });

  it("holds fraud that was reported against the tenant's other users for a day, until it is withdrawn", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const tenant = await Tenant.create();
    const [victim, other] = [await User.provision(tenant), await User.provision(tenant)];
    const { body } = await victim.discover({ ip: "177.38.4.9", ua: "Thief/1.0" });
    const nearby = async (ip: string, agent = ua) => {
      return contributionIn(await discover(other, ip, agent), "nearby_fraud");
    };
    /** An isolate may keep what it knows for half a minute, and is told of the feedback after the answer. */
    const waitUntilNearby = async (contribution: number) => {
      await vi.waitFor(
        async () => {
          vi.setSystemTime(Date.now() + minute);
          expect(await nearby("177.38.4.9")).toBe(contribution);
        },
        { timeout: 20_000 },
      );
    };
    expect(await nearby("177.38.4.9")).toBe(0);
    await victim.sendFeedback(body.assessment_id, "fraud");
    await waitUntilNearby(2.5);
    expect(await nearby("177.38.4.10")).toBe(1.2);
    expect(await nearby("177.39.4.10", "Thief/1.0")).toBe(0.4);
    expect(await nearby("177.39.4.10")).toBe(0);
    const foreign = await discover(await User.provision(await Tenant.create()), "177.38.4.9");
    expect(contributionIn(foreign, "nearby_fraud")).toBe(0);
    // What the own history says is not said twice.
    const own = await discover(victim, "177.38.4.9");
    expect(contributionIn(own, "reported_fraud")).toBe(4);
    expect(contributionIn(own, "nearby_fraud")).toBe(0);
    vi.setSystemTime(Date.now() + day);
    expect(await nearby("177.38.4.9")).toBe(0);
    vi.setSystemTime(Date.now() - day + 60 * minute);
    expect(await nearby("177.38.4.9")).toBe(2.5);
    await victim.sendFeedback(body.assessment_id, "legitimate");
    await waitUntilNearby(0);
  });

  it("is degraded, and does not fail, without an answer of the watch", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const user = await User.provision(await Tenant.create());
    vi.spyOn(env.TENANT_WATCHES, "get").mockImplementation(() => {
      throw new Error("injected");
    });
    const { status, body } = await user.discover({ ip: "84.208.20.110", ua });
    expect(status).toBe(200);
    expect(body.degraded).toContain("address_activity");
  });
});
