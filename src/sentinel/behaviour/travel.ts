/**
 * Whether somebody can have travelled from one session to the next (pure). Only the countries are
 * kept of where sessions were, so the distance is the least between any two parts of them, and a
 * neighbour is never too far.
 */
import { type Coordinates, coordinatesOf } from "./country-coordinates.ts";

/** Faster than any airliner, door to door. */
const maxSpeedKmPerHour = 1_000;
/** Nearer than this the lists, and exits of networks beyond a border, are not good enough to tell. */
const minDistanceConsideredKm = 300;

const earthRadiusKm = 6_371;
const msPerHour = 60 * 60 * 1000;

export interface Whereabouts {
  /** ISO 3166-1 alpha-2; null: not known. */
  readonly country: string | null;
  /** Unix ms. */
  readonly at: number;
}

export interface Travel {
  /** The least that lies between the countries. */
  readonly kilometres: number;
  /** Time there was for it. */
  readonly hours: number;
}

function toRadians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}

/** Along the great circle (haversine). */
function computeDistanceKm(from: Coordinates, to: Coordinates): number {
  const north = Math.sin(toRadians(to.latitude - from.latitude) / 2);
  const east = Math.sin(toRadians(to.longitude - from.longitude) / 2);
  const narrowing = Math.cos(toRadians(from.latitude)) * Math.cos(toRadians(to.latitude));
  const chord = north * north + narrowing * east * east;
  return 2 * earthRadiusKm * Math.asin(Math.min(1, Math.sqrt(chord)));
}

/** Km that lie at least between two countries; 0 for neighbours, undefined for unknown ones. */
export function computeMinDistanceKm(from: string, to: string): number | undefined {
  const [there, here] = [coordinatesOf(from), coordinatesOf(to)];
  if (there.length === 0 || here.length === 0) return undefined;
  if (from === to) return 0;
  const gaps = there.flatMap((one) =>
    here.map((other) => computeDistanceKm(one, other) - one.radiusKm - other.radiusKm),
  );
  return Math.max(0, Math.round(Math.min(...gaps)));
}

/**
 * The journey, where nobody can have made it in the time; null where it is possible or not known.
 * Which of the two was first does not matter: clocks differ.
 */
export function findImpossibleTravel(from: Whereabouts, to: Whereabouts): Travel | null {
  if (from.country === null || to.country === null) return null;
  const kilometres = computeMinDistanceKm(from.country, to.country);
  if (kilometres === undefined || kilometres < minDistanceConsideredKm) return null;
  const hours = Math.abs(to.at - from.at) / msPerHour;
  return kilometres > hours * maxSpeedKmPerHour ? { kilometres, hours } : null;
}

/**
 * Networks over satellites, ships and aircraft: their exits are where a ground station is, which may
 * be another continent. Names as of 2026-06 in the public routing tables.
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
