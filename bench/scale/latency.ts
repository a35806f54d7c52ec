/** How long a caller waits for a verification, as sequential round trips and nothing else. Pure. */
import { type Caller, callers, nearestPlace, type Place, roundTrips } from "./latencies.ts";

/**
 * Assumed, ms: there and back within a region, to the edge or to a data centre. The published table has
 * none; its closest pairs are 3 ms (Australia Central and Central 2) and 6 ms (UAE Central and North).
 */
export const nearMs = 5;
/** Assumed, ms: a query of a server to the database in its own data centre. */
export const localQueryMs = 1;

/** Queries one after the other of a design with a database: token, user, attempt. */
const centralQueries = { usual: 3, optimistic: 2 } as const;

export function roundTrip(caller: Caller, place: Place): number {
  return roundTrips[caller][place] || nearMs;
}

/** What a caller of one region waits for in each design, ms. */
export interface Waits {
  readonly caller: Caller;
  /** This service, the guard in the nearest place it can be in. */
  readonly near: number;
  /** The same with a cold token record, read from the database first. */
  readonly nearCold: number;
  /** This service, the guard beside the database. */
  readonly far: number;
  readonly farCold: number;
  /** A Worker at the edge before a central database, with three queries and with two. */
  readonly edgeUsual: number;
  readonly edgeOptimistic: number;
  /** A server beside the database. */
  readonly central: number;
}

/** @param database where D1, or the database of the other designs, is */
export function waitsOf(caller: Caller, database: Place): Waits {
  const toGuard = roundTrip(caller, nearestPlace[caller]);
  const toDatabase = roundTrip(caller, database);
  return {
    caller,
    near: nearMs + toGuard,
    nearCold: nearMs + toDatabase + toGuard,
    far: nearMs + toDatabase,
    farCold: nearMs + 2 * toDatabase,
    edgeUsual: nearMs + centralQueries.usual * toDatabase,
    edgeOptimistic: nearMs + centralQueries.optimistic * toDatabase,
    central: toDatabase + centralQueries.usual * localQueryMs,
  };
}

export type Wait = Exclude<keyof Waits, "caller">;

export function allWaits(database: Place): readonly Waits[] {
  return callers.map((caller) => waitsOf(caller, database));
}

export function meanOf(waits: readonly Waits[], which: Wait): number {
  return waits.reduce((sum, one) => sum + one[which], 0) / waits.length;
}

export function longestOf(waits: readonly Waits[], which: Wait): number {
  return Math.max(...waits.map((one) => one[which]));
}
