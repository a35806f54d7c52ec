import { bodyOf, type Connection } from "../connection.ts";
import type { RequestOptions } from "../options.ts";
import type { StepUpKeys } from "../types.ts";

/** Step-up tokens, which `otp.verify` and `passkeys.verify` return. `@edge-idp/sdk/tokens` verifies them. */
export class StepUp {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Lists the public keys that sign the tokens, as a JSON Web Key Set. Everybody may read them. */
  keys(options?: RequestOptions): Promise<StepUpKeys> {
    return bodyOf(this.#connection.api(options).GET("/.well-known/jwks.json"));
  }
}
