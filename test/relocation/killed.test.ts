/** The Worker ends between any two statements of a relocation. The next request continues it. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { strideOf } from "../support/campaign.ts";
import { Tenant, User } from "../support/client.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import { killWorkerAfter } from "../support/killed-worker.ts";
import {
  passMinuteAfterSwitch,
  readFences,
  readTenantData,
  relocate,
  relocateFully,
} from "../support/relocation.ts";

/** Enough for sixty relocations. */
const timeoutMs = 240_000;
/** More statements than the relocation of so few rows has. */
const maxStatements = 120;

beforeEach(() => {
  vi.spyOn(console, "error").mockImplementation(() => {});
});

afterEach(() => {
  vi.restoreAllMocks();
});

async function createPopulated() {
  const tenant = await Tenant.create();
  const user = await User.withTotp(tenant);
  await user.assess();
  await drainOutbox(user);
  const eventsBefore = await readTrail(tenant);
  return { tenant, user, eventsBefore, before: await readTenantData(0, tenant) };
}

async function expectArrived({
  tenant,
  user,
  eventsBefore,
  before,
}: Awaited<ReturnType<typeof createPopulated>>) {
  const { audit_events: events = [], ...rest } = await readTenantData(1, tenant);
  const { audit_events: earlier = [], ...others } = before;
  expect(rest).toEqual(others);
  expect(events.slice(0, earlier.length)).toEqual(earlier);
  expect(await readTrail(tenant)).toEqual([...eventsBefore, "tenant.relocated success"]);
  expect(await readTenantData(0, tenant)).toEqual({});
  expect(await readFences(tenant)).toEqual(["left", "here", null]);
  expect((await user.configure()).status).toBe(200);
}

it.each([
  ["before a statement", false],
  ["after a statement", true],
])(
  "A relocation that stops %s continues, and no row is lost or duplicated",
  {
    timeout: timeoutMs,
  },
  async (_when, isDone) => {
    let statements = 0;
    for (; statements < maxStatements; statements += strideOf(4)) {
      const world = await createPopulated();
      const { tenant } = world;
      const { reached } = await killWorkerAfter(statements, isDone, async () => {
        await relocate(tenant, 1);
        // The last phase runs a minute after the switch.
        await passMinuteAfterSwitch(tenant);
        return await relocate(tenant, 1);
      }).catch(() => ({ reached: true }));
      try {
        await relocateFully(tenant, 1);
        await expectArrived(world);
      } catch (error) {
        throw new Error(`Killed after ${statements} statements`, { cause: error });
      }
      if (!reached) break;
    }
    expect(statements).toBeGreaterThan(40);
    expect(statements).toBeLessThan(maxStatements);
  },
);
