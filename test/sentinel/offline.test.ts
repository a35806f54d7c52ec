/**
 * The evaluation (bench/sentinel) scores sessions without a service. The same sessions over HTTP, with real guards, get
 * exactly the same scores.
 */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { AgentPool, type AgentTable } from "../../bench/sentinel/generator/agents.ts";
import { attackerKinds, drawAttack } from "../../bench/sentinel/generator/attackers.ts";
import { createVisitsOfYear, type Visit } from "../../bench/sentinel/generator/logins.ts";
import { textOf } from "../../bench/sentinel/generator/networks.ts";
import { World } from "../../bench/sentinel/generator/people.ts";
import { asDefined, publishedLocality, yearDays } from "../../bench/sentinel/generator/rates.ts";
import { Strangers } from "../../bench/sentinel/generator/strangers.ts";
import { createSyntheticNetworks } from "../../bench/sentinel/generator/synthetic-networks.ts";
import { Lens } from "../../bench/sentinel/lens.ts";
import { SentinelRun } from "../../bench/sentinel/models/sentinel.ts";
import { Random } from "../../bench/sentinel/random.ts";
import { agentFactsOf } from "../../src/sentinel/agent.ts";
import { formatAddress } from "../../src/sentinel/network/address.ts";
import { strideOf } from "../support/campaign.ts";
import { Tenant, User } from "../support/client.ts";
import { encodeDataSet, geographyOf } from "./network/support.ts";

const hour = 60 * 60 * 1000;
const day = 24 * hour;
const minSessions = 500;
const webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
const agents: AgentTable = {
  source: "a few",
  at: Date.UTC(2026, 8, 22),
  agents: [
    `mobile Mozilla/5.0 (Linux; Android 10; K) ${webkit} Chrome/153.0.0.0 Mobile Safari/537.36`,
    "mobile Mozilla/5.0 (Android 14; Mobile; rv:155.0) Gecko/155.0 Firefox/155.0",
    `desktop Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webkit} Chrome/154.0.0.0 Safari/537.36`,
    "desktop Mozilla/5.0 (X11; Linux x86_64; rv:154.0) Gecko/20100101 Firefox/154.0",
    "tablet Mozilla/5.0 (iPad; CPU OS 18_7 like Mac OS X) AppleWebKit/605.1.15 Version/26.4 Safari/604.1",
  ].map((line) => {
    const [device = "", ...text] = line.split(" ");
    const kind = device === "mobile" || device === "tablet" ? device : "desktop";
    return { text: text.join(" "), weight: 0.2, device: kind };
  }),
};
const networks = createSyntheticNetworks();
const from = agents.at - yearDays * day;

interface Attempt {
  readonly visit: Visit;
  readonly isReal: boolean;
}

/** The logins of users who log in often and, after the last one of each, an attack; in the order of time. */
function createAttempts(): Attempt[] {
  const users = 300;
  const pool = new AgentPool(agents, asDefined);
  const world = new World(networks, pool, asDefined, publishedLocality, from, users);
  const people = createVisitsOfYear(world, 11, users, users);
  const strangers = new Strangers(people, networks.hosters);
  const byUser = Map.groupBy(createVisitsOfYear(world, 11, 0, users), ({ user }) => user);
  const random = new Random("attacks");
  const attempts: Attempt[] = [];
  const often = [...byUser].filter(([, visits]) => visits.length >= 8);
  for (const [index, [user, visits]] of often.entries()) {
    if (attempts.length >= minSessions) break;
    const last = visits.at(-1);
    const at = (last?.at ?? from) + 5 * hour;
    const kind = attackerKinds[index % attackerKinds.length] ?? "naive";
    const target = { user, known: visits, at, browser: last };
    const attack = drawAttack(kind, target, strangers, random);
    attempts.push(...visits.map((visit) => ({ visit, isReal: true })));
    if (attack !== undefined) attempts.push({ visit: attack.visit, isReal: false });
  }
  const stride = strideOf(8);
  const chosen = [...new Set(attempts.map(({ visit }) => visit.user))].filter(
    (_, index) => index % stride === 0,
  );
  return attempts
    .filter(({ visit }) => chosen.includes(visit.user))
    .toSorted((left, right) => left.visit.at - right.visit.at);
}

/** Network data that knows the networks of the generator. */
async function writeNetworkData(attempts: readonly Attempt[]): Promise<void> {
  const providers = [...networks.providers, ...networks.hosters];
  const ranges = providers.flatMap(({ asn, country, ranges: own }) =>
    own.map(([start, size]) => {
      const network = `${formatAddress(4, BigInt(start))}/${32 - Math.log2(size)}`;
      return { network, asn, country };
    }),
  );
  const ipv6 = attempts.flatMap(({ visit: { address, provider } }) => {
    const [first, second] = textOf(address).split(":");
    if (second === undefined) return [];
    return [{ network: `${first}:${second}::/32`, asn: provider.asn, country: provider.country }];
  });
  const all = new Map([...ranges, ...ipv6].map((one) => [one.network, one]));
  const origins = geographyOf(
    [...all.values()].map(({ network, asn }) => `${network},${asn}`),
    [...all.values()].map(({ network, country }) => `${network},${country}`),
  );
  for (const [key, value] of encodeDataSet([], agents.at, origins)) {
    await env.IP_REPUTATION.put(key, value);
  }
}

test("sessions over HTTP have exactly the scores of the evaluation", async () => {
  const attempts = createAttempts();
  await writeNetworkData(attempts);
  const tenant = await Tenant.create();
  tenant.clock = new Date(from).toISOString();
  const [lens, offline] = [new Lens(agentFactsOf), new SentinelRun(false)];
  const users = new Map<number, User>();
  const different: unknown[] = [];
  for (const { visit, isReal } of attempts) {
    tenant.clock = new Date(visit.at).toISOString();
    const user = users.get(visit.user) ?? (await User.provision(tenant));
    users.set(visit.user, user);
    const { body } = await user.discover({ ip: textOf(visit.address), ua: visit.agent });
    const login = lens.loginOf(visit);
    const { riskScore, kinds, recommendation, reasons } = offline.recordOf(login, false);
    const expected = { risk_score: riskScore, recommendation, kinds };
    const { risk_score, recommendation: recommended, kinds: shown } = body;
    const found = { risk_score, recommendation: recommended, kinds: shown };
    if (JSON.stringify(found) !== JSON.stringify(expected)) {
      different.push({ found, expected, reasons, shown: body.reasons });
    }
    lens.crowds.add(visit);
    if (!isReal) {
      offline.countAttempt(login);
      continue;
    }
    offline.observe(login);
    const { status } = await user.sendFeedback(body.assessment_id, "legitimate");
    expect(status).toBe(204);
  }
  expect(different.slice(0, 3)).toEqual([]);
  expect(different.length).toBe(0);
  expect(attempts.length).toBeGreaterThanOrEqual(minSessions / strideOf(8) / 2);
}, 120_000);
