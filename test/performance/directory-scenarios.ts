/** Scenarios that enrol and administrate identities, and that read lists. */
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { identityIdOf } from "../../src/crypto/id.ts";
import { invalidateTenant } from "../../src/tenancy/token-cache.ts";
import { type Answer, User } from "../support/client.ts";
import { guardOf } from "../support/guard.ts";
import {
  createUser,
  deliverAll,
  nextWrongCode,
  type Ready,
  type Scenario,
  sendWithKey,
} from "./scenario.ts";

const usersPath = "/v1/idp/users";
const newUser = { user: { external_id: "new" } };

/** An operation on a user whose outbox is empty. */
function userScenario(
  operation: string,
  state: string,
  status: number,
  act: (user: User) => Promise<Answer>,
  before: (user: User) => unknown = () => {},
): Scenario {
  const prepare = async (): Promise<Ready> => {
    const user = await createUser();
    await before(user);
    await deliverAll(user);
    return { act: () => act(user), delivers: guardOf(user) };
  };
  return { operation, state, status, prepare };
}

const otp = { otp: { issuer_name: "Acme", account_name: "alexander" } };

function provisionScenario(
  state: string,
  before: (user: User) => unknown = () => {},
  act: (user: User) => Promise<Answer> = ({ tenant }) => tenant.send("POST", usersPath, newUser),
): Scenario {
  const prepare = async (): Promise<Ready> => {
    const user = await createUser();
    await before(user);
    const id = await identityIdOf(user.tenant.id, newUser.user.external_id);
    const name = `${user.tenant.id}:${id}`;
    return { act: () => act(user), delivers: env.GUARD.get(env.GUARD.idFromName(name)) };
  };
  return { operation: "provisionUser", state, status: 201, prepare };
}

const provisionScenarios: readonly Scenario[] = [
  provisionScenario("new"),
  provisionScenario("new, cold token", ({ tenant }) => invalidateTenant(tenant.id)),
  provisionScenario("new, with an Idempotency-Key", undefined, (user) =>
    sendWithKey(user, usersPath, newUser),
  ),
  userScenario("provisionUser", "exists", 409, (user) =>
    user.tenant.send("POST", usersPath, { user: { external_id: user.externalId } }),
  ),
];

async function lock(user: User): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt += 1) await user.verify(nextWrongCode(user));
}

const changeScenarios: readonly Scenario[] = [
  userScenario("configureOtp", "first time or again", 200, (user) => user.configure()),
  userScenario(
    "configureOtp",
    "with an Idempotency-Key",
    200,
    (user) => sendWithKey(user, user.path("/otp"), otp),
    (user) => sendWithKey(user, user.path("/otp"), otp, "before"),
  ),
  userScenario("removeOtp", "configured", 204, (user) =>
    user.tenant.send("DELETE", user.path("/otp")),
  ),
  userScenario("regenerateBackupCodes", "first time or again", 200, (user) =>
    user.tenant.send("POST", user.path("/backup-codes")),
  ),
  userScenario(
    "unlockUser",
    "locked",
    200,
    (user) => user.tenant.send("POST", user.path("/unlock")),
    lock,
  ),
  userScenario("setUserStatus", "suspend", 200, (user) =>
    user.tenant.send("PATCH", user.path(), { user: { status: "suspended" } }),
  ),
  userScenario("eraseUser", "known", 204, (user) => user.tenant.send("DELETE", user.path())),
];

/** A list of ten entries of a tenant with that number of identities. */
function listScenario(operation: string, path: string, users: number): Scenario {
  const prepare = async (): Promise<Ready> => {
    const { tenant } = await createUser();
    for (let n = 1; n < users; n += 1) {
      // Users of the same millisecond have no defined order.
      vi.setSystemTime(Date.now() + 1);
      await User.provision(tenant);
    }
    return { act: () => tenant.send("GET", path) };
  };
  return { operation, state: `10 of ${users} identities`, status: 200, prepare };
}

export const directoryScenarios: readonly Scenario[] = [
  ...provisionScenarios,
  ...changeScenarios,
  listScenario("listUsers", `${usersPath}?limit=10`, 15),
  listScenario("listUsers", `${usersPath}?limit=10`, 30),
  listScenario("listAuditEvents", "/v1/audit/events?limit=10", 15),
  listScenario("listAuditEvents", "/v1/audit/events?limit=10", 30),
];
