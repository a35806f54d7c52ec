/** Promise 7: to one tenant, what another has looks on every route as what nobody has. */
import { describe, expect, it } from "vitest";
import { type About, nobody, requestTo } from "../support/requests.ts";
import { guarded } from "./operations.ts";
import { comparable, TwoTenants } from "./two-tenants.ts";

const aboutSomebody = guarded.filter(
  ({ name }) => requestTo(name, nobody).isAboutSomebody === true,
);

it("Promise 7 is tried on every route that names somebody or something", () => {
  expect(aboutSomebody.length).toBeGreaterThanOrEqual(13);
});

describe.each(aboutSomebody)("Promise 7: $method $template", ({ name, method }) => {
  it("answers another tenant's id as one that nobody has, and changes nothing of it", async () => {
    const world = await TwoTenants.create();
    const { stranger, theirs, user } = world;
    const ask = async (about: About) => {
      const { path, body } = requestTo(name, about);
      return await stranger.send(method, path, body);
    };
    const before = await world.seenByOwner();
    const unknown = await ask(nobody);
    const foreign = await ask(theirs);
    expect(foreign.status).toBe(404);
    expect(comparable(foreign)).toEqual(comparable(unknown));
    expect(JSON.stringify(foreign.body)).not.toContain(user.id);
    expect(await world.seenByOwner()).toBe(before);
  });
});
