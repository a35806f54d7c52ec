/** Scenarios of passkeys. Their users have a passkey and no other factor. */
import { Tenant, User } from "../support/client.ts";
import { evict, guardOf } from "../support/guard.ts";
import {
  createLoginBody,
  createRegistrationBody,
  givePasskey,
  logIn,
  page,
  requestLoginOptions,
  requestRegistrationOptions,
  startLogin,
} from "../support/passkeys.ts";
import { fireLogAlarm, refusalLogOf } from "../support/refusal-log.ts";
import { deliverAll, type Ready, type Scenario, sendWithKey } from "./scenario.ts";

const verifyPath = "/v1/idp/passkeys/verify";

async function createOwner() {
  const user = await User.provision(await Tenant.create());
  const owner = { user, ...(await givePasskey(user)) };
  await deliverAll(user);
  return owner;
}
type Owner = Awaited<ReturnType<typeof createOwner>>;

/** @param prepare returns the request to count */
function scenario(
  operation: string,
  state: string,
  status: number,
  prepare: (owner: Owner) => Promise<Ready["act"]>,
  delivers = true,
): Scenario {
  return {
    operation,
    state,
    status,
    prepare: async () => {
      const owner = await createOwner();
      const act = await prepare(owner);
      return delivers ? { act, delivers: guardOf(owner.user) } : { act };
    },
  };
}

/** A login of a named user. */
function login(
  state: string,
  status: number,
  before: (owner: Owner) => unknown = () => {},
): Scenario {
  return scenario("verifyPasskey", state, status, async (owner) => {
    const body = await createLoginBody(owner.user, owner.authenticator);
    await before(owner);
    return () => owner.user.tenant.send("POST", verifyPath, body);
  });
}

const logins: readonly Scenario[] = [
  login("right answer", 200),
  scenario("verifyPasskey", "right answer, usernameless", 200, async ({ user, authenticator }) => {
    const options = await startLogin(user.tenant);
    const credential = await authenticator.get(options, page);
    const body = { passkey: { challenge: options.challenge, credential } };
    return () => user.tenant.send("POST", verifyPath, body);
  }),
  scenario(
    "verifyPasskey",
    "right answer of an assessed session",
    200,
    async ({ user, authenticator }) => {
      const { assessment_id } = await user.assess();
      await deliverAll(user);
      const { passkey } = await createLoginBody(user, authenticator);
      const body = { passkey: { ...passkey, assessment_id } };
      return () => user.tenant.send("POST", verifyPath, body);
    },
  ),
  scenario(
    "verifyPasskey",
    "right answer, with an Idempotency-Key",
    200,
    async ({ user, authenticator }) => {
      const first = await createLoginBody(user, authenticator);
      await sendWithKey(user, verifyPath, first, "before");
      await deliverAll(user);
      const body = await createLoginBody(user, authenticator);
      return () => sendWithKey(user, verifyPath, body);
    },
  ),
  login("right answer, cold guard", 200, ({ user }) => evict(user)),
  scenario("verifyPasskey", "wrong signature", 422, async ({ user, authenticator }) => {
    const { passkey } = await createLoginBody(user, authenticator);
    const { signature } = (await createLoginBody(user, authenticator)).passkey.credential.response;
    const credential = {
      ...passkey.credential,
      response: { ...passkey.credential.response, signature },
    };
    const body = { passkey: { ...passkey, credential } };
    return () => user.tenant.send("POST", verifyPath, body);
  }),
  scenario("verifyPasskey", "replayed answer", 422, async ({ user, authenticator }) => {
    const body = await createLoginBody(user, authenticator);
    await user.tenant.send("POST", verifyPath, body);
    await deliverAll(user);
    return () => user.tenant.send("POST", verifyPath, body);
  }),
  login("suspended", 403, async ({ user }) => {
    await user.tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
    await deliverAll(user);
  }),
  {
    operation: "verifyPasskey",
    state: "unknown user",
    status: 422,
    prepare: async () => {
      const [owner, stranger] = [await createOwner(), await createOwner()];
      const { tenant } = owner.user;
      await tenant.send("GET", "/v1/idp/user?externalUserId=unknown-user");
      await fireLogAlarm(tenant.id);
      const options = await startLogin(tenant);
      const credential = await stranger.authenticator.get(options, page);
      const body = { passkey: { challenge: options.challenge, credential } };
      const act = () => tenant.send("POST", verifyPath, body);
      return { act, delivers: refusalLogOf(tenant.id) };
    },
  },
];

export const passkeyScenarios: readonly Scenario[] = [
  scenario(
    "createPasskeyAuthenticationOptions",
    "named user",
    200,
    async ({ user }) =>
      () =>
        requestLoginOptions(user.tenant, user),
    false,
  ),
  scenario(
    "createPasskeyAuthenticationOptions",
    "usernameless",
    200,
    async ({ user }) =>
      () =>
        requestLoginOptions(user.tenant),
    false,
  ),
  ...logins,
  scenario(
    "createPasskeyRegistrationOptions",
    "warm",
    200,
    async ({ user, authenticator }) => {
      await logIn(user.tenant, authenticator, user);
      return () => requestRegistrationOptions(user);
    },
    false,
  ),
  scenario("registerPasskey", "warm", 201, async ({ user, authenticator }) => {
    await logIn(user.tenant, authenticator, user);
    await deliverAll(user);
    const body = await createRegistrationBody(user);
    return () => user.tenant.send("POST", user.path("/passkeys"), body);
  }),
  scenario(
    "listPasskeys",
    "warm",
    200,
    async ({ user }) =>
      () =>
        user.tenant.send("GET", user.path("/passkeys")),
    false,
  ),
  scenario("renamePasskey", "warm", 200, async ({ user, passkeyId }) => {
    const body = { passkey: { name: "renamed" } };
    return () => user.tenant.send("PATCH", user.path(`/passkeys/${passkeyId}`), body);
  }),
  scenario(
    "removePasskey",
    "warm",
    204,
    async ({ user, passkeyId }) =>
      () =>
        user.tenant.send("DELETE", user.path(`/passkeys/${passkeyId}`)),
  ),
];
