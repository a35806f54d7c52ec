/** The Worker that moves a tenant dies between any two statements; whoever asks next goes on. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { strideOf } from "../support/campaign.ts";
import { Tenant, User } from "../support/client.ts";
import { killedAfter } from "../support/killed.ts";
import { dataIn, fencesOf, minuteAfterSwitch, moved, relocate } from "../support/relocation.ts";
import { drained, trailOf } from "../support/settled.ts";

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
  await user.assessed();
  await drained(user);
  const told = await trailOf(tenant);
  return { tenant, user, told, before: await dataIn(0, tenant) };
}

async function expectArrived({
  tenant,
  user,
  told,
  before,
}: Awaited<ReturnType<typeof populated>>) {
  const { audit_events: events = [], ...rest } = await dataIn(1, tenant);
  const { audit_events: earlier = [], ...others } = before;
  expect(rest).toEqual(others);
  expect(events.slice(0, earlier.length)).toEqual(earlier);
  expect(await trailOf(tenant)).toEqual([...told, "tenant.relocated success"]);
  expect(await dataIn(0, tenant)).toEqual({});
  expect(await fencesOf(tenant)).toEqual(["left", "here", null]);
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
      const { reached } = await killedAfter(statements, isDone, async () => {
        await relocate(tenant, 1);
        // Of what has switched the last part comes a minute later.
        await minuteAfterSwitch(tenant);
        return await relocate(tenant, 1);
      }).catch(() => ({ reached: true }));
      try {
        await moved(tenant, 1);
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
