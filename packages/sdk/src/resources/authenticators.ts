import { bodyOf, type Connection } from "../connection.ts";
import type { RequestOptions } from "../options.ts";
import type { Authenticator, AuthenticatorSetup, NewAuthenticator } from "../types.ts";

/** The authenticators of a user: several TOTP secrets, of which `otp.configure` makes and replaces the primary one. */
export class Authenticators {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Adds an authenticator beside those that the user has. Show `qrcode_payload` or `qrcode_svg` to the user at once: the
   * service never shows the secret again. With the setting `otp.enrolment: "confirm"`, `status` is `pending`, and the
   * authenticator becomes active with the first code that `otp.verify` accepts within ten minutes. Permission:
   * `idp:write`.
   *
   * @throws IdpError `too_many` (a user has at most five), `user_not_found`, `user_suspended`
   */
  async add(
    externalId: string,
    { qr, ...authenticator }: NewAuthenticator,
    options?: RequestOptions,
  ): Promise<AuthenticatorSetup> {
    const query = { externalUserId: externalId, ...(qr === undefined ? {} : { qr }) };
    const init = { params: { query }, body: { authenticator } };
    const call = this.#connection.api(options).POST("/v1/idp/user/authenticators", init);
    return (await bodyOf(call)).authenticator;
  }

  /**
   * Lists the authenticators of a user, the primary one first. Permission: `idp:read`.
   *
   * @throws IdpError `user_not_found`
   */
  async list(externalId: string, options?: RequestOptions): Promise<Authenticator[]> {
    const params = { query: { externalUserId: externalId } };
    const call = this.#connection.api(options).GET("/v1/idp/user/authenticators", { params });
    return (await bodyOf(call)).authenticators;
  }

  /**
   * Changes what the user calls an authenticator. Permission: `idp:write`.
   *
   * @throws IdpError `authenticator_not_found`, `user_not_found`
   */
  async rename(
    externalId: string,
    id: string,
    name: string,
    options?: RequestOptions,
  ): Promise<Authenticator> {
    const params = { path: { id }, query: { externalUserId: externalId } };
    const init = { params, body: { authenticator: { name } } };
    const call = this.#connection.api(options).PATCH("/v1/idp/user/authenticators/{id}", init);
    return (await bodyOf(call)).authenticator;
  }

  /**
   * Removes one authenticator; the others and the backup codes stay. If the reply to the first try was lost, its retry
   * finds none: treat `authenticator_not_found` as done. Permission: `idp:write`.
   *
   * @throws IdpError `authenticator_not_found`, `user_not_found`
   */
  async remove(externalId: string, id: string, options?: RequestOptions): Promise<void> {
    const params = { path: { id }, query: { externalUserId: externalId } };
    await this.#connection.api(options).DELETE("/v1/idp/user/authenticators/{id}", { params });
  }
}
