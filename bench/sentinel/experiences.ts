/**
 * The worst that happens to real users (pure): logins that equal the user's last one, except for one thing. Each
 * stands where a real login of the test period was, so time and history are real.
 */
import type { AgentPool } from "./generator/agents.ts";
import { createIpv6, isIpv6 } from "./generator/ipv6.ts";
import type { Visit } from "./generator/logins.ts";
import { drawAddress, type Provider } from "./generator/networks.ts";
import { findFirstFrom, type Strangers } from "./generator/strangers.ts";
import type { Random } from "./random.ts";
import {
  type Course,
  createTrial,
  type ExperienceKind,
  experienceKinds,
  type Trial,
} from "./trial.ts";

const minuteMs = 60 * 1000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
/** Logins that each kind changes, of each year. */
const maxCourses = 1000;
/** A journey to another country takes time. */
const minTravelMs = 24 * hourMs;
const maxTries = 30;
/** Share of renumbered homes that stay in the same /40; assumed. */
const samePool = 0.7;
/** An office: its people, the time within which they come, and the days from one office to the next. */
const officePeople = 110;
const arrivalMs = 30 * minuteMs;
const officeEveryDays = 14;
const windowMs = 10 * minuteMs;
/** Numbers of people that are not users yet. */
const firstNewcomer = 900_000;

/** Draws strangers until one fits. */
function drawFitting(
  draw: () => Visit | undefined,
  fits: (visit: Visit) => boolean,
): Visit | undefined {
  for (let left = maxTries; left > 0; left -= 1) {
    const found = draw();
    if (found !== undefined && fits(found)) return found;
  }
  return undefined;
}

type Change = (last: Visit, at: number) => Partial<Visit> | undefined;

/** What differs from the user's last login; undefined: it cannot happen to this user. */
function createChanges(
  strangers: Strangers,
  agents: AgentPool,
  random: Random,
): Readonly<Partial<Record<ExperienceKind, Change>>> {
  return {
    nothingNew: () => ({}),
    travel(last, at) {
      if (at - last.at < minTravelMs) return undefined;
      const host = drawFitting(
        () => strangers.drawAny(at, random),
        ({ provider }) => provider.country !== last.provider.country,
      );
      return host === undefined ? undefined : { provider: host.provider, address: host.address };
    },
    newPhone(last, at) {
      const owner = drawFitting(
        () => strangers.drawAny(at, random),
        ({ device, agent }) => device === "mobile" && agent !== last.agent,
      );
      return owner === undefined ? undefined : { agent: owner.agent, device: owner.device };
    },
    newProvider(last, at) {
      const { country, asn } = last.provider;
      const customer = drawFitting(
        () => strangers.drawInCountry(country, at, random),
        ({ provider }) => provider.asn !== asn,
      );
      if (customer === undefined) return undefined;
      return { provider: customer.provider, address: customer.address };
    },
    browserUpdate({ agent }) {
      const updated = agents.updateText(agent);
      return updated === agent ? undefined : { agent: updated };
    },
    ipv6Renumbering({ address, provider }) {
      if (!isIpv6(address)) return undefined;
      const [pool, site, device] = [random.next(), random.next(), random.next()];
      const renumbered = createIpv6(provider.asn, pool, site, device);
      if (!random.chance(samePool)) return { address: renumbered };
      return { address: createIpv6(provider.asn, poolShareOf(address), site, device) };
    },
  };
}

/** The share that chooses the pool of the address again. */
function poolShareOf(address: number): number {
  return ((Math.floor(address / 2 ** 25) % 256) + 0.5) / 256;
}

function createChangedTrials(
  courses: readonly Course[],
  strangers: Strangers,
  agents: AgentPool,
  random: Random,
): Trial[] {
  const changes = createChanges(strangers, agents, random);
  return random
    .shuffle(courses)
    .slice(0, maxCourses)
    .flatMap((course) => {
      const { last, visit } = course;
      if (last === undefined) return [];
      return experienceKinds.flatMap((kind) => {
        const change = changes[kind]?.(last, visit.at);
        if (change === undefined) return [];
        const changed = { ...last, at: visit.at, ...change };
        return [createTrial("experience", course, { kind, crowd: null, visit: changed })];
      });
    });
}

/** The times at which people come to an office, with the crowd that each of them is in. */
function drawArrivals(from: number, random: Random) {
  const times = Array.from({ length: officePeople }, () => Math.floor(random.next() * arrivalMs));
  return times
    .toSorted((left, right) => left - right)
    .map((time, index, sorted) => {
      const recent = sorted.slice(0, index + 1).filter((other) => other > time - windowMs).length;
      return {
        at: from + time,
        crowd: { fromAddress: recent, fromPrefix: recent, fromNetwork: recent },
      };
    });
}

interface Office {
  readonly provider: Provider;
  readonly address: number;
  readonly from: number;
}

function createOfficeTrials(
  { provider, address, from }: Office,
  courses: readonly Course[],
  visits: readonly Visit[],
  strangers: Strangers,
  random: Random,
): Trial[] {
  const arrivals = drawArrivals(from, random);
  const place = { provider, address };
  const period = "test";
  const byUser = new Map(courses.map((course) => [course.visit.user, course]));
  const pasts = [...byUser.values()].map(({ known, visit }) => {
    const earlier = known.filter(({ at }) => at < from);
    return { visit, known: earlier, last: earlier.at(-1) };
  });
  // People work in the country that they log in from.
  const locals = pasts.filter(({ last }) => last?.provider.country === provider.country);
  const colleagues = random.shuffle(locals).slice(0, officePeople);
  const moved = colleagues.flatMap((past, index) => {
    const { at = 0, crowd = null } = arrivals[index] ?? {};
    if (past.last === undefined) return [];
    const course = { ...past, period, position: findFirstFrom(visits, at) } as const;
    const visit = { ...past.last, ...place, at };
    return [createTrial("experience", course, { kind: "officeMove", crowd, visit })];
  });
  const newcomers = arrivals.flatMap(({ at, crowd }, index) => {
    const person = strangers.drawAny(at, random);
    if (person === undefined) return [];
    const visit = { ...person, ...place, user: firstNewcomer + index, at };
    const position = findFirstFrom(visits, at);
    const course = { position, period, visit, known: [], last: undefined } as const;
    return [createTrial("experience", course, { kind: "officeNewcomers", crowd, visit })];
  });
  return [...moved, ...newcomers];
}

/** @param courses the logins of validation and test period */
export function createExperienceTrials(
  courses: readonly Course[],
  visits: readonly Visit[],
  strangers: Strangers,
  agents: AgentPool,
  random: Random,
): Trial[] {
  const tested = courses.filter(({ period, last }) => period === "test" && last !== undefined);
  const [first] = tested;
  const end = tested.at(-1)?.visit.at ?? 0;
  const offices: Trial[] = [];
  for (let from = first?.visit.at ?? end; from < end; from += officeEveryDays * dayMs) {
    const host = strangers.drawAny(from, random);
    if (host === undefined) continue;
    const { provider } = host;
    const office = { provider, address: drawAddress(provider, random), from };
    const later = tested.filter(({ visit }) => visit.at > from);
    offices.push(...createOfficeTrials(office, later, visits, strangers, random));
  }
  return [...createChangedTrials(tested, strangers, agents, random), ...offices];
}
