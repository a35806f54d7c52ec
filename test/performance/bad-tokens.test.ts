/**
 * A token that is not good reaches no identity. The lookup of a token comes before the call of the
 * guard, never beside it: else whoever knows the form of a token could count failures and lock people
 * out.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatApiToken, hashApiToken } from "../../src/tenancy/api-token.ts";
import { invalidateTenant } from "../../src/tenancy/resolve-token.ts";
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
      await sql("UPDATE api_tokens SET revoked_at = 1 WHERE hash = ?", hashApiToken(token));
      return token;
    },
  ],
];

let freeDeliveries: () => void = () => {};

beforeAll(async () => {
  freeDeliveries = await holdDeliveries();
});

afterAll(() => freeDeliveries());

/** Everything that was asked of an object but when the token ended, and that it was refused. */
async function askedBy(act: () => Promise<readonly Answer[]>) {
  const { answer, calls } = await countCalls(act);
  expect(tally(answer)).toEqual({ "401 invalid_token": answer.length });
  const asked = calls.filter(({ kind }) => kind === "object").map(({ what }) => what);
  expect(asked).toContain("TokenRegister.endOf");
  return asked.filter((what) => !/^(TokenRegister\.endOf|RefusalLog\.count)$/.test(what));
}

describe.each(badTokens)(
  "With a token that is %s and of which this isolate knows nothing",
  (_kind, make) => {
    it("twenty wrong codes at once call no guard and count no failure", async () => {
      const user = await User.withTotp(await Tenant.create());
      const token = await make(user.tenant);
      const code = user.wrongCode(Date.now());
      invalidateTenant(user.tenant.id);
      expect(await askedBy(() => sendAtOnce(20, () => user.verify(code, token)))).toEqual([]);
      expect(await user.profile()).toMatchObject({ failed_attempts: 0, is_locked: false });
    });

    it("nothing that changes an identity calls its guard", async () => {
      const user = await User.withTotp(await Tenant.create());
      const { assessment_id } = await user.assess();
      const token = await make(user.tenant);
      const about = { ...unknownUser, ...user, assessmentId: assessment_id };
      const before = await user.profile();
      for (const [method, name] of changes) {
        const { path, body } = requestTo(name, about);
        invalidateTenant(user.tenant.id);
        expect(await askedBy(async () => [await send(method, path, { token, body })])).toEqual([]);
      }
      expect(await user.profile()).toEqual(before);
    });
  },
);
