/** Discover assesses sessions by the lists that an import wrote. */

import { env } from "cloudflare:workers";
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { dataKinds } from "../../src/sentinel/network/network-facts.ts";
import { type Answer, Tenant, User } from "../support/client.ts";
import { encodeDataSet, feedOf, geographyOf, keyOfShard } from "./network/support.ts";

const browser =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36";
const origins = geographyOf(
  ["1.1.0.0/16,13335", "45.33.0.0/17,63949", "185.220.100.0/22,60729", "2606:4700::/32,13335"],
  ["1.1.0.0/16,AU", "45.33.0.0/17,US", "185.220.100.0/22,DE", "2606:4700::/32,US"],
);
let values: ReadonlyMap<string, Uint8Array>;
let user: User;

beforeAll(async () => {
  const feeds = [
    feedOf("tor", "185.220.101.7", "2a0b:f4c2::1"),
    feedOf("vpn", "185.220.100.0/22", "2606:4700:102::/48"),
    feedOf("hosting", "45.33.0.0/17"),
    feedOf("relay", "104.28.28.0/26"),
    feedOf("hosting", "104.28.0.0/16"),
    feedOf("threat", "1.0.140.168", "5.5.5.5 9"),
    feedOf("threat", "1.0.140.0/24"),
  ];
  values = encodeDataSet(feeds, Date.now(), origins);
  for (const [key, value] of values) await env.IP_REPUTATION.put(key, value);
});

beforeEach(async () => {
  user = await User.withTotp(await Tenant.create());
});

async function discover(ip: string, ua = "EnterpriseAgent/1.0"): Promise<Answer> {
  return await user.tenant.send("POST", "/v1/sentinel/discover", {
    sentinel: { id: user.id, context: { ip, ua } },
  });
}

function signalsOf({ body }: Answer): string[] {
  return body.reasons.map(({ signal }: { signal: string }) => signal);
}

const shardKinds = dataKinds.filter((kind) => !["tor", "scanner", "threat"].includes(kind));

describe("A session from", () => {
  it("an unlisted address is assessed without degradation", async () => {
    const { body } = await discover("9.9.9.9");
    expect(body).toMatchObject({ risk_score: 0.05, reasons: [], degraded: [] });
  });

  it("an address with only a network and a country is assessed without degradation", async () => {
    for (const ip of ["1.1.1.1", "2606:4700:4700::1111"]) {
      const { body } = await discover(ip);
      expect(body).toMatchObject({ risk_score: 0.05, reasons: [], degraded: [] });
    }
  });

  it("a Tor exit is challenged, or denied when the agent is scripted", async () => {
    const challenged = await discover("185.220.101.7", browser);
    expect(challenged.status).toBe(200);
    expect(challenged.body).toMatchObject({ recommendation: "challenge" });
    expect(signalsOf(challenged)).toEqual(["tor_exit", "vpn"]);
    const denied = await discover("185.220.101.7", "python-requests/2.32");
    expect(denied.status).toBe(403);
    expect(denied.body).toMatchObject({ error: "High risk detection", recommendation: "deny" });
    expect(signalsOf(await discover("2a0b:f4c2::ffff"))).toEqual(["tor_exit"]);
    expect(signalsOf(await discover("::ffff:185.220.101.7"))).toContain("tor_exit");
  });

  it("a listed network has its signal at its first and last address, but not beyond", async () => {
    expect(signalsOf(await discover("185.220.100.0"))).toEqual(["vpn"]);
    expect(signalsOf(await discover("185.220.103.255"))).toEqual(["vpn"]);
    expect(signalsOf(await discover("185.220.99.255"))).toEqual([]);
    expect(signalsOf(await discover("185.220.104.0"))).toEqual([]);
  });

  it("a listed IPv6 network has its signal up to its borders too", async () => {
    expect(signalsOf(await discover("2606:4700:102::"))).toEqual(["vpn"]);
    expect(signalsOf(await discover("2606:4700:102:ffff:ffff:ffff:ffff:ffff"))).toEqual(["vpn"]);
    expect(signalsOf(await discover("2606:4700:101:ffff::1"))).toEqual([]);
    expect(signalsOf(await discover("2606:4700:103::1"))).toEqual([]);
  });

  it("a hosting network raises a signal only for a browser", async () => {
    expect(signalsOf(await discover("45.33.1.1"))).toEqual([]);
    // A new user, because a change of agent would be a signal of its own.
    user = await User.withTotp(user.tenant);
    expect(signalsOf(await discover("45.33.1.1", browser))).toEqual(["hosting_network"]);
  });

  it("a privacy relay does not raise the score, even inside a hosting network", async () => {
    const { body } = await discover("104.28.28.1", browser);
    expect(body.risk_score).toBe(0.05);
    expect(signalsOf(await discover("104.28.28.1", browser))).toEqual(["privacy_relay"]);
  });

  it("a threat-listed address scores higher the more lists name it", async () => {
    const scores = [];
    for (const ip of ["1.0.140.1", "1.0.140.168", "5.5.5.5"]) {
      scores.push((await discover(ip)).body.risk_score);
    }
    expect(scores).toEqual(scores.toSorted((a, b) => a - b));
    expect(new Set(scores).size).toBe(3);
    expect((await discover("5.5.5.5")).status).toBe(403);
  });

  it("a listed address is reported as degraded when its data is damaged", async () => {
    const key = keyOfShard(values, "185.220.101.7");
    const good = values.get(key) ?? new Uint8Array();
    const damaged = good.slice();
    damaged[30] = (damaged[30] ?? 0) ^ 1;
    await env.IP_REPUTATION.put(key, damaged);
    const exit = await discover("185.220.101.7");
    const vpn = await discover("185.220.102.1");
    await env.IP_REPUTATION.put(key, good);
    expect([exit.status, vpn.status]).toEqual([200, 200]);
    expect(exit.body.degraded).toEqual(shardKinds);
    expect(vpn.body.degraded).toEqual(shardKinds);
    // The list of exits is in another value, which is intact.
    expect(signalsOf(exit)).toEqual(["tor_exit"]);
    expect(signalsOf(await discover("185.220.102.1"))).toEqual(["vpn"]);
  });

  it("any address causes at most two reads of KV", async () => {
    const prototype = Object.getPrototypeOf(env.IP_REPUTATION);
    const reads = vi.spyOn(prototype, "get");
    await discover("45.33.1.1");
    const count = reads.mock.calls.length;
    reads.mockRestore();
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThanOrEqual(2);
  });
});
