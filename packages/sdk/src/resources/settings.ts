import { bodyOf, type Connection } from "../connection.ts";
import type { RequestOptions } from "../options.ts";
import type { SettingsPatch, TenantSettings } from "../types.ts";

/** The policy of the tenant: lockout, enrolment, Sentinel, retention, location. */
export class Settings {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Reads all settings. Permission: `settings:read`. */
  get(options?: RequestOptions): Promise<TenantSettings> {
    return bodyOf(this.#connection.api(options).GET("/v1/settings"));
  }

  /**
   * Changes the settings that are named, and returns all. They take effect everywhere within 30 seconds.
   * Permission: `settings:write`.
   *
   * `retention.archive_after_days` is also answered as `audit.retention_days`, its earlier name, until the next version
   * of the service. A change that has both must have the same value in both.
   *
   * @throws IdpError `invalid_request` (see `issues`)
   */
  change(settings: SettingsPatch, options?: RequestOptions): Promise<TenantSettings> {
    return bodyOf(this.#connection.api(options).PATCH("/v1/settings", { body: { settings } }));
  }
}
