import { bodyOf, type Connection } from "../connection.ts";
import type { RequestOptions } from "../options.ts";
import type { KnownDevice } from "../types.ts";

/**
 * The devices on which a user was verified before. `otp.verify` and `passkeys.verify` remember one with
 * `remember_device`; send its token as `device_token` with later codes, passkeys and assessments.
 */
export class Devices {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Lists the known devices of a user, the oldest first. Permission: `idp:read`.
   *
   * @throws IdpError `user_not_found`
   */
  async list(externalId: string, options?: RequestOptions): Promise<KnownDevice[]> {
    const params = { query: { externalUserId: externalId } };
    const call = this.#connection.api(options).GET("/v1/idp/user/devices", { params });
    return (await bodyOf(call)).devices;
  }

  /**
   * Removes a device. If the reply to the first try was lost, its retry finds none: treat `device_not_found` as done.
   * Permission: `idp:write`.
   *
   * @throws IdpError `device_not_found`, `user_not_found`
   */
  async remove(externalId: string, deviceId: string, options?: RequestOptions): Promise<void> {
    const params = { query: { externalUserId: externalId }, path: { id: deviceId } };
    await this.#connection.api(options).DELETE("/v1/idp/user/devices/{id}", { params });
  }

  /**
   * Removes all devices of a user. Permission: `idp:write`.
   *
   * @throws IdpError `user_not_found`
   */
  async removeAll(externalId: string, options?: RequestOptions): Promise<void> {
    const params = { query: { externalUserId: externalId } };
    await this.#connection.api(options).DELETE("/v1/idp/user/devices", { params });
  }
}
