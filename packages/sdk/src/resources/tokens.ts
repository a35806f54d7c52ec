import { bodyOf, type Connection } from "../connection.ts";
import type { RequestOptions } from "../options.ts";
import { Pages, queryOf } from "../pages.ts";
import type { ApiToken, IssuedApiToken, NewToken, OwnToken, PageFilters } from "../types.ts";

/** The API tokens of the tenant. */
export class Tokens {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Creates a token. Its `secret` is shown only here. Permission: `tokens:write`.
   *
   * @throws IdpError `too_many`
   */
  async create(token: NewToken, options?: RequestOptions): Promise<IssuedApiToken> {
    const call = this.#connection.api(options).POST("/v1/tokens", { body: { token } });
    return (await bodyOf(call)).token;
  }

  /** Reads what the token of this client may do, and for which tenant. Permission: none. */
  async own(options?: RequestOptions): Promise<OwnToken> {
    return (await bodyOf(this.#connection.api(options).GET("/v1/token"))).token;
  }

  /** Lists tokens, without their secrets. Permission: `tokens:read`. */
  list(filters: PageFilters = {}, options?: RequestOptions): Pages<ApiToken> {
    return new Pages(async (after) => {
      const query = queryOf(filters, after);
      const call = this.#connection.api(options).GET("/v1/tokens", { params: { query } });
      const { tokens, has_more, next_after } = await bodyOf(call);
      return { items: tokens, has_more, next_after };
    });
  }

  /**
   * Creates a token with the same name and permissions. The old one ends after `overlap_seconds` (default: 3,600).
   * Permission: `tokens:write`.
   *
   * @throws IdpError `not_found`, `too_many`
   */
  async rotate(
    id: string,
    token: { readonly overlap_seconds?: number } = {},
    options?: RequestOptions,
  ): Promise<IssuedApiToken> {
    const init = { params: { path: { id } }, body: { token } };
    const call = this.#connection.api(options).POST("/v1/tokens/{id}/rotate", init);
    return (await bodyOf(call)).token;
  }

  /**
   * Ends a token everywhere within 30 seconds. Permission: `tokens:write`.
   *
   * @throws IdpError `last_token`, `not_found`
   */
  async revoke(id: string, options?: RequestOptions): Promise<void> {
    await this.#connection.api(options).DELETE("/v1/tokens/{id}", { params: { path: { id } } });
  }
}
