/** Creates people (pure): their homes, workplaces, trips and devices, and how these change. */
import { publishedCountries, publishedDevices } from "../published.ts";
import { type Random, Weighted } from "../random.ts";
import {
  type AccessPoint,
  createExit,
  createHome,
  createPhone,
  createWorkplace,
} from "./access-points.ts";
import { type AgentPool, type Browser, type DeviceKind, deviceKinds } from "./agents.ts";
import type { NetworkTable, Provider } from "./networks.ts";
import { type Locality, networkRates, peopleRates, type Reading, yearDays } from "./rates.ts";
import { drawRhythm, type Rhythm } from "./rhythm.ts";

const dayMs = 24 * 60 * 60 * 1000;

/** A value that is valid from a time until the next one begins. */
interface Since<T> {
  readonly from: number;
  readonly value: T;
}

interface Trip {
  readonly from: number;
  readonly until: number;
  readonly accessPoint: AccessPoint;
}

export interface Person {
  readonly country: string;
  readonly rhythm: Rhythm;
  readonly homes: readonly Since<AccessPoint>[];
  readonly phones: readonly Since<AccessPoint>[];
  readonly work: AccessPoint | null;
  readonly trips: readonly Trip[];
  /** Exits of the person, and the share of days on which one of them is used. */
  readonly exits: readonly AccessPoint[];
  readonly atExit: number;
  readonly usualDevice: DeviceKind;
  readonly devices: ReadonlyMap<DeviceKind, readonly Since<Browser>[][]>;
}

/** The countries, providers and agents that people are drawn from. */
export class World {
  readonly countries: Weighted<string>;
  readonly agents: AgentPool;
  readonly from: number;
  readonly reading: Reading;
  readonly locality: Locality;
  readonly #providers = new Map<string, Weighted<Provider>>();
  readonly #users: number;

  constructor(
    networks: NetworkTable,
    agents: AgentPool,
    reading: Reading,
    locality: Locality,
    from: number,
    users: number,
  ) {
    this.agents = agents;
    this.locality = locality;
    this.reading = reading;
    this.from = from;
    this.#users = users;
    const byCountry = Map.groupBy(networks.providers, ({ country }) => country);
    for (const [country, providers] of byCountry) {
      this.#providers.set(
        country,
        new Weighted(providers, ({ addresses }) => addresses ** reading.concentration),
      );
    }
    this.countries = weighCountries(byCountry, reading.norway);
  }

  /** @throws RangeError for a country without networks */
  drawProvider(country: string, random: Random): Provider {
    const providers = this.#providers.get(country);
    if (providers === undefined) throw new RangeError(`No network in ${country}`);
    return providers.draw(random);
  }

  /** A country has as many workplaces as its people fill. */
  drawWorkplace(country: string, random: Random): AccessPoint {
    const share = publishedCountries[country] ?? 0.002;
    const workplaces = (this.#users * share * this.reading.works) / this.locality.colleagues;
    const number = Math.floor(random.next() ** 2 * Math.max(1, workplaces));
    return createWorkplace(this.drawProvider(country, random), number, this.locality);
  }
}

/** The published proportions, except for Norway, whose share of users is calibrated. */
function weighCountries(
  byCountry: ReadonlyMap<string, readonly Provider[]>,
  norway: number,
): Weighted<string> {
  const named = Object.keys(publishedCountries);
  const left = 1 - Object.values(publishedCountries).reduce((sum, share) => sum + share, 0);
  const sizes = new Map(
    [...byCountry].map(([country, providers]) => {
      const addresses = providers.reduce((sum, provider) => sum + provider.addresses, 0);
      return [country, addresses ** networkRates.otherCountries] as const;
    }),
  );
  const others = [...sizes].filter(([country]) => !named.includes(country));
  const sum = others.reduce((total, [, size]) => total + size, 0);
  const abroad = (1 - norway) / (1 - (publishedCountries.NO ?? 0));
  return new Weighted([...byCountry.keys()], (country) => {
    if (country === "NO") return norway;
    return abroad * (publishedCountries[country] ?? ((sizes.get(country) ?? 0) / sum) * left);
  });
}

/** Draws the times in the year of an event that happens `perYear` times on average. */
function drawMoments(perYear: number, from: number, random: Random): number[] {
  const times: number[] = [];
  for (let day = random.exponential(yearDays / perYear); day < yearDays; ) {
    times.push(from + day * dayMs);
    day += random.exponential(yearDays / perYear);
  }
  return times;
}

/** The value that is valid at a time. The values must be ordered by time. */
export function currentOf<T>(things: readonly Since<T>[], at: number): T {
  const found = things.findLast(({ from }) => from <= at) ?? things[0];
  if (found === undefined) throw new RangeError("There is no value");
  return found.value;
}

function drawHomes(world: World, country: string, random: Random): Since<AccessPoint>[] {
  let provider = world.drawProvider(country, random);
  const { locality } = world;
  const homes = [{ from: 0, value: createHome(provider, random, locality) }];
  const { movesPerYear, providerChangesPerYear, movesToOtherProvider } = peopleRates;
  const changes = movesPerYear + providerChangesPerYear;
  for (const from of drawMoments(changes, world.from, random)) {
    const moves = random.chance(movesPerYear / changes);
    if (!moves || random.chance(movesToOtherProvider)) {
      provider = world.drawProvider(country, random);
    }
    homes.push({ from, value: createHome(provider, random, locality) });
  }
  return homes;
}

function drawTrips(world: World, random: Random): Trip[] {
  return drawMoments(peopleRates.tripsPerYear, world.from, random).map((from) => {
    const provider = world.drawProvider(world.countries.draw(random), random);
    const until = from + random.exponential(peopleRates.tripDays) * dayMs;
    return { from, until, accessPoint: createHome(provider, random, world.locality) };
  });
}

function drawExits(world: World, random: Random): AccessPoint[] {
  const [min, max] = world.reading.exitCountries;
  return Array.from({ length: min + random.below(max - min + 1) }, () => {
    return createExit(world.drawProvider(world.countries.draw(random), random), random);
  });
}

/** A device and the ones that replace it later in the year. */
function drawDevice(world: World, kind: DeviceKind, random: Random): Since<Browser>[] {
  const later = drawMoments(world.reading.newDevicesPerYear, world.from, random);
  return [0, ...later].map((from) => ({ from, value: world.agents.drawBrowser(kind, random) }));
}

const deviceKindWeights = new Weighted(deviceKinds, (kind) => publishedDevices[kind]);

function drawDevices(world: World, usual: DeviceKind, random: Random): Person["devices"] {
  const spares = Math.floor(random.exponential(world.reading.sparesMean));
  const own = Array.from({ length: 1 + spares }, () => drawDevice(world, usual, random));
  const devices = new Map([[usual, own]]);
  if (random.chance(peopleRates.secondDevice)) {
    const other = usual === "desktop" ? "mobile" : "desktop";
    devices.set(other, [drawDevice(world, other, random)]);
  }
  return devices;
}

export function drawPerson(world: World, random: Random): Person {
  const { reading, locality } = world;
  const country = world.countries.draw(random);
  const homes = drawHomes(world, country, random);
  const ownPhone = random.chance(reading.phoneAtHomeProvider)
    ? homes.map(({ from, value }) => ({
        from,
        value: createPhone(value.provider, random, locality),
      }))
    : [{ from: 0, value: createPhone(world.drawProvider(country, random), random, locality) }];
  const usesExits = random.chance(reading.usesExits);
  const [min, max] = reading.daysAtExit;
  const usualDevice = deviceKindWeights.draw(random);
  return {
    country,
    rhythm: drawRhythm(country, random),
    homes,
    phones: ownPhone,
    work: random.chance(reading.works) ? world.drawWorkplace(country, random) : null,
    trips: drawTrips(world, random),
    exits: usesExits ? drawExits(world, random) : [],
    atExit: random.between(min, max),
    usualDevice,
    devices: drawDevices(world, usualDevice, random),
  };
}
