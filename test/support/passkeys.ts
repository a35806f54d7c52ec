/** Ceremonies of passkeys over the API, between a tenant's backend and a software authenticator. */
import type { Answer, Tenant, User } from "./client.ts";
import { type Deviations, type Page, PasskeyAuthenticator } from "./passkey-authenticator.ts";
import type {
  AuthenticationAnswer,
  CreationOptions,
  RegistrationAnswer,
  RequestOptions,
} from "./passkey-json.ts";

export const rpId = "login.example.com";
export const page: Page = { origin: `https://${rpId}` };

/** Sets up passkeys for the tenant, on `page` alone unless other settings are given. */
export async function setUpPasskeys(tenant: Tenant, settings: object = {}): Promise<void> {
  await tenant.setSettings({
    passkeys: { rp_id: rpId, origins: [page.origin], ...settings },
  });
}

function requireStatus(answer: Answer, status: number): Answer["body"] {
  if (answer.status !== status) {
    throw new Error(`Status ${answer.status}: ${JSON.stringify(answer.body)}`);
  }
  return answer.body;
}

export async function requestRegistrationOptions(user: User): Promise<Answer> {
  const body = { passkey: { user_name: "alexander@enterprise.com" } };
  return await user.tenant.send("POST", user.path("/passkeys/options"), body);
}

/** @throws if the status is not 200 */
export async function startRegistration(user: User): Promise<CreationOptions> {
  return requireStatus(await requestRegistrationOptions(user), 200).passkey.public_key;
}

/** Sends what the browser has created. @param challenge that of the browser's session */
export async function finishRegistration(
  user: User,
  challenge: string,
  credential: RegistrationAnswer,
  name?: string,
): Promise<Answer> {
  const passkey = { challenge, credential, ...(name === undefined ? {} : { name }) };
  return await user.tenant.send("POST", user.path("/passkeys"), { passkey });
}

/** The whole ceremony. @returns the passkey as the API shows it @throws if it fails */
export async function registerPasskey(
  user: User,
  authenticator: PasskeyAuthenticator,
  deviations: Deviations = {},
): Promise<Answer["body"]> {
  const options = await startRegistration(user);
  const credential = await authenticator.create(options, page, deviations);
  const answer = await finishRegistration(user, options.challenge, credential);
  return requireStatus(answer, 201).passkey;
}

function nameUser(user: User | undefined) {
  return user === undefined ? {} : { id: user.externalId };
}

export async function requestLoginOptions(tenant: Tenant, user?: User): Promise<Answer> {
  return await tenant.send("POST", "/v1/idp/passkeys/options", { passkey: nameUser(user) });
}

/** @param user without it, the login is usernameless @throws if the status is not 200 */
export async function startLogin(tenant: Tenant, user?: User): Promise<RequestOptions> {
  return requireStatus(await requestLoginOptions(tenant, user), 200).passkey.public_key;
}

/** Sends the answer of a passkey. @param challenge that of the browser's session */
export async function finishLogin(
  tenant: Tenant,
  challenge: string,
  credential: AuthenticationAnswer,
  user?: User,
): Promise<Answer> {
  const passkey = { challenge, credential, ...nameUser(user) };
  return await tenant.send("POST", "/v1/idp/passkeys/verify", { passkey });
}

/** The whole ceremony. @param user without it, the login is usernameless */
export async function logIn(
  tenant: Tenant,
  authenticator: PasskeyAuthenticator,
  user?: User,
  deviations: Deviations = {},
): Promise<Answer> {
  const options = await startLogin(tenant, user);
  const credential = await authenticator.get(options, page, deviations);
  return await finishLogin(tenant, options.challenge, credential, user);
}

/** A device of the user with a passkey, and the passkey's id. The user must have no other factor yet. */
export async function givePasskey(user: User) {
  await setUpPasskeys(user.tenant);
  const authenticator = new PasskeyAuthenticator();
  const { id } = await registerPasskey(user, authenticator);
  return { authenticator, passkeyId: String(id) };
}

/** A valid body of `registerPasskey`, for a new passkey of a user who may register one now. */
export async function createRegistrationBody(user: User, deviations: Deviations = {}) {
  const options = await startRegistration(user);
  const credential = await new PasskeyAuthenticator().create(options, page, deviations);
  return { passkey: { challenge: options.challenge, credential } };
}

/** A valid body of `verifyPasskey`, for a named login. */
export async function createLoginBody(
  user: User,
  authenticator: PasskeyAuthenticator,
  deviations: Deviations = {},
) {
  const options = await startLogin(user.tenant, user);
  const credential = await authenticator.get(options, page, deviations);
  return { passkey: { challenge: options.challenge, credential, id: user.externalId } };
}

/** The user's passkeys as the API shows them. */
export async function listPasskeys(user: User): Promise<Answer["body"]> {
  const answer = await user.tenant.send("GET", user.path("/passkeys"));
  return requireStatus(answer, 200).passkeys;
}
