/** Promise 7: to one tenant, what another has looks on every route as what nobody has. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { countCalls } from "../support/count-calls.ts";
import { holdDeliveries, sendCouriers } from "../support/held-deliveries.ts";
import { holdMessages } from "../support/queue.ts";
import { type RequestTarget, requestTo, unknownUser } from "../support/requests.ts";
import { guarded } from "./operations.ts";
import { tenantLocations } from "./tenant-locations.ts";
import { comparablePartOf, TwoTenants } from "./two-tenants.ts";

let freeDeliveries: () => void;

/** Nothing runs beside a request whose calls are counted. */
beforeEach(async () => {
  holdMessages();
  freeDeliveries = await holdDeliveries();
});

afterEach(async () => {
  await sendCouriers();
  freeDeliveries();
  vi.restoreAllMocks();
});

const aboutSomebody = guarded.filter(({ name }) => requestTo(name, unknownUser).hasTarget === true);

it("Promise 7 is tried on every route that names somebody or something", () => {
  expect(aboutSomebody.length).toBeGreaterThanOrEqual(13);
});

describe.each(tenantLocations)("Promise 7, of tenants $location", (location) => {
  it.each(aboutSomebody)(
    "$method $template answers another tenant's id as one that nobody has, with as many calls, and changes nothing of it",
    async ({ name, method }) => {
      const world = await TwoTenants.create(location);
      const { victim, stranger, theirs, user } = world;
      await location.begin(victim);
      await location.begin(stranger);
      const ask = async (about: RequestTarget) => {
        const { path, body } = requestTo(name, about);
        return await stranger.send(method, path, body);
      };
      const before = await world.readAsOwner();
      const unknown = await ask(unknownUser);
      const [foreign] = await Promise.all([ask(theirs), location.meanwhile(victim)]);
      expect(foreign.status).toBe(404);
      expect(comparablePartOf(foreign)).toEqual(comparablePartOf(unknown));
      expect(JSON.stringify(foreign.body)).not.toContain(user.id);
      expect(await world.readAsOwner()).toBe(before);
      const calls = async (about: RequestTarget) => {
        const { d1RowsRead: _, ...counts } = (await countCalls(() => ask(about))).counts;
        return counts;
      };
      expect(await calls(theirs)).toEqual(await calls(unknownUser));
    },
  );
});
