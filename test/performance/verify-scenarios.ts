/** Verifying a code and reading a profile, in every state a login finds them in. */
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { invalidateTenant } from "../../src/tenancy/resolve-token.ts";
import { fetchAnswer, type User } from "../support/client.ts";
import { evict, guardOf } from "../support/guard.ts";
import { fireLogAlarm, refusalLogOf } from "../support/refusal-log.ts";
import {
  nextCode,
  nextWrongCode,
  type Ready,
  type Scenario,
  someone,
  toRest,
  withKey,
} from "./scenario.ts";

const verifyPath = "/v1/idp/otp/verify";

/** Longer than a token's last use goes without being noted anew. */
const lastUseMs = 61_000;

async function locked(): Promise<User> {
  const user = await someone();
  for (let attempt = 0; attempt < 5; attempt += 1) await user.verify(nextWrongCode(user));
  return user;
}

/** Someone who is asked for a code, after something has happened. */
function verifying(
  state: string,
  status: number,
  codeOf: (user: User) => string,
  before: (user: User) => unknown = () => {},
  make: () => Promise<User> = someone,
): Scenario {
  const ready = async (): Promise<Ready> => {
    const user = await make();
    await before(user);
    const code = codeOf(user);
    return { act: () => user.verify(code), delivers: guardOf(user) };
  };
  return { operation: "verifyOtp", state, status, ready };
}

/** A request that does not reach an identity, of a tenant that has had such requests before. */
function refused(
  state: string,
  status: number,
  act: (user: User) => Promise<Ready["act"]>,
): Scenario {
  const ready = async (): Promise<Ready> => {
    const user = await someone();
    await user.tenant.send("GET", "/v1/idp/user?externalUserId=nobody");
    await fireLogAlarm(user.tenant.id);
    return { act: await act(user), delivers: refusalLogOf(user.tenant.id) };
  };
  return { operation: "verifyOtp", state, status, ready };
}

function forgetToken({ tenant }: User): void {
  invalidateTenant(tenant.id);
}

const rightCodes: readonly Scenario[] = [
  verifying("right code", 200, nextCode),
  verifying("right code, an alarm is pending", 200, nextCode, (user) =>
    user.verify(nextCode(user)),
  ),
  {
    operation: "verifyOtp",
    state: "backup code",
    status: 200,
    ready: async () => {
      const user = await someone();
      const [code] = await user.backupCodes();
      await toRest(user);
      return { act: () => user.verify(code), delivers: guardOf(user) };
    },
  },
  {
    operation: "verifyOtp",
    state: "right code of an assessed session",
    status: 200,
    ready: async () => {
      const user = await someone();
      const { assessment_id } = await user.assess();
      await toRest(user);
      const code = nextCode(user);
      return { act: () => user.verify(code, undefined, assessment_id), delivers: guardOf(user) };
    },
  },
  {
    operation: "verifyOtp",
    state: "right code, with an Idempotency-Key",
    status: 200,
    ready: async () => {
      const user = await someone();
      // The table of kept answers is there, as it is for who always sends a key.
      const body = (code: string) => ({ otp: { id: user.externalId, code } });
      await withKey(user, verifyPath, body(nextCode(user)), "before");
      await toRest(user);
      const request = body(nextCode(user));
      return { act: () => withKey(user, verifyPath, request), delivers: guardOf(user) };
    },
  },
  {
    operation: "verifyOtp",
    state: "the same request again, by its Idempotency-Key",
    status: 200,
    ready: async () => {
      const user = await someone();
      const request = { otp: { id: user.externalId, code: nextCode(user) } };
      await withKey(user, verifyPath, request);
      return { act: () => withKey(user, verifyPath, request) };
    },
  },
];

const otherCodes: readonly Scenario[] = [
  verifying("wrong code", 422, nextWrongCode),
  verifying("wrong code that locks", 422, nextWrongCode, async (user) => {
    for (let attempt = 0; attempt < 4; attempt += 1) await user.verify(nextWrongCode(user));
    await toRest(user);
  }),
  verifying("locked", 423, nextCode, toRest, locked),
  verifying(
    "locked, and told of before",
    423,
    nextCode,
    async (user) => {
      await user.verify("000000");
      await toRest(user);
    },
    locked,
  ),
  {
    operation: "verifyOtp",
    state: "replayed code",
    status: 422,
    ready: async () => {
      const user = await someone();
      const code = nextCode(user);
      await user.verify(code);
      await toRest(user);
      return { act: () => user.verify(code), delivers: guardOf(user) };
    },
  },
  verifying("suspended", 403, nextCode, async (user) => {
    await user.tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
    await toRest(user);
  }),
  refused("unknown user", 404, async ({ tenant }) => {
    const body = { otp: { id: "nobody", code: "123456" } };
    return () => tenant.send("POST", verifyPath, body);
  }),
  refused("unknown user, told of before", 404, async ({ tenant }) => {
    const body = { otp: { id: "nobody", code: "123456" } };
    await tenant.send("POST", verifyPath, body);
    await fireLogAlarm(tenant.id);
    return () => tenant.send("POST", verifyPath, body);
  }),
  refused("the token lacks the permission", 403, async (user) => {
    const token = await user.tenant.tokenWith(["idp:read"]);
    await user.tenant.send("GET", user.path(), undefined, token);
    return () => user.verify("123456", token);
  }),
];

const cold: readonly Scenario[] = [
  verifying("right code, cold token", 200, nextCode, forgetToken),
  {
    operation: "verifyOtp",
    state: "right code, cold token, its last use noted beside",
    status: 200,
    ready: async () => {
      const user = await someone();
      vi.setSystemTime(Date.now() + lastUseMs);
      const code = user.code(Date.now());
      return { act: () => user.verify(code), beside: /update "api_tokens"/ };
    },
  },
  verifying("right code, cold guard", 200, nextCode, evict),
  verifying("right code, cold token and guard", 200, nextCode, async (user) => {
    forgetToken(user);
    await evict(user);
  }),
  {
    operation: "verifyOtp",
    state: "right code, first request of an isolate",
    status: 200,
    ready: async () => {
      const user = await someone();
      forgetToken(user);
      const request = new Request(`https://idp.test${verifyPath}`, {
        method: "POST",
        headers: {
          Authorization: `Bearer ${user.tenant.token}`,
          "Content-Type": "application/json",
          "Test-Clock": new Date(Date.now() + 30_000).toISOString(),
        },
        body: JSON.stringify({
          otp: { id: user.externalId, code: user.code(Date.now() + 30_000) },
        }),
      });
      // An environment that this isolate has not seen: its keys are compared with the data's.
      return { act: () => fetchAnswer(request, { ...env }) };
    },
  },
];

function reading(state: string, before: (user: User) => unknown = () => {}): Scenario {
  const ready = async (): Promise<Ready> => {
    const user = await someone();
    await before(user);
    return { act: () => user.tenant.send("GET", user.path()) };
  };
  return { operation: "getUser", state, status: 200, ready };
}

export const verifyScenarios: readonly Scenario[] = [
  ...rightCodes,
  ...otherCodes,
  ...cold,
  reading("warm"),
  reading("cold token", forgetToken),
  reading("cold guard", evict),
];
