/**
 * A request with an invalid token reaches no identity. The token is looked up before the guard is
 * called, never in parallel. Otherwise anyone who knows the form of a token could lock users out.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatApiToken, hashApiToken } from "../../src/tenancy/api-token.ts";
import { invalidateTenant } from "../../src/tenancy/token-cache.ts";
import { sendAtOnce, tally } from "../attacks/at-once.ts";
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { countCalls } from "../support/count-calls.ts";
import { holdDeliveries } from "../support/held-deliveries.ts";
import { requestTo, unknownUser } from "../support/requests.ts";
import { sql } from "../support/trail.ts";

const changes = [
  ["POST", "provisionUser"],
  ["POST", "configureOtp"],
  ["DELETE", "removeOtp"],
  ["POST", "verifyOtp"],
  ["POST", "regenerateBackupCodes"],
  ["POST", "unlockUser"],
  ["PATCH", "setUserStatus"],
  ["DELETE", "eraseUser"],
  ["POST", "discover"],
  ["POST", "judgeSession"],
] as const;

const badTokens: readonly (readonly [string, (tenant: Tenant) => Promise<string>])[] = [
  [
    "forged",
    async (tenant) => formatApiToken("test", tenant.id, crypto.getRandomValues(new Uint8Array(20))),
  ],
  [
    "revoked in another isolate",
    async (tenant) => {
      const token = await tenant.tokenWith(["idp:write", "sentinel:write"]);
      await sql("UPDATE api_tokens SET revoked_at = 1 WHERE hash = ?", await hashApiToken(token));
      return token;
    },
  ],
];

let releaseDeliveries: () => void = () => {};

beforeAll(async () => {
  releaseDeliveries = await holdDeliveries();
});

afterAll(() => releaseDeliveries());

/** The calls of Durable Objects during `act`, without those that look up or count the refused token. */
async function listObjectCalls(act: () => Promise<readonly Answer[]>) {
  const { answer, calls } = await countCalls(act);
  expect(tally(answer)).toEqual({ "401 invalid_token": answer.length });
  const objectCalls = calls.filter(({ kind }) => kind === "object").map(({ what }) => what);
  expect(objectCalls).toContain("TokenRegister.endOf");
  return objectCalls.filter((what) => !/^(TokenRegister\.endOf|RefusalLog\.count)$/.test(what));
}

describe.each(badTokens)(
  "With a token that is %s and not cached in this isolate",
  (_kind, createToken) => {
    it("twenty simultaneous wrong codes call no guard and count no failure", async () => {
      const user = await User.withTotp(await Tenant.create());
      const token = await createToken(user.tenant);
      const code = user.wrongCode(Date.now());
      invalidateTenant(user.tenant.id);
      expect(await listObjectCalls(() => sendAtOnce(20, () => user.verify(code, token)))).toEqual(
        [],
      );
      expect(await user.profile()).toMatchObject({ failed_attempts: 0, is_locked: false });
    });

    it("no operation that changes an identity calls its guard", async () => {
      const user = await User.withTotp(await Tenant.create());
      const { assessment_id } = await user.assess();
      const token = await createToken(user.tenant);
      const about = { ...unknownUser, ...user, assessmentId: assessment_id };
      const before = await user.profile();
      for (const [method, name] of changes) {
        const { path, body } = requestTo(name, about);
        invalidateTenant(user.tenant.id);
        expect(
          await listObjectCalls(async () => [await send(method, path, { token, body })]),
        ).toEqual([]);
      }
      expect(await user.profile()).toEqual(before);
    });
  },
);
