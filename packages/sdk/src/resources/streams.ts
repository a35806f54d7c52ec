import { bodyOf, type Connection } from "../connection.ts";
import type { RequestOptions } from "../options.ts";
import type { NewStream, Stream, StreamAttempt, StreamChange, TestAttempt } from "../types.ts";

/** Streams: they send the whole audit trail to Splunk, Datadog, a bucket or another receiver, in order. */
export class Streams {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Creates a stream. Its credentials are never shown. Permission: `settings:write`.
   *
   * @throws IdpError `too_many`
   */
  async create(stream: NewStream, options?: RequestOptions): Promise<Stream> {
    const call = this.#connection.api(options).POST("/v1/audit/streams", { body: { stream } });
    return (await bodyOf(call)).stream;
  }

  /** Lists all streams with their statistics, the oldest first. Permission: `settings:write`. */
  async list(options?: RequestOptions): Promise<Stream[]> {
    return (await bodyOf(this.#connection.api(options).GET("/v1/audit/streams"))).streams;
  }

  /**
   * Returns a stream with its statistics. Permission: `settings:write`.
   *
   * @throws IdpError `not_found`
   */
  async get(id: string, options?: RequestOptions): Promise<Stream> {
    const params = { path: { id } };
    const call = this.#connection.api(options).GET("/v1/audit/streams/{id}", { params });
    return (await bodyOf(call)).stream;
  }

  /**
   * Changes fields of a stream, or its status. Another `url` or `endpoint` needs the credentials too.
   * Permission: `settings:write`.
   *
   * @throws IdpError `not_found`
   */
  async change(id: string, stream: StreamChange, options?: RequestOptions): Promise<Stream> {
    const init = { params: { path: { id } }, body: { stream } };
    const call = this.#connection.api(options).PATCH("/v1/audit/streams/{id}", init);
    return (await bodyOf(call)).stream;
  }

  /**
   * Deletes a stream. Nothing is sent to it any more. Permission: `settings:write`.
   *
   * @throws IdpError `not_found`
   */
  async remove(id: string, options?: RequestOptions): Promise<void> {
    const params = { path: { id } };
    await this.#connection.api(options).DELETE("/v1/audit/streams/{id}", { params });
  }

  /**
   * Sends the newest event of the trail once more, and returns what came of it. Permission: `settings:write`.
   *
   * @throws IdpError `not_found`
   */
  async test(id: string, options?: RequestOptions): Promise<TestAttempt> {
    const params = { path: { id } };
    const call = this.#connection.api(options).POST("/v1/audit/streams/{id}/test", { params });
    return (await bodyOf(call)).attempt;
  }

  /**
   * Sends all events again from a leaf index on, with the same ids. Permission: `settings:write`.
   *
   * @throws IdpError `not_found`, `invalid_request`
   */
  async replay(id: string, from: number, options?: RequestOptions): Promise<Stream> {
    const init = { params: { path: { id } }, body: { from } };
    const call = this.#connection.api(options).POST("/v1/audit/streams/{id}/replay", init);
    return (await bodyOf(call)).stream;
  }

  /**
   * Lists the last hundred attempts to send a batch, the newest first. Permission: `settings:write`.
   *
   * @throws IdpError `not_found`
   */
  async attempts(id: string, options?: RequestOptions): Promise<StreamAttempt[]> {
    const params = { path: { id } };
    const call = this.#connection.api(options).GET("/v1/audit/streams/{id}/attempts", { params });
    return (await bodyOf(call)).attempts;
  }
}
