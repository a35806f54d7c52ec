import { bodyOf, type Connection } from "../connection.ts";
import type { RequestOptions } from "../options.ts";
import { Pages, queryOf } from "../pages.ts";
import type {
  CreatedTenant,
  FoundRequest,
  NewTenant,
  Relocation,
  StatisticsRebuild,
  Tenant,
  TenantDeletion,
  TenantFilters,
  TenantPatch,
  Usage,
} from "../types.ts";
import { TenantTokens } from "./tenant-tokens.ts";

/** The tenants of the service. All of it needs the operator token, and may throw `not_found` for an id. */
export class Tenants {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Creates a tenant with a first API token, whose `secret` is shown only here. */
  create(tenant: NewTenant, options?: RequestOptions): Promise<CreatedTenant> {
    return bodyOf(this.#connection.api(options).POST("/v1/tenants", { body: { tenant } }));
  }

  /** Lists tenants. */
  list(filters: TenantFilters = {}, options?: RequestOptions): Pages<Tenant> {
    return new Pages(async (after) => {
      const query = queryOf(filters, after);
      const call = this.#connection.api(options).GET("/v1/tenants", { params: { query } });
      const { tenants, has_more, next_after } = await bodyOf(call);
      return { items: tenants, has_more, next_after };
    });
  }

  async get(id: string, options?: RequestOptions): Promise<Tenant> {
    const params = { path: { id } };
    return (await bodyOf(this.#connection.api(options).GET("/v1/tenants/{id}", { params }))).tenant;
  }

  /**
   * Finds the events of a request of any tenant, by its `request_id`.
   *
   * @throws IdpError `not_found` if the request has left no event
   */
  async findRequest(id: string, options?: RequestOptions): Promise<FoundRequest> {
    const init = { params: { path: { id } } };
    return (await bodyOf(this.#connection.api(options).GET("/v1/requests/{id}", init))).request;
  }

  /** Changes name or status. @throws IdpError `tenant_deleting` */
  async change(id: string, tenant: TenantPatch, options?: RequestOptions): Promise<Tenant> {
    const init = { params: { path: { id } }, body: { tenant } };
    return (await bodyOf(this.#connection.api(options).PATCH("/v1/tenants/{id}", init))).tenant;
  }

  /** Refuses all requests of the tenant's tokens, within 30 seconds. Nothing is deleted. */
  suspend(id: string, options?: RequestOptions): Promise<Tenant> {
    return this.change(id, { status: "suspended" }, options);
  }

  /** Ends a suspension, within 30 seconds. */
  reactivate(id: string, options?: RequestOptions): Promise<Tenant> {
    return this.change(id, { status: "active" }, options);
  }

  /**
   * Erases a suspended tenant with every user, which continues by itself. Repeat the call to see the progress.
   *
   * @param name the tenant's name, as a confirmation
   * @returns the progress; undefined when nothing is left
   * @throws IdpError `tenant_active` until the tenant has been suspended for 24 hours (a test tenant: a minute)
   */
  async delete(
    id: string,
    name: string,
    options?: RequestOptions,
  ): Promise<TenantDeletion | undefined> {
    const init = { params: { path: { id } }, body: { tenant: { name } } };
    const { data } = await this.#connection.api(options).DELETE("/v1/tenants/{id}", init);
    return data?.deletion;
  }

  /** Counts what a tenant used between two times (RFC 3339). */
  async usage(
    id: string,
    query: { readonly from?: string; readonly to?: string } = {},
    options?: RequestOptions,
  ): Promise<Usage> {
    const init = { params: { path: { id }, query } };
    return (await bodyOf(this.#connection.api(options).GET("/v1/tenants/{id}/usage", init))).usage;
  }

  /** Erases a user for the tenant, such as one that a restore brought back. @throws IdpError `user_not_found` */
  async eraseUser(id: string, externalId: string, options?: RequestOptions): Promise<void> {
    const params = { path: { id }, query: { externalUserId: externalId } };
    await this.#connection.api(options).DELETE("/v1/tenants/{id}/user", { params });
  }

  /** The API tokens of a tenant. */
  tokens(id: string): TenantTokens {
    return new TenantTokens(this.#connection, id);
  }

  /**
   * Moves a tenant's data to another database, a part with each call. Repeat the call until `done`.
   *
   * @param relocation `shard`: the new database; `limit`: pages of rows in this call (default: 14)
   */
  async relocate(
    id: string,
    relocation: { readonly shard: number; readonly limit?: number },
    options?: RequestOptions,
  ): Promise<Relocation> {
    const init = { params: { path: { id } }, body: { relocation } };
    const call = this.#connection.api(options).POST("/v1/tenants/{id}/relocation", init);
    return (await bodyOf(call)).relocation;
  }

  /** Counts a tenant's events again, a part with each call. Repeat the call until `done`. */
  async rebuildStatistics(
    id: string,
    rebuild: { readonly restart?: boolean; readonly limit?: number } = {},
    options?: RequestOptions,
  ): Promise<StatisticsRebuild> {
    const init = { params: { path: { id } }, body: { rebuild } };
    const call = this.#connection.api(options).POST("/v1/tenants/{id}/statistics", init);
    return (await bodyOf(call)).rebuild;
  }
}
