/**
 * Whether a person can have travelled from one session to the next (pure). A session keeps only its country,
 * so the distance is the shortest one between the two countries, and a neighbouring country is never too far.
 */
import { type Coordinates, coordinatesOf } from "./country-coordinates.ts";

/** Faster than any airliner, door to door. */
const maxSpeedKmPerHour = 1_000;
/** Below this distance errors of the network data, and network exits across a border, are too common. */
const minDistanceConsideredKm = 300;

const earthRadiusKm = 6_371;
const msPerHour = 60 * 60 * 1000;

/** A session's country and time. */
export interface LocatedSession {
  /** ISO 3166-1 alpha-2; null: not known. */
  readonly country: string | null;
  /** Unix ms. */
  readonly at: number;
}

export interface Travel {
  /** The shortest distance between the two countries. */
  readonly kilometres: number;
  /** The time between the two sessions. */
  readonly hours: number;
}

function toRadians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}

/** Great-circle distance between the centres (haversine formula). */
function computeDistanceKm(from: Coordinates, to: Coordinates): number {
  const north = Math.sin(toRadians(to.latitude - from.latitude) / 2);
  const east = Math.sin(toRadians(to.longitude - from.longitude) / 2);
  const narrowing = Math.cos(toRadians(from.latitude)) * Math.cos(toRadians(to.latitude));
  const chord = north * north + narrowing * east * east;
  return 2 * earthRadiusKm * Math.asin(Math.min(1, Math.sqrt(chord)));
}

/** The shortest distance between two countries, km. 0 for neighbours, undefined for unknown countries. */
export function computeMinDistanceKm(from: string, to: string): number | undefined {
  const [circlesFrom, circlesTo] = [coordinatesOf(from), coordinatesOf(to)];
  if (circlesFrom.length === 0 || circlesTo.length === 0) return undefined;
  if (from === to) return 0;
  const gaps = circlesFrom.flatMap((one) =>
    circlesTo.map((other) => computeDistanceKm(one, other) - one.radiusKm - other.radiusKm),
  );
  return Math.max(0, Math.round(Math.min(...gaps)));
}

/**
 * The journey, if no person can travel that far in the time. Null if it is possible, or if a country is
 * unknown. The order of the two sessions does not matter, because clocks differ.
 */
export function findImpossibleTravel(from: LocatedSession, to: LocatedSession): Travel | null {
  if (from.country === null || to.country === null) return null;
  const kilometres = computeMinDistanceKm(from.country, to.country);
  if (kilometres === undefined || kilometres < minDistanceConsideredKm) return null;
  const hours = Math.abs(to.at - from.at) / msPerHour;
  return kilometres > hours * maxSpeedKmPerHour ? { kilometres, hours } : null;
}

/**
 * Networks of satellites, ships and aircraft. Their exit is at a ground station, which may be on another
 * continent. Numbers and names are those of the public routing tables of 2026-06.
 */
const satelliteNetworks: ReadonlySet<number> = new Set([
  ...[14593], // Starlink
  ...[7155, 16491, 40306, 40311], // Viasat
  ...[6621, 12440, 28613, 63062, 265705], // Hughes
  ...[800, 15829, 29286, 34444, 201935], // Eutelsat, Skylogic, OneWeb
  ...[12684, 22351, 26243, 60725], // SES, Intelsat
  ...[22184, 25222, 31515, 31753], // Iridium, Inmarsat
  ...[12491, 19036, 135409], // Gilat Telecom, Telesat, Kacific
  ...[4913, 32034, 38456], // Speedcast, at sea
  ...[5377, 24039, 25687, 44933, 210314], // Marlink, KVH Industries, at sea
  ...[11167, 64294, 132011, 394603, 400110], // Gogo, Panasonic Avionics, Anuvu, in the air
]);

export function isSatelliteNetwork(asn: number | undefined): boolean {
  return asn !== undefined && satelliteNetworks.has(asn);
}
