/** Promise 7: to one tenant, what another has looks on every route as what nobody has. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { counted } from "../support/counting.ts";
import { holdDeliveries, sendCouriers } from "../support/held-deliveries.ts";
import { queueHolds } from "../support/queue.ts";
import { type About, nobody, requestTo } from "../support/requests.ts";
import { homes } from "./homes.ts";
import { guarded } from "./operations.ts";
import { comparable, TwoTenants } from "./two-tenants.ts";

let freeDeliveries: () => void;

/** Nothing runs beside a request whose calls are counted. */
beforeEach(async () => {
  queueHolds();
  freeDeliveries = await holdDeliveries();
});

afterEach(async () => {
  await sendCouriers();
  freeDeliveries();
  vi.restoreAllMocks();
});

const aboutSomebody = guarded.filter(
  ({ name }) => requestTo(name, nobody).isAboutSomebody === true,
);

it("Promise 7 is tried on every route that names somebody or something", () => {
  expect(aboutSomebody.length).toBeGreaterThanOrEqual(13);
});

describe.each(homes)("Promise 7, of tenants $home", (home) => {
  it.each(aboutSomebody)(
    "$method $template answers another tenant's id as one that nobody has, with as many calls, and changes nothing of it",
    async ({ name, method }) => {
      const world = await TwoTenants.create(home);
      const { victim, stranger, theirs, user } = world;
      await home.begin(victim);
      await home.begin(stranger);
      const ask = async (about: About) => {
        const { path, body } = requestTo(name, about);
        return await stranger.send(method, path, body);
      };
      const before = await world.seenByOwner();
      const unknown = await ask(nobody);
      const [foreign] = await Promise.all([ask(theirs), home.meanwhile(victim)]);
      expect(foreign.status).toBe(404);
      expect(comparable(foreign)).toEqual(comparable(unknown));
      expect(JSON.stringify(foreign.body)).not.toContain(user.id);
      expect(await world.seenByOwner()).toBe(before);
      const calls = async (about: About) => {
        const { d1RowsRead: _, ...counts } = (await counted(() => ask(about))).counts;
        return counts;
      };
      expect(await calls(theirs)).toEqual(await calls(nobody));
    },
  );
});
