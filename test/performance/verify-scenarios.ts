/** Scenarios that verify a code or read a profile, in every state in which a login can find them. */
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { invalidateTenant } from "../../src/tenancy/token-cache.ts";
import { fetchAnswer, type User } from "../support/client.ts";
import { evict, guardOf } from "../support/guard.ts";
import { provideQueue } from "../support/queue.ts";
import { createWebhook } from "../support/receiver.ts";
import { fireLogAlarm, refusalLogOf } from "../support/refusal-log.ts";
import {
  createUser,
  deliverAll,
  nextCode,
  nextWrongCode,
  type Ready,
  type Scenario,
  sendWithKey,
} from "./scenario.ts";

const verifyPath = "/v1/idp/otp/verify";

/** Longer than the interval at which a token's last use is written. */
const lastUseMs = 61_000;

async function createLockedUser(): Promise<User> {
  const user = await createUser();
  for (let attempt = 0; attempt < 5; attempt += 1) await user.verify(nextWrongCode(user));
  return user;
}

/** A verification by a user in the state that `before` creates. */
function verifyScenario(
  state: string,
  status: number,
  codeOf: (user: User) => string,
  before: (user: User) => unknown = () => {},
  create: () => Promise<User> = createUser,
): Scenario {
  const prepare = async (): Promise<Ready> => {
    const user = await create();
    await before(user);
    const code = codeOf(user);
    return { act: () => user.verify(code), delivers: guardOf(user) };
  };
  return { operation: "verifyOtp", state, status, prepare };
}

/** A request that reaches no identity, of a tenant that has sent such requests before. */
function refusedScenario(
  state: string,
  status: number,
  act: (user: User) => Promise<Ready["act"]>,
): Scenario {
  const prepare = async (): Promise<Ready> => {
    const user = await createUser();
    await user.tenant.send("GET", "/v1/idp/user?externalUserId=unknown-user");
    await fireLogAlarm(user.tenant.id);
    return { act: await act(user), delivers: refusalLogOf(user.tenant.id) };
  };
  return { operation: "verifyOtp", state, status, prepare };
}

function invalidateToken({ tenant }: User): void {
  invalidateTenant(tenant.id);
}

const rightCodes: readonly Scenario[] = [
  verifyScenario("right code", 200, nextCode),
  verifyScenario("right code, an alarm is pending", 200, nextCode, (user) =>
    user.verify(nextCode(user)),
  ),
  {
    operation: "verifyOtp",
    state: "right code, with a queue",
    status: 200,
    prepare: async () => {
      const user = await createUser();
      const removeQueue = await provideQueue();
      const code = nextCode(user);
      return { act: () => user.verify(code), delivers: guardOf(user), removeQueue };
    },
  },
  {
    operation: "verifyOtp",
    state: "right code, with a webhook",
    status: 200,
    prepare: async () => {
      const user = await createUser();
      await createWebhook(user.tenant, { url: "https://hooks.example.com/idp" });
      // The isolate knows it from the next look-up of the token, and a second later the follower does not look anyway.
      await user.profile();
      vi.setSystemTime(Date.now() + 1_000);
      const code = nextCode(user);
      return { act: () => user.verify(code), delivers: guardOf(user) };
    },
  },
  {
    operation: "verifyOtp",
    state: "right code, with a step-up token",
    status: 200,
    prepare: async () => {
      const user = await createUser();
      const token = { audience: "https://api.example.com" };
      const body = { otp: { id: user.externalId, code: nextCode(user), token } };
      return { act: () => user.tenant.send("POST", verifyPath, body), delivers: guardOf(user) };
    },
  },
  {
    operation: "verifyOtp",
    state: "backup code",
    status: 200,
    prepare: async () => {
      const user = await createUser();
      const [code] = await user.backupCodes();
      await deliverAll(user);
      return { act: () => user.verify(code), delivers: guardOf(user) };
    },
  },
  {
    operation: "verifyOtp",
    state: "right code of an assessed session",
    status: 200,
    prepare: async () => {
      const user = await createUser();
      // This creates the table of sessions, which exists from the user's first login on.
      const { assessment_id: earlier } = await user.assess();
      await user.verify(nextCode(user), undefined, earlier);
      const { assessment_id } = await user.assess();
      await deliverAll(user);
      const code = nextCode(user);
      return { act: () => user.verify(code, undefined, assessment_id), delivers: guardOf(user) };
    },
  },
  {
    operation: "verifyOtp",
    state: "right code, with an Idempotency-Key",
    status: 200,
    prepare: async () => {
      const user = await createUser();
      // This creates the table of stored answers, which exists for clients that always send a key.
      const body = (code: string) => ({ otp: { id: user.externalId, code } });
      await sendWithKey(user, verifyPath, body(nextCode(user)), "before");
      await deliverAll(user);
      const request = body(nextCode(user));
      return { act: () => sendWithKey(user, verifyPath, request), delivers: guardOf(user) };
    },
  },
  {
    operation: "verifyOtp",
    state: "the same request again, by its Idempotency-Key",
    status: 200,
    prepare: async () => {
      const user = await createUser();
      const request = { otp: { id: user.externalId, code: nextCode(user) } };
      await sendWithKey(user, verifyPath, request);
      return { act: () => sendWithKey(user, verifyPath, request) };
    },
  },
];

const otherCodes: readonly Scenario[] = [
  verifyScenario("wrong code", 422, nextWrongCode),
  verifyScenario("wrong code that locks", 422, nextWrongCode, async (user) => {
    for (let attempt = 0; attempt < 4; attempt += 1) await user.verify(nextWrongCode(user));
    await deliverAll(user);
  }),
  verifyScenario("locked", 423, nextCode, deliverAll, createLockedUser),
  verifyScenario(
    "locked, already reported",
    423,
    nextCode,
    async (user) => {
      await user.verify("000000");
      await deliverAll(user);
    },
    createLockedUser,
  ),
  {
    operation: "verifyOtp",
    state: "replayed code",
    status: 422,
    prepare: async () => {
      const user = await createUser();
      const code = nextCode(user);
      for (const accepted of [code, nextCode(user)]) await user.verify(accepted);
      await deliverAll(user);
      return { act: () => user.verify(code), delivers: guardOf(user) };
    },
  },
  {
    operation: "verifyOtp",
    state: "the code accepted last",
    status: 422,
    prepare: async () => {
      const user = await createUser();
      const code = nextCode(user);
      await user.verify(code);
      await deliverAll(user);
      return { act: () => user.verify(code), delivers: guardOf(user) };
    },
  },
  verifyScenario("suspended", 403, nextCode, async (user) => {
    await user.tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
    await deliverAll(user);
  }),
  refusedScenario("unknown user", 404, async ({ tenant }) => {
    const body = { otp: { id: "unknown-user", code: "123456" } };
    return () => tenant.send("POST", verifyPath, body);
  }),
  refusedScenario("unknown user, already reported", 404, async ({ tenant }) => {
    const body = { otp: { id: "unknown-user", code: "123456" } };
    await tenant.send("POST", verifyPath, body);
    await fireLogAlarm(tenant.id);
    return () => tenant.send("POST", verifyPath, body);
  }),
  refusedScenario("the token lacks the permission", 403, async (user) => {
    const token = await user.tenant.tokenWith(["idp:read"]);
    await user.tenant.send("GET", user.path(), undefined, token);
    return () => user.verify("123456", token);
  }),
];

const cold: readonly Scenario[] = [
  verifyScenario("right code, cold token", 200, nextCode, invalidateToken),
  {
    operation: "verifyOtp",
    state: "right code, cold token, its last use written in parallel",
    status: 200,
    prepare: async () => {
      const user = await createUser();
      vi.setSystemTime(Date.now() + lastUseMs);
      const code = user.code(Date.now());
      return { act: () => user.verify(code), beside: /update "api_tokens"/ };
    },
  },
  verifyScenario("right code, cold guard", 200, nextCode, evict),
  {
    operation: "verifyOtp",
    state: "right code, the tenant's first of a day",
    status: 200,
    prepare: async () => {
      const user = await createUser();
      vi.setSystemTime(Date.now() + 24 * 60 * 60 * 1000);
      await user.profile();
      const code = user.code(Date.now());
      return { act: () => user.verify(code), delivers: guardOf(user) };
    },
  },
  verifyScenario("right code, cold token and guard", 200, nextCode, async (user) => {
    invalidateToken(user);
    await evict(user);
  }),
  {
    operation: "verifyOtp",
    state: "right code, first request of an isolate",
    status: 200,
    prepare: async () => {
      const user = await createUser();
      invalidateToken(user);
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
      // For a new environment the isolate compares the keys with those of the data.
      return { act: () => fetchAnswer(request, { ...env }) };
    },
  },
];

function profileScenario(state: string, before: (user: User) => unknown = () => {}): Scenario {
  const prepare = async (): Promise<Ready> => {
    const user = await createUser();
    await before(user);
    return { act: () => user.tenant.send("GET", user.path()) };
  };
  return { operation: "getUser", state, status: 200, prepare };
}

export const verifyScenarios: readonly Scenario[] = [
  ...rightCodes,
  ...otherCodes,
  ...cold,
  profileScenario("warm"),
  profileScenario("cold token", invalidateToken),
  profileScenario("cold guard", evict),
];
