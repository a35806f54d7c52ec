import { bodyOf, type Connection } from "../connection.ts";
import type { RequestOptions } from "../options.ts";
import { Pages, queryOf } from "../pages.ts";
import type {
  ExportedUser,
  ImportedUser,
  ImportOptions,
  ImportResult,
  ListedUser,
  PageFilters,
  Profile,
  ProvisionedUser,
  UserFilters,
} from "../types.ts";

/** Your users and their identities. `externalId` is your own id of a user: 1 to 255 characters. */
export class Users {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Creates the identity of a user, which has no factor yet. Permission: `idp:write`.
   *
   * @throws IdpError `user_exists`
   */
  async provision(externalId: string, options?: RequestOptions): Promise<ProvisionedUser> {
    const body = { user: { external_id: externalId } };
    const { user } = await bodyOf(this.#connection.api(options).POST("/v1/idp/users", { body }));
    return user;
  }

  /**
   * Reads the current state of a user: factors, failures, lock. Permission: `idp:read`.
   *
   * @throws IdpError `user_not_found`
   */
  get(externalId: string, options?: RequestOptions): Promise<Profile> {
    const query = { externalUserId: externalId };
    return bodyOf(this.#connection.api(options).GET("/v1/idp/user", { params: { query } }));
  }

  /**
   * Lists users, in the order of their ids. The list follows the profiles within seconds; read the profile before you
   * decide about a user. Permission: `idp:read`.
   */
  list(filters: UserFilters = {}, options?: RequestOptions): Pages<ListedUser> {
    return new Pages(async (after) => {
      const query = queryOf(filters, after);
      const call = this.#connection.api(options).GET("/v1/idp/users", { params: { query } });
      const { users, has_more, next_after } = await bodyOf(call);
      return { items: users, has_more, next_after };
    });
  }

  /**
   * Imports users with TOTP secrets and backup codes from another system, at most 100 in a call. Each row has a result
   * of its own, in the order sent, and a row that is sent again changes nothing. Permission: `idp:write`.
   */
  async import(
    rows: readonly ImportedUser[],
    settings: ImportOptions = {},
    options?: RequestOptions,
  ): Promise<readonly ImportResult[]> {
    const body = { users: [...rows], ...settings };
    const call = this.#connection.api(options).POST("/v1/idp/users/import", { body });
    return (await bodyOf(call)).results;
  }

  /**
   * Exports users with their TOTP secrets in clear, in the order of their ids and in the form that `import` takes. The
   * setting `export.secrets` must be true, and every page is in the audit trail. Permission: `idp:export`.
   *
   * @throws IdpError `export_not_allowed`
   */
  export(filters: PageFilters = {}, options?: RequestOptions): Pages<ExportedUser> {
    return new Pages(async (after) => {
      const query = queryOf(filters, after);
      const call = this.#connection.api(options).GET("/v1/idp/users/export", { params: { query } });
      const { users, has_more, next_after } = await bodyOf(call);
      return { items: users, has_more, next_after };
    });
  }

  /**
   * Refuses every code and denies every session of a user, until `reactivate`. Permission: `idp:write`.
   *
   * @throws IdpError `user_not_found`
   */
  suspend(externalId: string, options?: RequestOptions): Promise<Profile> {
    return this.#setStatus(externalId, "suspended", options);
  }

  /**
   * Ends a suspension. Permission: `idp:write`.
   *
   * @throws IdpError `user_not_found`
   */
  reactivate(externalId: string, options?: RequestOptions): Promise<Profile> {
    return this.#setStatus(externalId, "active", options);
  }

  /**
   * Ends a lock and sets the failures to 0. TOTP that failures have disabled stays disabled; only a new secret helps.
   * Permission: `idp:write`.
   *
   * @throws IdpError `user_not_found`
   */
  unlock(externalId: string, options?: RequestOptions): Promise<Profile> {
    const params = { query: { externalUserId: externalId } };
    return bodyOf(this.#connection.api(options).POST("/v1/idp/user/unlock", { params }));
  }

  /**
   * Erases a user with everything about the person (GDPR art. 17). It cannot be undone. If the reply to the first try
   * was lost, its retry finds nobody: treat `user_not_found` as done. Permission: `idp:write`.
   *
   * @throws IdpError `user_not_found`
   */
  async erase(externalId: string, options?: RequestOptions): Promise<void> {
    const params = { query: { externalUserId: externalId } };
    await this.#connection.api(options).DELETE("/v1/idp/user", { params });
  }

  #setStatus(
    externalId: string,
    status: "active" | "suspended",
    options: RequestOptions | undefined,
  ): Promise<Profile> {
    const params = { query: { externalUserId: externalId } };
    const body = { user: { status } };
    return bodyOf(this.#connection.api(options).PATCH("/v1/idp/user", { params, body }));
  }
}
