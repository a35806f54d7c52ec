/** The rows of the report: which lines each compares, and the bars of the project. */
import type { FloorRoute } from "./floor/start.ts";
import type { Costs, Series } from "./measure.ts";
import { floorCells, type Stage } from "./stage.ts";
import type { Prepare, Subject } from "./subject.ts";

const concurrency = 8;
/** In so many bursts of a round, repeated ones included, each cold user appears at most once. */
const coldBursts = 6;

/** One row: a request of the service beside one of another subject. */
export interface Comparison {
  readonly name: string;
  readonly ours: Series;
  /** `request` ends with the answer, `whole` with the delivery. */
  readonly part: keyof Costs;
  readonly other: Series;
  readonly otherPart: keyof Costs;
  readonly otherName: string;
  /** How many times the other's processor time ours may take. */
  readonly maxRatio?: number;
}

/** A line that has a row of its own. */
export interface Alone {
  readonly name: string;
  readonly series: Series;
  /** The processor time that a request may take, in microseconds. */
  readonly maxMicroseconds?: number;
}

function createSeries(
  subject: Subject,
  prepare: Prepare,
  more: { readonly follows?: boolean; readonly maxRequests?: number } = {},
): Series {
  const { follows = false, ...bounds } = more;
  return {
    subject,
    prepare,
    concurrency,
    ...bounds,
    hasDelivery: follows,
    waitsForDelivery: follows,
  };
}

/** Bounds the requests of a burst, so that no user appears twice in it. */
function maxRequestsOf({ cast }: Stage, whose: "many" | "cold"): number {
  return whose === "cold" ? Math.floor(cast.cold / coldBursts) : cast.warm;
}

/** The floors, each measured once in a pass and compared with several requests. */
function createFloors(stage: Stage, whose: "many" | "cold") {
  const { floor } = stage;
  const line = (route: FloorRoute) =>
    createSeries(floor, floor.requests(route, whose, floorCells(stage.cast)), {
      follows: route.endsWith("deliver") || route.endsWith("alarm"),
      maxRequests: maxRequestsOf(stage, whose),
    });
  return {
    read: line("read"),
    write: line("write"),
    armed: line("write-alarm"),
    delivered: line("write-deliver"),
    discover: line("discover"),
    discoverDelivered: line("discover-deliver"),
  };
}

type Floors = ReturnType<typeof createFloors>;

/** The requests of a login. */
interface Requests {
  readonly right: Series;
  /** Only warm. */
  readonly passkey?: Series;
  readonly profile: Series;
  readonly discover: Series;
}

function compareTo(
  otherName: string,
  other: Series,
  part: keyof Costs,
): (name: string, ours: Series, maxRatio?: number) => Comparison {
  return (name, ours, maxRatio) => ({
    name,
    ours,
    part,
    other,
    otherPart: part,
    otherName,
    ...(maxRatio === undefined ? {} : { maxRatio }),
  });
}

function createComparisons(
  floors: Floors,
  { right, passkey, profile, discover }: Requests,
  kind: string,
) {
  const isWarm = kind === "";
  const bar = (maxRatio: number) => (isWarm ? maxRatio : undefined);
  const toWrite = compareTo("write", floors.write, "request");
  const toArmed = compareTo("write+alarm", floors.armed, "request");
  const toDelivered = compareTo("write+deliver", floors.delivered, "whole");
  const ofPasskey = (...comparisons: readonly (typeof toWrite)[]) =>
    passkey === undefined ? [] : comparisons.map((compare) => compare("verify passkey", passkey));
  return {
    requests: [
      toWrite(`verify, right code${kind}`, right, bar(1.6)),
      toArmed(`verify, right code${kind}`, right, bar(1.35)),
      ...ofPasskey(toWrite, toArmed),
      compareTo("read", floors.read, "request")(`profile${kind}`, profile, bar(1.4)),
      compareTo("discover", floors.discover, "request")(`discover${kind}`, discover, bar(1.8)),
    ],
    delivered: [
      toDelivered(`verify, right code${kind}`, right, bar(1.25)),
      ...ofPasskey(toDelivered),
      compareTo("discover+deliver", floors.discoverDelivered, "whole")(
        `discover${kind}`,
        discover,
        bar(1.6),
      ),
    ],
    toWrite,
    toDelivered,
  };
}

export interface Rows {
  /** From the first request to the last answer. */
  readonly requests: readonly Comparison[];
  /** Until the delivery has ended. */
  readonly delivered: readonly Comparison[];
  readonly peers: readonly Comparison[];
  readonly alone: readonly Alone[];
}

export function createWarmRows(stage: Stage): Rows {
  const { floor, ours, warm, fiveSecrets, passkeys, wrongCodes, locked } = stage;
  const { betterAuth, handMade, lockedUsers } = stage;
  const maxRequests = maxRequestsOf(stage, "many");
  const floors = createFloors(stage, "many");
  const verify = (prepare: Prepare) => createSeries(ours, prepare, { follows: true, maxRequests });
  const right = verify(warm.right("many"));
  const withFiveSecrets = verify(fiveSecrets.right("many"));
  const passkey = verify(passkeys.passkey(ours));
  const wrong = verify(wrongCodes.wrong("many"));
  const lockedOut = verify(locked.locked());
  const profile = createSeries(ours, warm.profile("many"), { maxRequests });
  const discover = verify(warm.discover("many"));
  const provision = createSeries(ours, warm.provision());
  const provisioned = createSeries(floor, floor.creations("provision"));
  const provisionDelivered = createSeries(floor, floor.creations("provision-deliver"));
  const { requests, delivered, toWrite, toDelivered } = createComparisons(
    floors,
    { right, passkey, profile, discover },
    "",
  );
  const ofLocked = { maxRequests: lockedUsers };
  const peer = (name: string, subject: Subject, prepare: Prepare, more = {}) => {
    const series = createSeries(subject, prepare, more);
    return (mine: Series, follows: boolean, maxRatio?: number): Comparison[] => [
      compareTo(subject.name, series, "request")(name, mine),
      ...(follows
        ? [
            {
              ...compareTo(subject.name, series, "request")(
                `${name}, with delivery`,
                mine,
                maxRatio,
              ),
              part: "whole" as const,
            },
          ]
        : []),
    ];
  };
  return {
    requests: [
      ...requests,
      toWrite("verify, right code of one of five secrets", withFiveSecrets),
      toWrite("verify, wrong code", wrong, 1.6),
      toWrite("verify, locked", lockedOut, 1.6),
      compareTo("provision", provisioned, "request")("provision", provision),
    ],
    delivered: [
      ...delivered,
      toDelivered("verify, wrong code", wrong, 1.25),
      toDelivered("verify, locked", lockedOut, 1.25),
      compareTo("provision+event", provisionDelivered, "request")("provision", provision),
    ],
    peers: [
      ...peer("verify, right code", betterAuth, betterAuth.right())(right, true),
      ...peer("verify, wrong code", betterAuth, betterAuth.wrong())(wrong, true),
      ...peer("verify, locked", betterAuth, betterAuth.locked(), ofLocked)(lockedOut, true),
      ...peer("verify, right code", handMade, handMade.right())(right, true, 2.5),
      ...peer("verify, wrong code", handMade, handMade.wrong())(wrong, true, 2.5),
      ...peer("verify, locked", handMade, handMade.locked(), ofLocked)(lockedOut, true, 2.5),
      ...peer("profile", handMade, handMade.profile())(profile, false),
    ],
    alone: [
      {
        name: "floor: hello",
        series: createSeries(floor, floor.requests("hello", "many", floorCells(stage.cast)), {
          maxRequests,
        }),
      },
      { name: "provision", series: provision, maxMicroseconds: 3_000 },
    ],
  };
}

/** Each request starts its user's guard, because all guards are evicted before a round. */
export function createColdRows(stage: Stage): Pick<Rows, "requests" | "delivered"> {
  const { ours, cold } = stage;
  const maxRequests = maxRequestsOf(stage, "cold");
  const line = (prepare: Prepare, follows: boolean) =>
    createSeries(ours, prepare, { follows, maxRequests });
  return createComparisons(
    createFloors(stage, "cold"),
    {
      right: line(cold.right("cold"), true),
      profile: line(cold.profile("cold"), false),
      discover: line(cold.discover("cold"), true),
    },
    ", cold",
  );
}

/** All lines of these rows, each once. */
export function linesOf({ requests, delivered, peers = [], alone = [] }: Partial<Rows>): Series[] {
  const compared = [...(requests ?? []), ...(delivered ?? []), ...peers];
  return [
    ...new Set([
      ...compared.flatMap(({ ours, other }) => [ours, other]),
      ...alone.map(({ series }) => series),
    ]),
  ];
}
