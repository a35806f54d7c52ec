/** Scenarios that assess a session, with empty and with full lists. */
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { publishPopulations } from "../../src/sentinel/population/publish.ts";
import { findSealingDayKey } from "../../src/tenancy/sealing-day-key.ts";
import { invalidateTenant } from "../../src/tenancy/token-cache.ts";
import { encodeDataSet, feedOf, geographyOf, storeNetwork } from "../sentinel/network/support.ts";
import type { Answer, User } from "../support/client.ts";
import { evict, guardOf } from "../support/guard.ts";
import { createUser, deliverAll, type Ready, type Scenario, sendWithKey } from "./scenario.ts";

const dayMs = 24 * 60 * 60 * 1000;
const listed = "185.220.100.7";
const listedInAnotherBlock = "185.220.102.7";
/** In another pool than the others. */
const inAnotherNetwork = "185.221.102.7";

/** Creates a user with recent assessments from the listed address. */
async function createAssessedUser(): Promise<User> {
  const user = await createUser();
  // The first assessment caches the lists, the second the population.
  for (let n = 0; n < 2; n += 1) await user.assess({ ip: listed });
  await deliverAll(user);
  return user;
}

function discoverScenario(
  state: string,
  before: (user: User) => unknown = () => {},
  act: (user: User) => Ready["act"] = (user) => () => user.discover({ ip: listed }),
  status = 200,
): Scenario {
  const prepare = async (): Promise<Ready> => {
    const user = await createAssessedUser();
    await before(user);
    // The attempt is stored, and counted in the tenant, after the answer.
    return {
      act: act(user),
      delivers: guardOf(user),
      beside: /PrefixWatch\.store|TenantWatch\.count/,
    };
  };
  return { operation: "discover", state, status, prepare };
}

function discoverWithKey(user: User, key?: string): Promise<Answer> {
  const sentinel = { id: user.id, context: { ip: listed, ua: "EnterpriseAgent/1.0" } };
  return sendWithKey(user, "/v1/sentinel/discover", { sentinel }, key);
}

/** Moves the clock two days ahead and imports all lists, which this isolate has not cached. */
async function importAllLists(
  user: User,
  geography?: ReturnType<typeof geographyOf>,
): Promise<void> {
  vi.setSystemTime(Date.now() + 2 * dayMs);
  const feeds = [
    feedOf("vpn", "185.220.100.0/22"),
    feedOf("tor", "185.220.101.7"),
    feedOf("threat", "5.5.5.5 9"),
  ];
  await storeNetwork(encodeDataSet(feeds, Date.now(), geography));
  await publishPopulations(env, Date.now());
  await user.profile();
  // The first delivery of a day makes the day key; verify-scenarios.ts shows what that costs.
  await findSealingDayKey(env, { tenantId: user.tenant.id }, Date.now());
}

/** Proves the user's sessions, so that the guard does not delete them after a day. */
async function proveSessions(user: User): Promise<void> {
  const { body } = await user.tenant.send("GET", "/v1/sentinel/assessments");
  for (const one of body.assessments) await user.sendFeedback(one.assessment_id, "legitimate");
  await deliverAll(user);
}

export const discoverScenarios: readonly Scenario[] = [
  discoverScenario("no lists, from an address seen within the minute"),
  discoverScenario(
    "no lists, from an address new to the tenant",
    undefined,
    (user) => () => user.discover({ ip: "9.9.9.9" }),
  ),
  discoverScenario("no lists, cold token", ({ tenant }) => invalidateTenant(tenant.id)),
  discoverScenario("no lists, cold guard", evict),
  discoverScenario(
    "no lists, with an Idempotency-Key",
    async (user) => {
      await discoverWithKey(user, "before");
      await deliverAll(user);
    },
    (user) => () => discoverWithKey(user),
  ),
  discoverScenario(
    "denied by the tenant's list",
    async ({ tenant }) => {
      await tenant.setSettings({ sentinel: { deny: [`${listed}/32`] } });
      await tenant.send("GET", "/v1/settings");
    },
    undefined,
    403,
  ),
  discoverScenario("full lists, none in memory", importAllLists),
  discoverScenario(
    "full lists, none in memory, from an address new to the tenant",
    async (user) => {
      await proveSessions(user);
      await importAllLists(user);
    },
    (user) => () => user.discover({ ip: listedInAnotherBlock }),
  ),
  discoverScenario("full lists, the population is read", async (user) => {
    await importAllLists(user);
    await user.assess({ ip: listed });
    await deliverAll(user);
  }),
  discoverScenario(
    "full lists, all in memory, from a network new to the user",
    async (user) => {
      await importAllLists(user, geographyOf(["185.221.102.0/24,60729"]));
      for (let n = 0; n < 2; n += 1) await user.assess({ ip: listed });
      await deliverAll(user);
    },
    (user) => () => user.discover({ ip: inAnotherNetwork }),
  ),
  discoverScenario("full lists, all in memory", async (user) => {
    await importAllLists(user);
    for (let n = 0; n < 2; n += 1) await user.assess({ ip: listed });
    await deliverAll(user);
  }),
];
