/** Tokens: a request with a token that the service did not create changes no store. */
import { listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { formatApiToken } from "../../src/tenancy/api-token.ts";
import { send, Tenant, User } from "../support/client.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { requestTo, unknownUser } from "../support/requests.ts";
import { copyStores } from "../support/stores.ts";
import { sendAtOnce, tally } from "./at-once.ts";
import { protectedOperations } from "./operations.ts";

it("A forged token leaves no trace in any store, on any route and for any tenant that it names", async () => {
  const tenant = await Tenant.create();
  const user = await User.withTotp(tenant);
  await drainOutbox(user);
  const about = { ...unknownUser, tenantId: tenant.id, externalId: user.externalId };
  const random = () => crypto.getRandomValues(new Uint8Array(20));
  const tokens = [
    undefined,
    formatApiToken("test", tenant.id, random()),
    formatApiToken("live", tenant.id, random()),
    formatApiToken("test", "0123456789abcdef01234567", random()),
    formatApiToken("test", "0123456789abcdef01234567", random()).slice(0, -1),
  ];
  const before = await copyStores();
  for (const { name, method } of protectedOperations) {
    const { path, body } = requestTo(name, about);
    const answers = await sendAtOnce(tokens.length, async (index) => {
      const headers = { "Idempotency-Key": crypto.randomUUID() };
      return await send(method, path, { token: tokens[index], headers, body });
    });
    expect(tally(answers)).toEqual({ "401 missing_token": 1, "401 invalid_token": 4 });
  }
  expect(await copyStores()).toEqual(before);
  for (const id of await listDurableObjectIds(env.REGISTER)) {
    const alarm = await runInDurableObject(env.REGISTER.get(id), (_, { storage }) =>
      storage.getAlarm(),
    );
    expect(alarm).toBeNull();
  }
});
