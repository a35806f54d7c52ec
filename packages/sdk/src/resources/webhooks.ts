import { bodyOf, type Connection } from "../connection.ts";
import type { RequestOptions } from "../options.ts";
import type {
  DeliveryAttempt,
  IssuedWebhook,
  NewWebhook,
  TestAttempt,
  Webhook,
  WebhookPatch,
} from "../types.ts";

/**
 * The webhooks of the tenant, which receive the events of the audit trail. `@edge-idp/sdk/webhooks` verifies what
 * arrives there. Permission of all methods: `settings:write`.
 */
export class Webhooks {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Creates a webhook. Its `secret` is shown only here.
   *
   * @throws IdpError `too_many`, `invalid_request`
   */
  async create(webhook: NewWebhook, options?: RequestOptions): Promise<IssuedWebhook> {
    const call = this.#connection.api(options).POST("/v1/webhooks", { body: { webhook } });
    return (await bodyOf(call)).webhook;
  }

  /** Lists all webhooks with their statistics, the oldest first. */
  async list(options?: RequestOptions): Promise<Webhook[]> {
    return (await bodyOf(this.#connection.api(options).GET("/v1/webhooks"))).webhooks;
  }

  /** @throws IdpError `not_found` */
  async get(id: string, options?: RequestOptions): Promise<Webhook> {
    const params = { path: { id } };
    return (await bodyOf(this.#connection.api(options).GET("/v1/webhooks/{id}", { params })))
      .webhook;
  }

  /**
   * Changes the fields that the patch names. A webhook that is disabled keeps its place in the log.
   *
   * @throws IdpError `not_found`, `invalid_request`
   */
  async change(id: string, patch: WebhookPatch, options?: RequestOptions): Promise<Webhook> {
    const init = { params: { path: { id } }, body: { webhook: patch } };
    return (await bodyOf(this.#connection.api(options).PATCH("/v1/webhooks/{id}", init))).webhook;
  }

  /**
   * Deletes a webhook. If the reply to the first try was lost, its retry finds none: treat `not_found` as done.
   *
   * @throws IdpError `not_found`
   */
  async remove(id: string, options?: RequestOptions): Promise<void> {
    const params = { path: { id } };
    await this.#connection.api(options).DELETE("/v1/webhooks/{id}", { params });
  }

  /** Sends a signed test message now. @throws IdpError `not_found` */
  async test(id: string, options?: RequestOptions): Promise<TestAttempt> {
    const params = { path: { id } };
    return (await bodyOf(this.#connection.api(options).POST("/v1/webhooks/{id}/test", { params })))
      .attempt;
  }

  /**
   * Replaces the secret, which is shown only here. Both sign during the overlap, a day by default.
   *
   * @throws IdpError `not_found`
   */
  async rotateSecret(
    id: string,
    rotation: { readonly overlap_seconds?: number } = {},
    options?: RequestOptions,
  ): Promise<IssuedWebhook> {
    const init = { params: { path: { id } }, body: rotation };
    return (await bodyOf(this.#connection.api(options).POST("/v1/webhooks/{id}/rotate", init)))
      .webhook;
  }

  /** Sends all wanted events again from a leaf index on. @throws IdpError `not_found`, `invalid_request` */
  async replay(id: string, from: number, options?: RequestOptions): Promise<Webhook> {
    const init = { params: { path: { id } }, body: { from } };
    return (await bodyOf(this.#connection.api(options).POST("/v1/webhooks/{id}/replay", init)))
      .webhook;
  }

  /** Lists the last hundred attempts, the newest first. @throws IdpError `not_found` */
  async attempts(id: string, options?: RequestOptions): Promise<DeliveryAttempt[]> {
    const params = { path: { id } };
    const call = this.#connection.api(options).GET("/v1/webhooks/{id}/attempts", { params });
    return (await bodyOf(call)).attempts;
  }

  /** Sends one event again, of the last hundred attempts. @throws IdpError `not_found`, `too_many` */
  async replayEvent(id: string, eventId: string, options?: RequestOptions): Promise<void> {
    const params = { path: { id, eventId } };
    const path = "/v1/webhooks/{id}/attempts/{eventId}/replay";
    await this.#connection.api(options).POST(path, { params });
  }
}
