/** Options of the client and of a single call. */

export interface EdgeIdpOptions {
  /** Where the service runs, such as `https://idp.example.com`. A path before `/v1` is kept. */
  readonly url: string;
  /** An API token, or the operator token for `tenants` and `keys`. */
  readonly token: string;
  /** Sends the requests. Default: the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** How long one try may take, in milliseconds. Default: 10,000. */
  readonly timeoutMs?: number | undefined;
  /** How often a call is tried again. Default: 3. */
  readonly maxRetries?: number | undefined;
  /** Your id of the administrator or support agent on whose behalf all writes happen. The audit trail shows it. */
  readonly actingFor?: string | undefined;
}

export interface RequestOptions {
  /**
   * The key under which the service keeps the answer of a POST for 24 hours. Default: a new random one for each call,
   * the same in each retry. Pass your own to repeat a call after a crash of your process.
   */
  readonly idempotencyKey?: string | undefined;
  /** As in the options of the client, for this call. */
  readonly actingFor?: string | undefined;
  /** Ends the call with all its retries; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** As in the options of the client, for this call. */
  readonly timeoutMs?: number | undefined;
  /** As in the options of the client, for this call. */
  readonly maxRetries?: number | undefined;
  /** The time at which the request runs. Only tokens of test tenants may send it. */
  readonly testClock?: string | Date | undefined;
}

export const defaultTimeoutMs = 10_000;
export const defaultMaxRetries = 3;
