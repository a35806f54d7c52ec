import { bodyOf, type Connection } from "../connection.ts";
import type { RequestOptions } from "../options.ts";
import type { KeyList, ReEncryption } from "../types.ts";

/** The keys under which the service seals its records. All of it needs the operator token. */
export class Keys {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Lists the keys by name and version, and which of them records still use. No key itself is shown. */
  list(options?: RequestOptions): Promise<KeyList> {
    return bodyOf(this.#connection.api(options).GET("/v1/keys"));
  }

  /**
   * Seals records again under the newest key, a part with each call. Repeat the call until `done`.
   *
   * @throws IdpError `relocation_in_progress`
   */
  async reEncrypt(
    reEncryption: { readonly limit?: number } = {},
    options?: RequestOptions,
  ): Promise<ReEncryption> {
    const body = { re_encryption: reEncryption };
    const call = this.#connection.api(options).POST("/v1/keys/re-encryption", { body });
    return (await bodyOf(call)).re_encryption;
  }
}
