import { bodyOf, type Connection } from "../connection.ts";
import type { RequestOptions } from "../options.ts";

/** Codes that stand in for TOTP, each once. `otp.verify` accepts them. */
export class BackupCodes {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Creates ten backup codes such as `ABCD-1234`, and ends all earlier ones. The service shows them only here.
   * Permission: `idp:write`.
   *
   * @throws IdpError `user_not_found`, `user_suspended`
   */
  async regenerate(externalId: string, options?: RequestOptions): Promise<string[]> {
    const params = { query: { externalUserId: externalId } };
    const call = this.#connection.api(options).POST("/v1/idp/user/backup-codes", { params });
    return (await bodyOf(call)).user.backupCodes;
  }
}
