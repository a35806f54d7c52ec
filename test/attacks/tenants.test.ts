/** Promise 7: every route answers another tenant's id like an id that does not exist. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { shareOf } from "../support/campaign.ts";
import { countCalls } from "../support/count-calls.ts";
import { holdDeliveries } from "../support/held-deliveries.ts";
import { type RequestTarget, requestTo, unknownUser } from "../support/requests.ts";
import { protectedOperations } from "./operations.ts";
import { tenantLocations } from "./tenant-locations.ts";
import { comparablePartOf, TwoTenants } from "./two-tenants.ts";

let freeDeliveries: () => void;

/** No delivery runs while the calls of a request are counted. */
beforeEach(async () => {
  freeDeliveries = await holdDeliveries();
});

afterEach(async () => {
  freeDeliveries();
  vi.restoreAllMocks();
});

const targetedOperations = protectedOperations.filter(
  ({ name }) => requestTo(name, unknownUser).hasTarget === true,
);

it("Promise 7 is tested on every route that names a user, token, event or assessment", () => {
  expect(targetedOperations.length).toBeGreaterThanOrEqual(13);
});

const locations = tenantLocations.map((location, index) => ({ ...location, index }));

describe.each(locations)("Promise 7, for tenants $location", ({ index, ...location }) => {
  // Every operation at some of the locations; a full run tests it at all.
  it.each(shareOf(targetedOperations, index % 2, 2))(
    "$method $template answers another tenant's id like an unknown id, with as many calls, and changes nothing",
    async ({ name, method }) => {
      const world = await TwoTenants.create(location);
      const { victim, stranger, theirs, user } = world;
      await location.begin(victim);
      await location.begin(stranger);
      const ask = async (target: RequestTarget) => {
        const { path, body } = requestTo(name, target);
        return await stranger.send(method, path, body);
      };
      const before = await world.readAsOwner();
      const unknown = await ask(unknownUser);
      const [foreign] = await Promise.all([ask(theirs), location.meanwhile(victim)]);
      expect(foreign.status).toBe(404);
      expect(comparablePartOf(foreign)).toEqual(comparablePartOf(unknown));
      expect(JSON.stringify(foreign.body)).not.toContain(user.id);
      expect(await world.readAsOwner()).toBe(before);
      const calls = async (target: RequestTarget) => {
        const { d1RowsRead: _, ...counts } = (await countCalls(() => ask(target))).counts;
        return counts;
      };
      expect(await calls(theirs)).toEqual(await calls(unknownUser));
    },
  );
});
