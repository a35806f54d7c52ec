import { bodyOf, type Connection } from "../connection.ts";
import type { RequestOptions } from "../options.ts";
import { Pages, queryOf } from "../pages.ts";
import type { ApiToken, IssuedApiToken, NewToken, PageFilters } from "../types.ts";

/** The API tokens of one tenant, for the operator. */
export class TenantTokens {
  readonly #connection: Connection;
  readonly #id: string;

  constructor(connection: Connection, tenantId: string) {
    this.#connection = connection;
    this.#id = tenantId;
  }

  /** Creates a token. Its `secret` is shown only here. @throws IdpError `too_many` */
  async create(token: NewToken, options?: RequestOptions): Promise<IssuedApiToken> {
    const init = { params: { path: { id: this.#id } }, body: { token } };
    const call = this.#connection.api(options).POST("/v1/tenants/{id}/tokens", init);
    return (await bodyOf(call)).token;
  }

  /** Lists tokens, without their secrets. */
  list(filters: PageFilters = {}, options?: RequestOptions): Pages<ApiToken> {
    return new Pages(async (after) => {
      const query = queryOf(filters, after);
      const init = { params: { path: { id: this.#id }, query } };
      const call = this.#connection.api(options).GET("/v1/tenants/{id}/tokens", init);
      const { tokens, has_more, next_after } = await bodyOf(call);
      return { items: tokens, has_more, next_after };
    });
  }

  /** Ends a token everywhere within 30 seconds, also the last one. @throws IdpError `not_found` */
  async revoke(tokenId: string, options?: RequestOptions): Promise<void> {
    const params = { path: { id: this.#id, tokenId } };
    await this.#connection.api(options).DELETE("/v1/tenants/{id}/tokens/{tokenId}", { params });
  }
}
