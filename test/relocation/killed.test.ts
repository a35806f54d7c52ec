/** The Worker that moves a tenant dies between any two statements; whoever asks next goes on. */
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

/** Some sixty moves, ms. */
const longestRun = 240_000;
/** More than a move of so few rows has statements. */
const maxStatements = 120;

beforeEach(() => {
  vi.spyOn(console, "error").mockImplementation(() => {});
});

afterEach(() => {
  vi.restoreAllMocks();
});

async function populated() {
  const tenant = await Tenant.create();
  const user = await User.withTotp(tenant);
  await user.assess();
  await drainOutbox(user);
  const told = await readTrail(tenant);
  return { tenant, user, told, before: await readTenantData(0, tenant) };
}

async function expectArrived({
  tenant,
  user,
  told,
  before,
}: Awaited<ReturnType<typeof populated>>) {
  const { audit_events: events = [], ...rest } = await readTenantData(1, tenant);
  const { audit_events: earlier = [], ...others } = before;
  expect(rest).toEqual(others);
  expect(events.slice(0, earlier.length)).toEqual(earlier);
  expect(await readTrail(tenant)).toEqual([...told, "tenant.relocated success"]);
  expect(await readTenantData(0, tenant)).toEqual({});
  expect(await readFences(tenant)).toEqual(["left", "here", null]);
  expect((await user.configure()).status).toBe(200);
}

it.each([
  ["before a statement", false],
  ["after one", true],
])(
  "A move that dies %s goes on from there, and nothing is lost or there twice",
  {
    timeout: longestRun,
  },
  async (_when, isDone) => {
    let statements = 0;
    for (; statements < maxStatements; statements += strideOf(4)) {
      const world = await populated();
      const { tenant } = world;
      const { reached } = await killWorkerAfter(statements, isDone, async () => {
        await relocate(tenant, 1);
        // Of what has switched the last part comes a minute later.
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
