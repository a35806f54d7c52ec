/** Creates the logins of a year (pure), in the order of time. */
import { mixBits, Random } from "../random.ts";
import type { AccessPoint } from "./access-points.ts";
import type { DeviceKind } from "./agents.ts";
import type { Provider } from "./networks.ts";
import { currentOf, drawPerson, type Person, type World } from "./people.ts";
import { peopleRates, rhythmRates } from "./rates.ts";
import { daysBeforeEpoch, drawLoginCount, drawLoginTimes } from "./rhythm.ts";

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

/** The exit that the person uses on that day; undefined: none. */
function drawExit(person: Person, user: number, at: number): AccessPoint | undefined {
  if (person.exits.length === 0) return undefined;
  const day = new Random(`exit/${mixBits(user)}/${Math.floor(at / dayMs)}`);
  if (!day.chance(person.atExit)) return undefined;
  return day.pick(person.exits);
}

function drawDevice(person: Person, random: Random): DeviceKind {
  const others = [...person.devices.keys()].filter((kind) => kind !== person.usualDevice);
  const other = others[0];
  return other !== undefined && random.chance(peopleRates.usesSecondDevice)
    ? other
    : person.usualDevice;
}

function drawAccessPoint(
  person: Person,
  user: number,
  device: DeviceKind,
  at: number,
  random: Random,
): AccessPoint {
  const exit = drawExit(person, user, at);
  if (exit !== undefined) return exit;
  const onTrip = person.trips.find(({ from, until }) => from <= at && at < until);
  const phone = currentOf(person.phones, at);
  if (onTrip !== undefined)
    return random.chance(peopleRates.localOnTrip) ? onTrip.accessPoint : phone;
  if (person.work !== null && isWorkTime(person, at) && random.chance(peopleRates.atWork)) {
    return person.work;
  }
  if (device === "mobile" && random.chance(peopleRates.phoneAway)) return phone;
  return currentOf(person.homes, at);
}

function drawAgent(
  person: Person,
  kind: DeviceKind,
  at: number,
  { agents, reading }: World,
  random: Random,
): string {
  const [main = [], ...spares] = person.devices.get(kind) ?? [];
  const spare = spares.length > 0 && random.chance(reading.usesSpare);
  return agents.agentTextAt(currentOf(spare ? random.pick(spares) : main, at), at);
}

function createVisits(world: World, person: Person, user: number, random: Random): Visit[] {
  const times = drawLoginTimes(drawLoginCount(random), world.from, person.rhythm, random);
  return times.map((at) => {
    const device = drawDevice(person, random);
    const accessPoint = drawAccessPoint(person, user, device, at, random);
    const address = accessPoint.addressAt(at);
    const agent = drawAgent(person, device, at, world, random);
    return { at, user, provider: accessPoint.provider, address, agent, device };
  });
}

/** @param firstUser number of the first user. Each user has a separate random sequence. */
export function createVisitsOfYear(
  world: World,
  seed: number,
  firstUser: number,
  users: number,
): Visit[] {
  const visits: Visit[] = [];
  for (let user = firstUser; user < firstUser + users; user += 1) {
    const random = new Random(`${seed}/${user}`);
    visits.push(...createVisits(world, drawPerson(world, random), user, random));
  }
  return visits.toSorted((left, right) => left.at - right.at);
}
