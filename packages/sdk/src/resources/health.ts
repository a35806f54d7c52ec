import { bodyOf, type Connection } from "../connection.ts";
import type { RequestOptions } from "../options.ts";
import type { Feeds, Readiness, ServiceHealth } from "../types.ts";

/** The state of the service at this moment. */
export class Health {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Asks whether the service runs. It needs no permission, and nothing is tried again. */
  async live(options?: RequestOptions): Promise<void> {
    await bodyOf(this.#connection.api({ maxRetries: 0, ...options }).GET("/healthz"));
  }

  /**
   * Asks whether the databases and the guard respond. `warnings` names databases that are nearly full. It needs no
   * permission, and nothing is tried again.
   *
   * @throws IdpError `unavailable` (see `fields.checks`)
   */
  ready(options?: RequestOptions): Promise<Readiness> {
    return bodyOf(this.#connection.api({ maxRetries: 0, ...options }).GET("/readyz"));
  }

  /** Lists the imported network data of the service, with its age. It needs the operator token. */
  feeds(options?: RequestOptions): Promise<Feeds> {
    return bodyOf(this.#connection.api(options).GET("/v1/feeds"));
  }

  /** Measures what waits in the service, and since when. It needs the operator token. */
  async measure(options?: RequestOptions): Promise<ServiceHealth> {
    return (await bodyOf(this.#connection.api(options).GET("/v1/health"))).health;
  }
}
