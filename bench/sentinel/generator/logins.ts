/** The logins of a year (pure), in the order of time. */
import { mixed, Random } from "../random.ts";
import type { DeviceKind } from "./agents.ts";
import type { Provider } from "./networks.ts";
import { nowOf, type Person, somePerson, type World } from "./people.ts";
import type { Place } from "./access-points.ts";
import { peopleRates, rhythmRates } from "./rates.ts";
import { daysBeforeEpoch, loginTimes, someLoginCount } from "./rhythm.ts";

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;

/** A login as it happens. */
export interface Visit {
  /** Unix ms. */
  readonly at: number;
  readonly user: number;
  readonly provider: Provider;
  readonly address: number;
  readonly agent: string;
  readonly device: DeviceKind;
}

function isWorkTime({ rhythm }: Person, at: number): boolean {
  const local = at + rhythm.offsetMs;
  const hour = Math.floor(local / hourMs) % 24;
  const day = (Math.floor(local / dayMs) + daysBeforeEpoch) % 7;
  return (
    day < rhythmRates.workdays &&
    hour >= rhythmRates.workHours[0] &&
    hour < rhythmRates.workHours[1]
  );
}

/** The exit of that day, or none. */
function exitOf(person: Person, user: number, at: number): Place | undefined {
  if (person.exits.length === 0) return undefined;
  const day = new Random(`exit/${mixed(user)}/${Math.floor(at / dayMs)}`);
  if (!day.chance(person.atExit)) return undefined;
  return day.pick(person.exits);
}

function someDevice(person: Person, random: Random): DeviceKind {
  const others = [...person.devices.keys()].filter((kind) => kind !== person.usualDevice);
  const other = others[0];
  return other !== undefined && random.chance(peopleRates.usesSecondDevice)
    ? other
    : person.usualDevice;
}

function somePlace(
  person: Person,
  user: number,
  device: DeviceKind,
  at: number,
  random: Random,
): Place {
  const exit = exitOf(person, user, at);
  if (exit !== undefined) return exit;
  const onTrip = person.trips.find(({ from, until }) => from <= at && at < until);
  const phone = nowOf(person.phones, at);
  if (onTrip !== undefined) return random.chance(peopleRates.localOnTrip) ? onTrip.place : phone;
  if (person.work !== null && isWorkTime(person, at) && random.chance(peopleRates.atWork)) {
    return person.work;
  }
  if (device === "mobile" && random.chance(peopleRates.phoneAway)) return phone;
  return nowOf(person.homes, at);
}

function agentOf(
  person: Person,
  kind: DeviceKind,
  at: number,
  { agents, reading }: World,
  random: Random,
): string {
  const [main = [], ...spares] = person.devices.get(kind) ?? [];
  const spare = spares.length > 0 && random.chance(reading.usesSpare);
  return agents.textAt(nowOf(spare ? random.pick(spares) : main, at), at);
}

function visitsOf(world: World, person: Person, user: number, random: Random): Visit[] {
  const times = loginTimes(someLoginCount(random), world.from, person.rhythm, random);
  return times.map((at) => {
    const device = someDevice(person, random);
    const place = somePlace(person, user, device, at, random);
    const address = place.addressAt(at);
    const agent = agentOf(person, device, at, world, random);
    return { at, user, provider: place.provider, address, agent, device };
  });
}

/** @param firstUser number of the first user; each has a course of its own */
export function visitsOfYear(
  world: World,
  seed: number,
  firstUser: number,
  users: number,
): Visit[] {
  const visits: Visit[] = [];
  for (let user = firstUser; user < firstUser + users; user += 1) {
    const random = new Random(`${seed}/${user}`);
    visits.push(...visitsOf(world, somePerson(world, random), user, random));
  }
  return visits.toSorted((left, right) => left.at - right.at);
}
