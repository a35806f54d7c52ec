/** Starts the floor like the service, on the same kinds of stores. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { unstable_readConfig } from "wrangler";
import { benchOptions, startWorker } from "../../support/service.ts";
import type { Shot } from "../protocol.ts";
import { alarmRestMs, type Prepare, type Subject } from "../subject.ts";

const script = join(import.meta.dirname, "worker.js");
const configPath = join(import.meta.dirname, "..", "..", "..", "wrangler.toml");
const json = { "Content-Type": "application/json" };
/** Cells of warm-up requests that warm only connections. */
const doorkeepers = Array.from({ length: 8 }, (_, n) => `door-${n}`);

/** The routes of the floor; `-deliver` also writes to D1. */
export type FloorRoute =
  | "hello"
  | "read"
  | "write"
  | "write-alarm"
  | "write-deliver"
  | "discover"
  | "discover-deliver"
  | "provision"
  | "provision-deliver";

/** The number of cells of each kind. */
export interface Cells {
  readonly warm: number;
  readonly cold: number;
}

function createShot(route: FloorRoute, id: string): Shot {
  const isRead = route === "read" || route === "hello";
  const head = { path: `/${route}/${id}`, status: 200 };
  return isRead
    ? { ...head, method: "GET", headers: {} }
    : { ...head, method: "POST", headers: json, body: '{"code":"123456"}' };
}

export class Floor implements Subject {
  readonly name = "floor";
  readonly restMs = alarmRestMs;
  readonly origin: string;
  readonly pid: number;
  readonly close: () => Promise<void>;
  #next = 0;
  #created = 0;

  constructor(origin: string, pid: number, close: () => Promise<void>) {
    this.origin = origin;
    this.pid = pid;
    this.close = close;
  }

  /** Requests that create the cells for the others. */
  cells({ warm, cold }: Cells): readonly Shot[] {
    const rested = Array.from({ length: cold }, (_, n) => `cold-${n}`);
    const others = Array.from({ length: warm }, (_, n) => `many-${n}`);
    return [...doorkeepers, ...others, ...rested].map((id) => createShot("write", id));
  }

  requests(route: FloorRoute, whose: "many" | "cold", { warm, cold }: Cells): Prepare {
    const cells = whose === "cold" ? cold : warm;
    return (requests) => {
      const ids = Array.from({ length: requests }, () => `${whose}-${this.#next++ % cells}`);
      const warmed = whose === "cold" ? doorkeepers : [...new Set(ids), ...doorkeepers];
      return {
        before: [],
        warmUp: warmed.map((id) => createShot("read", id)),
        shots: ids.map((id) => createShot(route, id)),
      };
    };
  }

  /** One request to a cell of that name. */
  shot(route: FloorRoute, id: string): Shot {
    return createShot(route, id);
  }

  /** Requests for new cells. */
  creations(route: FloorRoute): Prepare {
    return (requests) => ({
      before: [],
      warmUp: doorkeepers.map((id) => createShot("read", id)),
      shots: Array.from({ length: requests }, () => createShot(route, `new-${this.#created++}`)),
    });
  }
}

/** What the floor stores. */
export interface FloorSizes {
  /** The size of the value in KV that the service reads. */
  readonly shardBytes: number;
  /** The lengths of a state and of an event as the service stores them, in characters. */
  readonly stateLength: number;
  readonly eventLength: number;
}

/** @param repeatsValues whether each write stores the same value, which SQLite does not commit */
export async function startFloor(
  folder: string,
  { shardBytes, stateLength, eventLength }: FloorSizes,
  repeatsValues: boolean,
): Promise<Floor> {
  const { compatibility_date } = unstable_readConfig({ config: configPath });
  const { miniflare, pid } = await startWorker({
    ...benchOptions(folder),
    name: "floor",
    modules: [{ type: "ESModule", path: script, contents: readFileSync(script, "utf8") }],
    ...(compatibility_date === undefined ? {} : { compatibilityDate: compatibility_date }),
    bindings: {
      STATE_LENGTH: stateLength,
      EVENT_LENGTH: eventLength,
      REPEATS_VALUES: repeatsValues,
    },
    kvNamespaces: ["KV"],
    d1Databases: ["DB"],
    durableObjects: {
      CELL: { className: "Cell", useSQLite: true },
      WATCH: { className: "Watch", useSQLite: true },
    },
  });
  if (pid === undefined) throw new Error("The process of the floor is unknown");
  const { DB, KV } = await miniflare.getBindings<{ DB: D1Database; KV: KVNamespace }>();
  await DB.batch([
    DB.prepare("CREATE TABLE records (id TEXT PRIMARY KEY, state TEXT) WITHOUT ROWID"),
    DB.prepare("CREATE TABLE events (id TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID"),
    DB.prepare("CREATE TABLE assessments (id TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID"),
  ]);
  await KV.put("shard", new Uint8Array(shardBytes).fill(1));
  const { origin } = await miniflare.unsafeGetDirectURL();
  return new Floor(origin, pid, () => miniflare.dispose());
}
