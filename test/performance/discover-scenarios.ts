/** Assessing a session, with empty and with full lists. */
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { publishPopulations } from "../../src/sentinel/population/publish.ts";
import { invalidateTenant } from "../../src/tenancy/resolve-token.ts";
import { feedOf, encodeDataSet, storeNetwork } from "../sentinel/network/support.ts";
import type { Answer, User } from "../support/client.ts";
import { evict, guardOf } from "../support/guard.ts";
import { type Ready, type Scenario, someone, toRest, withKey } from "./scenario.ts";

const dayMs = 24 * 60 * 60 * 1000;
const listed = "185.220.100.7";

/** Someone whose sessions are assessed, at an address that was seen within the minute. */
async function assessedBefore(): Promise<User> {
  const user = await someone();
  // The first reads the lists, the second the population; both are remembered.
  for (let n = 0; n < 2; n += 1) await user.assessed({ ip: listed });
  await toRest(user);
  return user;
}

function discovering(
  state: string,
  before: (user: User) => unknown = () => {},
  act: (user: User) => Ready["act"] = (user) => () => user.discover({ ip: listed }),
  status = 200,
): Scenario {
  const ready = async (): Promise<Ready> => {
    const user = await assessedBefore();
    await before(user);
    return { act: act(user), delivers: guardOf(user) };
  };
  return { operation: "discover", state, status, ready };
}

function keyed(user: User, key?: string): Promise<Answer> {
  const sentinel = { id: user.id, context: { ip: listed, ua: "EnterpriseAgent/1.0" } };
  return withKey(user, "/v1/sentinel/discover", { sentinel }, key);
}

/** All lists are imported, and this isolate has read none of it: it is a later day. */
async function fullLists(user: User): Promise<void> {
  vi.setSystemTime(Date.now() + 2 * dayMs);
  const feeds = [
    feedOf("vpn", "185.220.100.0/22"),
    feedOf("tor", "185.220.101.7"),
    feedOf("threat", "5.5.5.5 9"),
  ];
  await storeNetwork(encodeDataSet(feeds, Date.now()));
  await publishPopulations(env, Date.now());
  await user.profile();
}

export const discoverScenarios: readonly Scenario[] = [
  discovering("no lists, from an address seen within the minute"),
  discovering(
    "no lists, from an address new to the tenant",
    undefined,
    (user) => () => user.discover({ ip: "9.9.9.9" }),
  ),
  discovering("no lists, cold token", ({ tenant }) => invalidateTenant(tenant.id)),
  discovering("no lists, cold guard", evict),
  discovering(
    "no lists, with an Idempotency-Key",
    async (user) => {
      await keyed(user, "before");
      await toRest(user);
    },
    (user) => () => keyed(user),
  ),
  discovering(
    "denied by the tenant's list",
    async ({ tenant }) => {
      await tenant.setSettings({ sentinel: { deny: [`${listed}/32`] } });
      await tenant.send("GET", "/v1/settings");
    },
    undefined,
    403,
  ),
  discovering("full lists, nothing of them in memory", fullLists),
  discovering("full lists, the population is read", async (user) => {
    await fullLists(user);
    await user.assessed({ ip: listed });
    await toRest(user);
  }),
  discovering("full lists, all in memory", async (user) => {
    await fullLists(user);
    for (let n = 0; n < 2; n += 1) await user.assessed({ ip: listed });
    await toRest(user);
  }),
];
