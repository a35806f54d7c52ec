/** What is compared with what. */
import type { FloorRoute } from "./floor/start.ts";
import type { Series } from "./measure.ts";
import { floorCells, type Stage } from "./stage.ts";
import type { Prepare, Subject } from "./subject.ts";
import type { BenchTenant } from "./tenant.ts";

const concurrency = 8;
/** In so many bursts of one round, those that are repeated too, each user who rests comes up once. */
const coldBursts = 6;

/** One row: the floors, the service and its peers. */
export interface Row {
  readonly name: string;
  /** The same input and output as the request, and nothing else. */
  readonly floor: Series;
  /** The same with what follows: an alarm that brings D1 the record and the event. */
  readonly floorWhole: Series;
  readonly ours: Series;
  /** The alternatives, where they have the like. */
  readonly peers: readonly Series[];
}

function series(
  subject: Subject,
  prepare: Prepare,
  more: { readonly follows?: boolean; readonly most?: number } = {},
): Series {
  const { follows = false } = more;
  return { subject, prepare, concurrency, ...more, follows, rests: follows };
}

interface Asked {
  readonly request: FloorRoute;
  readonly whole: FloorRoute;
}

const verified: Asked = { request: "write", whole: "write-tell" };
const read: Asked = { request: "read", whole: "read" };
const assessed: Asked = { request: "discover", whole: "discover-tell" };

/** The most requests of a burst: nobody comes up twice in it. */
function most({ cast }: Stage, whose: "many" | "cold"): number {
  return whose === "cold" ? Math.floor(cast.cold / coldBursts) : cast.warm;
}

function floors(stage: Stage, { request, whole }: Asked, whose: "many" | "cold") {
  const line = (route: FloorRoute) =>
    series(stage.floor, stage.floor.ask(route, whose, floorCells(stage.cast)), {
      follows: route.endsWith("tell"),
      most: most(stage, whose),
    });
  const floor = line(request);
  return { floor, floorWhole: whole === request ? floor : line(whole) };
}

export function warmRows(stage: Stage): Row[] {
  const { floor, middle, guessed, locked, betterAuth, handMade, lockedUsers } = stage;
  const { ours, tenant } = middle;
  const ofLocked = { most: lockedUsers };
  const row = (name: string, asked: Asked, prepare: Prepare, follows: boolean) => ({
    name,
    ...floors(stage, asked, "many"),
    ours: series(ours, prepare, { follows, most: most(stage, "many") }),
  });
  return [
    {
      ...row("verify, right code", verified, tenant.right("many"), true),
      peers: [series(betterAuth, betterAuth.right()), series(handMade, handMade.right())],
    },
    {
      ...row("verify, wrong code", verified, guessed.wrong("many"), true),
      peers: [series(betterAuth, betterAuth.wrong()), series(handMade, handMade.wrong())],
    },
    {
      ...row("verify, locked", verified, locked.locked(), true),
      peers: [
        series(betterAuth, betterAuth.locked(), ofLocked),
        series(handMade, handMade.locked(), ofLocked),
      ],
    },
    {
      ...row("profile", read, tenant.profile("many"), false),
      peers: [series(handMade, handMade.profile())],
    },
    { ...row("discover", assessed, tenant.discover("many"), true), peers: [] },
    {
      name: "provision",
      floor: series(floor, floor.make("provision")),
      floorWhole: series(floor, floor.make("provision-tell")),
      ours: series(ours, tenant.provision()),
      peers: [],
    },
  ];
}

/** Each user's guard has to start; all of them rest before a round. */
export function coldRows(stage: Stage): Row[] {
  const { middle, cold } = stage;
  const row = (name: string, asked: Asked, prepare: Prepare, follows: boolean): Row => ({
    name: `${name}, cold`,
    ...floors(stage, asked, "cold"),
    ours: series(middle.ours, prepare, { follows, most: most(stage, "cold") }),
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

/** Floors that no row is held against: what a Worker costs that does nothing, and what KV does. */
export function bareFloors(stage: Stage): BareFloor[] {
  const { floor } = stage;
  const bare = (route: FloorRoute, name: string): BareFloor => ({
    name,
    floor: series(floor, floor.ask(route, "many", floorCells(stage.cast)), {
      most: most(stage, "many"),
    }),
  });
  return [
    bare("hello", "nothing"),
    bare("kv", "one read of KV"),
    bare("beside", "write and read of KV in parallel"),
  ];
}

/** One operation at each size, in the order of sizes. */
export interface SizeRow {
  readonly name: string;
  /** The requests alone, in many bursts: what follows one is done while the others are asked. */
  readonly request: readonly Series[];
  /** With what follows; absent where nothing does. */
  readonly whole?: readonly Series[];
  /** It makes the tenants larger, and so comes last. */
  readonly grows: boolean;
}

/** One user alone, one request after the other, so that nothing but the size differs. */
export function sizeRows({ sizes }: Stage): SizeRow[] {
  const alone = (
    name: string,
    prepareOf: (tenant: BenchTenant) => Prepare,
    { follows = false, grows = false } = {},
  ): SizeRow => {
    const lines = (rests: boolean) =>
      sizes.map(({ ours, tenant }): Series => {
        return { subject: ours, prepare: prepareOf(tenant), concurrency: 1, follows, rests };
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
