import { bodyOf, type Connection } from "../connection.ts";
import type { RequestOptions } from "../options.ts";
import type { Readiness } from "../types.ts";

/** The state of the service at this moment, so nothing is tried again. It needs no permission. */
export class Health {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Asks whether the service runs. */
  async live(options?: RequestOptions): Promise<void> {
    await bodyOf(this.#connection.api({ maxRetries: 0, ...options }).GET("/healthz"));
  }

  /**
   * Asks whether the databases and the guard respond. `warnings` names databases that are nearly full.
   *
   * @throws IdpError `unavailable` (see `fields.checks`)
   */
  ready(options?: RequestOptions): Promise<Readiness> {
    return bodyOf(this.#connection.api({ maxRetries: 0, ...options }).GET("/readyz"));
  }
}
