/** Enrolling and administrating identities, and reading lists. */
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { identityIdOf } from "../../src/crypto/id.ts";
import { invalidateTenant } from "../../src/tenancy/resolve-token.ts";
import { type Answer, User } from "../support/client.ts";
import { guardOf } from "../support/guard.ts";
import { nextWrongCode, type Ready, type Scenario, someone, toRest, withKey } from "./scenario.ts";

const usersPath = "/v1/idp/users";
const newUser = { user: { external_id: "new" } };

/** Something that is done to someone, who is drained before. */
function doing(
  operation: string,
  state: string,
  status: number,
  act: (user: User) => Promise<Answer>,
  before: (user: User) => unknown = () => {},
): Scenario {
  const ready = async (): Promise<Ready> => {
    const user = await someone();
    await before(user);
    await toRest(user);
    return { act: () => act(user), delivers: guardOf(user) };
  };
  return { operation, state, status, ready };
}

const otp = { otp: { issuer_name: "Acme", account_name: "alexander" } };

function provisioning(
  state: string,
  before: (user: User) => unknown = () => {},
  act: (user: User) => Promise<Answer> = ({ tenant }) => tenant.send("POST", usersPath, newUser),
): Scenario {
  const ready = async (): Promise<Ready> => {
    const user = await someone();
    await before(user);
    const name = `${user.tenant.id}:${identityIdOf(user.tenant.id, newUser.user.external_id)}`;
    return { act: () => act(user), delivers: env.GUARD.get(env.GUARD.idFromName(name)) };
  };
  return { operation: "provisionUser", state, status: 201, ready };
}

const provision: readonly Scenario[] = [
  provisioning("new"),
  provisioning("new, cold token", ({ tenant }) => invalidateTenant(tenant.id)),
  provisioning("new, with an Idempotency-Key", undefined, (user) =>
    withKey(user, usersPath, newUser),
  ),
  doing("provisionUser", "exists", 409, (user) =>
    user.tenant.send("POST", usersPath, { user: { external_id: user.externalId } }),
  ),
];

async function lock(user: User): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt += 1) await user.verify(nextWrongCode(user));
}

const changes: readonly Scenario[] = [
  doing("configureOtp", "first time or again", 200, (user) => user.configure()),
  doing(
    "configureOtp",
    "with an Idempotency-Key",
    200,
    (user) => withKey(user, user.path("/otp"), otp),
    (user) => withKey(user, user.path("/otp"), otp, "before"),
  ),
  doing("removeOtp", "configured", 204, (user) => user.tenant.send("DELETE", user.path("/otp"))),
  doing("regenerateBackupCodes", "first time or again", 200, (user) =>
    user.tenant.send("POST", user.path("/backup-codes")),
  ),
  doing(
    "unlockUser",
    "locked",
    200,
    (user) => user.tenant.send("POST", user.path("/unlock")),
    lock,
  ),
  doing("setUserStatus", "suspend", 200, (user) =>
    user.tenant.send("PATCH", user.path(), { user: { status: "suspended" } }),
  ),
  doing("eraseUser", "known", 204, (user) => user.tenant.send("DELETE", user.path())),
];

/** A list of ten, of a tenant with so many identities. */
function listing(operation: string, path: string, users: number): Scenario {
  const ready = async (): Promise<Ready> => {
    const { tenant } = await someone();
    for (let n = 1; n < users; n += 1) {
      // Of one millisecond nobody knows which was first.
      vi.setSystemTime(Date.now() + 1);
      await User.provision(tenant);
    }
    return { act: () => tenant.send("GET", path) };
  };
  return { operation, state: `10 of ${users} identities`, status: 200, ready };
}

export const directoryScenarios: readonly Scenario[] = [
  ...provision,
  ...changes,
  listing("listUsers", `${usersPath}?limit=10`, 15),
  listing("listUsers", `${usersPath}?limit=10`, 30),
  listing("listAuditEvents", "/v1/audit/events?limit=10", 15),
  listing("listAuditEvents", "/v1/audit/events?limit=10", 30),
];
