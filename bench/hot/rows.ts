/** The rows of the report, and the requests that each compares. */
import type { FloorRoute } from "./floor/start.ts";
import type { Series } from "./measure.ts";
import { floorCells, type Stage } from "./stage.ts";
import type { Prepare, Subject } from "./subject.ts";
import type { BenchTenant } from "./tenant.ts";

const concurrency = 8;
/** In so many bursts of a round, repeated ones included, each cold user appears at most once. */
const coldBursts = 6;

/** One row: the floors, the service and the alternatives. */
export interface Row {
  readonly name: string;
  /** The input and output of the request, and nothing else. */
  readonly floor: Series;
  /** The same with delivery: an alarm that writes the record and the event to D1. */
  readonly floorWhole: Series;
  readonly ours: Series;
  /** The alternatives that have such a request. */
  readonly peers: readonly Series[];
}

function createSeries(
  subject: Subject,
  prepare: Prepare,
  more: { readonly follows?: boolean; readonly most?: number } = {},
): Series {
  const { follows = false } = more;
  return {
    subject,
    prepare,
    concurrency,
    ...more,
    hasDelivery: follows,
    waitsForDelivery: follows,
  };
}

interface FloorRoutes {
  readonly request: FloorRoute;
  readonly whole: FloorRoute;
}

const verified: FloorRoutes = { request: "write", whole: "write-deliver" };
const read: FloorRoutes = { request: "read", whole: "read" };
const assessed: FloorRoutes = { request: "discover", whole: "discover-deliver" };

/** Bounds the requests of a burst, so that no user appears twice in it. */
function maxRequestsOf({ cast }: Stage, whose: "many" | "cold"): number {
  return whose === "cold" ? Math.floor(cast.cold / coldBursts) : cast.warm;
}

function createFloors(stage: Stage, { request, whole }: FloorRoutes, whose: "many" | "cold") {
  const line = (route: FloorRoute) =>
    createSeries(stage.floor, stage.floor.requests(route, whose, floorCells(stage.cast)), {
      follows: route.endsWith("deliver"),
      most: maxRequestsOf(stage, whose),
    });
  const floor = line(request);
  return { floor, floorWhole: whole === request ? floor : line(whole) };
}

export function createWarmRows(stage: Stage): Row[] {
  const { floor, middle, wrongCodes, locked, betterAuth, handMade, lockedUsers } = stage;
  const { ours, tenant } = middle;
  const ofLocked = { most: lockedUsers };
  const row = (name: string, asked: FloorRoutes, prepare: Prepare, follows: boolean) => ({
    name,
    ...createFloors(stage, asked, "many"),
    ours: createSeries(ours, prepare, { follows, most: maxRequestsOf(stage, "many") }),
  });
  return [
    {
      ...row("verify, right code", verified, tenant.right("many"), true),
      peers: [
        createSeries(betterAuth, betterAuth.right()),
        createSeries(handMade, handMade.right()),
      ],
    },
    {
      ...row("verify, wrong code", verified, wrongCodes.wrong("many"), true),
      peers: [
        createSeries(betterAuth, betterAuth.wrong()),
        createSeries(handMade, handMade.wrong()),
      ],
    },
    {
      ...row("verify, locked", verified, locked.locked(), true),
      peers: [
        createSeries(betterAuth, betterAuth.locked(), ofLocked),
        createSeries(handMade, handMade.locked(), ofLocked),
      ],
    },
    {
      ...row("profile", read, tenant.profile("many"), false),
      peers: [createSeries(handMade, handMade.profile())],
    },
    { ...row("discover", assessed, tenant.discover("many"), true), peers: [] },
    {
      name: "provision",
      floor: createSeries(floor, floor.creations("provision")),
      floorWhole: createSeries(floor, floor.creations("provision-deliver")),
      ours: createSeries(ours, tenant.provision()),
      peers: [],
    },
  ];
}

/** Each request starts its user's guard, because all guards are evicted before a round. */
export function createColdRows(stage: Stage): Row[] {
  const { middle, cold } = stage;
  const row = (name: string, asked: FloorRoutes, prepare: Prepare, follows: boolean): Row => ({
    name: `${name}, cold`,
    ...createFloors(stage, asked, "cold"),
    ours: createSeries(middle.ours, prepare, { follows, most: maxRequestsOf(stage, "cold") }),
    peers: [],
  });
  return [
    row("verify, right code", verified, cold.right("cold"), true),
    row("profile", read, cold.profile("cold"), false),
    row("discover", assessed, cold.discover("cold"), true),
  ];
}

export interface BareFloor {
  readonly name: string;
  readonly floor: Series;
}

/** Floors without a row: a Worker that does nothing, and reads and writes of KV. */
export function createBareFloors(stage: Stage): BareFloor[] {
  const { floor } = stage;
  const bare = (route: FloorRoute, name: string): BareFloor => ({
    name,
    floor: createSeries(floor, floor.requests(route, "many", floorCells(stage.cast)), {
      most: maxRequestsOf(stage, "many"),
    }),
  });
  return [
    bare("hello", "nothing"),
    bare("kv", "one read of KV"),
    bare("beside", "write and read of KV in parallel"),
  ];
}

/** One operation at each size, smallest first. */
export interface SizeRow {
  readonly name: string;
  /** The requests without delivery, which runs during the next burst. */
  readonly request: readonly Series[];
  /** With delivery; absent if none follows. */
  readonly whole?: readonly Series[];
  /** Whether it makes the tenants larger and must come last. */
  readonly grows: boolean;
}

/** One user alone, one request after the other, so that only the size differs. */
export function createSizeRows({ sizes }: Stage): SizeRow[] {
  const alone = (
    name: string,
    prepareOf: (tenant: BenchTenant) => Prepare,
    { follows = false, grows = false } = {},
  ): SizeRow => {
    const lines = (rests: boolean) =>
      sizes.map(({ ours, tenant }): Series => {
        return {
          subject: ours,
          prepare: prepareOf(tenant),
          concurrency: 1,
          hasDelivery: follows,
          waitsForDelivery: rests,
        };
      });
    return { name, grows, request: lines(false), ...(follows ? { whole: lines(true) } : {}) };
  };
  return [
    alone("verify, right code", (tenant) => tenant.right("one"), { follows: true }),
    alone("profile", (tenant) => tenant.profile("one")),
    alone("discover", (tenant) => tenant.discover("one"), { follows: true }),
    alone("provision", (tenant) => tenant.provision(), { grows: true }),
  ];
}
