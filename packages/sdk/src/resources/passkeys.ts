import { bodyOf, type Connection } from "../connection.ts";
import { createUnexpectedAnswer } from "../idp-error.ts";
import type { RequestOptions } from "../options.ts";
import type {
  Passkey,
  PasskeyAuthenticationOptions,
  PasskeyList,
  PasskeyRegistrationOptions,
  PasskeyUserNames,
  RegisterPasskeyInput,
  VerifyPasskeyInput,
  VerifyPasskeyResult,
} from "../types.ts";

/**
 * Passkeys (Web Authentication Level 3). `@edge-idp/sdk/browser` has the part that runs in the browser. Keep each
 * `challenge` in the session of the browser that you send the options to: it binds the answer to that browser.
 */
export class Passkeys {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Starts a registration. Send `public_key` to the browser, and keep `public_key.challenge` for `register`, for five
   * minutes at most. Permission: `idp:write`.
   *
   * @throws IdpError `verification_required` (verify the user first), `too_many`, `user_not_found`, `user_suspended`,
   * `passkeys_not_set_up` (the tenant's settings lack `passkeys.rp_id`)
   */
  async createRegistrationOptions(
    externalId: string,
    names: PasskeyUserNames,
    options?: RequestOptions,
  ): Promise<PasskeyRegistrationOptions> {
    const init = { params: { query: { externalUserId: externalId } }, body: { passkey: names } };
    const call = this.#connection.api(options).POST("/v1/idp/user/passkeys/options", init);
    return (await bodyOf(call)).passkey;
  }

  /**
   * Registers the passkey that the browser has created. Permission: `idp:write`.
   *
   * @throws IdpError `invalid_passkey` (see `reason`), `passkey_exists`, `verification_required`, `too_many`,
   * `user_not_found`, `user_suspended`, `passkeys_not_set_up`
   */
  async register(
    externalId: string,
    passkey: RegisterPasskeyInput,
    options?: RequestOptions,
  ): Promise<Passkey> {
    const init = { params: { query: { externalUserId: externalId } }, body: { passkey } };
    const call = this.#connection.api(options).POST("/v1/idp/user/passkeys", init);
    return (await bodyOf(call)).passkey;
  }

  /**
   * Lists the passkeys of a user, in the order of their registration. Permission: `idp:read`.
   *
   * @throws IdpError `user_not_found`
   */
  list(externalId: string, options?: RequestOptions): Promise<PasskeyList> {
    const params = { query: { externalUserId: externalId } };
    return bodyOf(this.#connection.api(options).GET("/v1/idp/user/passkeys", { params }));
  }

  /**
   * Changes what the user calls a passkey. Permission: `idp:write`.
   *
   * @throws IdpError `passkey_not_found`, `user_not_found`
   */
  async rename(
    externalId: string,
    id: string,
    name: string,
    options?: RequestOptions,
  ): Promise<Passkey> {
    const params = { path: { id }, query: { externalUserId: externalId } };
    const init = { params, body: { passkey: { name } } };
    const call = this.#connection.api(options).PATCH("/v1/idp/user/passkeys/{id}", init);
    return (await bodyOf(call)).passkey;
  }

  /**
   * Removes a passkey, and ends the user's ceremonies that have started. If the reply to the first try was lost, its
   * retry finds none: treat `passkey_not_found` as done. Permission: `idp:write`.
   *
   * @throws IdpError `passkey_not_found`, `user_not_found`
   */
  async remove(externalId: string, id: string, options?: RequestOptions): Promise<void> {
    const params = { path: { id }, query: { externalUserId: externalId } };
    await this.#connection.api(options).DELETE("/v1/idp/user/passkeys/{id}", { params });
  }

  /**
   * Starts a login. Send `public_key` to the browser, and keep `public_key.challenge` for `verify`, for five minutes at
   * most. Without `id`, your own id of the user, the person chooses a passkey, and `verify` says whose it is.
   * Permission: `idp:write`.
   *
   * @throws IdpError `passkeys_not_set_up`; with `id` also `passkey_not_configured` (the user has no passkey),
   * `user_not_found`, `user_suspended`
   */
  async createAuthenticationOptions(
    passkey: { readonly id?: string } = {},
    options?: RequestOptions,
  ): Promise<PasskeyAuthenticationOptions> {
    const init = { body: { passkey } };
    const call = this.#connection.api(options).POST("/v1/idp/passkeys/options", init);
    return (await bodyOf(call)).passkey;
  }

  /**
   * Verifies what the browser answered. `id` of the result is your own id of the user. Send `id` exactly if the options
   * had one. With `remember_device` the result has the token of a new known device, and with `token: { audience }` a
   * step-up token for another service, as in `otp.verify`. Permission: `idp:write`.
   *
   * @throws IdpError `invalid_passkey` (see `reason`), `passkey_unknown` (tell the browser by `credentialId`),
   * `user_suspended`, `user_not_found`, `passkeys_not_set_up`, `step_up_tokens_not_set_up`
   */
  async verify(
    passkey: VerifyPasskeyInput,
    options?: RequestOptions,
  ): Promise<VerifyPasskeyResult> {
    const init = { body: { passkey } };
    const call = this.#connection.api(options).POST("/v1/idp/passkeys/verify", init);
    const result = await bodyOf(call);
    // A caller signs this user in after a success, so the answer of a proxy must not pass for one.
    const isSuccess =
      [result.status, result.id].every((text) => typeof text === "string") &&
      typeof result.user_verified === "boolean" &&
      (passkey.id === undefined || passkey.id === result.id);
    if (isSuccess) return result;
    // Without the answer, which may have tokens.
    throw createUnexpectedAnswer("The answer does not say that the passkey was accepted.");
  }
}
