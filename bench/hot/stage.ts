/** Starts and fills everything that is measured. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { databasesOf, startService } from "../support/service.ts";
import { BetterAuth } from "./better-auth.ts";
import { checkCommits } from "./floor/commits.ts";
import { type Floor, startFloor } from "./floor/start.ts";
import { HandMade } from "./hand-made.ts";
import type { Loader } from "./loader.ts";
import { addGuardFiles, countRows, fillDirectory, fillTrail, measureLengths } from "./mass.ts";
import { importNetwork } from "./network.ts";
import { Ours } from "./ours.ts";
import { passkeySettings } from "./passkeys.ts";
import { type BenchTenants, createTenants } from "./tenant.ts";

/** More than the bench uses in one time step, in which each user can verify one code. */
const handMadeUsers = 3_000;
const lockedUsers = 32;
/** Tenants that share the requests of one kind, so that an isolate accepts them without the rate limiter. */
const tenantsOfEachKind = 8;
const dayMs = 24 * 60 * 60 * 1000;

/** The three sizes of a tenant. */
export interface Size {
  readonly people: number;
  readonly events: number;
}

/** The numbers of users that requests are sent for. */
export interface Cast {
  /** In each tenant. */
  readonly warm: number;
  /** Used once in a round. */
  readonly cold: number;
  /** In better-auth, where ten consecutive wrong codes lock a user. */
  readonly betterAuth: number;
}

interface Sized extends Size {
  readonly ours: Ours;
  readonly tenant: BenchTenants;
}

/** The numbers of floor cells. Several cold lines share them, and each uses a cell at most once in a round. */
export function floorCells({ warm, cold }: Cast) {
  return { warm, cold: 4 * cold };
}

export interface Stage {
  readonly cast: Cast;
  readonly lockedUsers: number;
  readonly floor: Floor;
  readonly betterAuth: BetterAuth;
  readonly handMade: HandMade;
  /** Smallest first. */
  readonly sizes: readonly Sized[];
  /** The process of the middle size. It also has the tenants below. */
  readonly ours: Ours;
  readonly warm: BenchTenants;
  readonly wrongCodes: BenchTenants;
  readonly locked: BenchTenants;
  readonly cold: BenchTenants;
  /** Users with five authenticators. */
  readonly fiveSecrets: BenchTenants;
  /** Users who also have a passkey. */
  readonly passkeys: BenchTenants;
  /** All tenants with their processes. */
  readonly tenants: readonly (readonly [BenchTenants, Ours])[];
  close(): Promise<void>;
}

function createSubfolder(folder: string, name: string): string {
  const path = join(folder, name);
  mkdirSync(path);
  return path;
}

/** Finds the database of a tenant. */
async function findDatabase(env: Env, tenantId: string): Promise<D1Database> {
  for (const db of databasesOf(env)) {
    if ((await countRows(db, "identities", tenantId)) > 0) return db;
  }
  throw new Error("The tenant is in no database");
}

async function startSized(
  folder: string,
  bundle: string,
  loader: Loader,
  size: Size,
  { warm }: Cast,
): Promise<Sized & { readonly shardBytes: number }> {
  const { people, events } = size;
  const service = await startService(folder, { bundle });
  const ours = new Ours(`ours, ${people} identities`, service, loader);
  const shardBytes = await importNetwork(service.env.IP_REPUTATION, Date.now());
  const tenant = await createTenants(ours, { users: Math.min(people, warm), tenants: 1 });
  for (const id of tenant.ids) {
    const db = await findDatabase(service.env, id);
    if (people > warm) {
      await fillDirectory(db, id, people);
      addGuardFiles(folder, people);
    }
    if (events > 0) await fillTrail(db, id, events, Date.now() - dayMs);
  }
  return { ...size, ours, tenant, shardBytes };
}

/**
 * @param bundle the folder that `bundleService` returned
 * @param repeatsValues whether the floor writes the same values again, which its check must notice
 */
export async function setStage(
  folder: string,
  bundle: string,
  loader: Loader,
  sizes: readonly Size[],
  cast: Cast,
  repeatsValues: boolean,
  progress: (text: string) => void,
): Promise<Stage> {
  const sized: Sized[] = [];
  let shardBytes = 0;
  for (const [n, size] of sizes.entries()) {
    progress(`a tenant of ${size.people} identities and ${size.events} more events`);
    const started = await startSized(
      createSubfolder(folder, `ours-${n}`),
      bundle,
      loader,
      size,
      cast,
    );
    shardBytes = started.shardBytes;
    sized.push(started);
  }
  const middle = sized[Math.floor(sized.length / 2)];
  if (middle === undefined) throw new RangeError("No sizes");
  const { ours } = middle;
  progress("tenants for warm guards, wrong codes, locks, cold guards, five secrets and passkeys");
  const create = async (users: number, settings?: unknown) =>
    await createTenants(ours, { users, settings, tenants: tenantsOfEachKind });
  const warm = await create(cast.warm);
  const wrongCodes = await create(cast.warm, { lockout: { max_failed_attempts: 100 } });
  const week = 7 * 24 * 60 * 60;
  const locked = await create(cast.warm, {
    lockout: { max_failed_attempts: 1, lock_seconds: week, max_lock_seconds: week },
  });
  const cold = await create(cast.cold);
  const fiveSecrets = await create(cast.warm);
  await fiveSecrets.addAuthenticators(ours);
  const passkeys = await create(cast.warm, passkeySettings);
  await passkeys.registerPasskeys(ours);
  progress("the floor");
  const floorFolder = createSubfolder(folder, "floor");
  const [warmId = ""] = warm.ids;
  const lengths = await measureLengths(await findDatabase(ours.service.env, warmId), warmId);
  const floor = await startFloor(floorFolder, { shardBytes, ...lengths }, repeatsValues);
  await checkCommits(floor, floorFolder, loader);
  await loader.run({
    origin: floor.origin,
    pid: floor.pid,
    warmUp: [],
    concurrency: 8,
    shots: floor.cells(floorCells(cast)),
    restMs: 0,
    collect: false,
  });
  progress("the peers");
  const peers = createSubfolder(folder, "peers");
  const handMade = await HandMade.start(
    join(peers, "hand-made.sqlite"),
    loader,
    handMadeUsers,
    lockedUsers,
  );
  const betterAuth = await BetterAuth.start(
    join(peers, "better-auth.sqlite"),
    loader,
    cast.betterAuth,
    lockedUsers,
  );
  const all = [...sized.map((one) => one.ours), floor, handMade, betterAuth];
  return {
    cast,
    lockedUsers,
    floor,
    betterAuth,
    handMade,
    sizes: sized,
    ours,
    warm,
    wrongCodes,
    locked,
    cold,
    fiveSecrets,
    passkeys,
    tenants: [
      ...sized.map((one) => [one.tenant, one.ours] as const),
      ...[warm, wrongCodes, locked, cold, fiveSecrets, passkeys].map(
        (tenants) => [tenants, ours] as const,
      ),
    ],
    close: async () => {
      for (const one of all) await one.close();
    },
  };
}
