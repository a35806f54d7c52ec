/** Prepares requests: address, token, idempotency key, and the options of client and call. */
import createClient, { type Client } from "openapi-fetch";
import type { paths } from "./generated/api.ts";
import { createUnexpectedAnswer } from "./idp-error.ts";
import { isJsonObject } from "./json.ts";
import {
  defaultMaxRetries,
  defaultTimeoutMs,
  type EdgeIdpOptions,
  type RequestOptions,
} from "./options.ts";
import { send } from "./send.ts";

/** Scheme, host and path. The error of the platform would show a password. */
const urlPattern = /^https?:\/\/[^\s/?#@\\]+(\/[^\s?#]*)?$/;
/** What an HTTP header may contain (RFC 9110 §5.5). The error of the platform would show the token. */
const tokenPattern = /^[\x21-\x7e]+$/;

function headersOf(
  { method, headers }: Request,
  token: string,
  { idempotencyKey = crypto.randomUUID(), actingFor, testClock }: RequestOptions,
): Headers {
  const all = new Headers(headers);
  all.set("Authorization", `Bearer ${token}`);
  if (method === "POST") all.set("Idempotency-Key", idempotencyKey);
  if (method !== "GET" && actingFor !== undefined) all.set("Acting-For", actingFor);
  if (testClock !== undefined) {
    all.set("Test-Clock", typeof testClock === "string" ? testClock : testClock.toISOString());
  }
  return all;
}

export class Connection {
  readonly #options: EdgeIdpOptions;

  /** @throws TypeError for a URL that is not absolute, and for a token that no header can carry */
  constructor(options: EdgeIdpOptions) {
    if (!urlPattern.test(options.url) || !URL.canParse(options.url)) {
      throw new TypeError("url must be an http or https URL without user, query and fragment");
    }
    if (!tokenPattern.test(options.token)) {
      throw new TypeError("token must consist of visible ASCII characters");
    }
    this.#options = options;
  }

  /** A typed client for one call. @param isStreamed hands the body of a success on as it arrives */
  api(options: RequestOptions = {}, isStreamed = false): Client<paths> {
    const { url, token, fetch: ownFetch, ...defaults } = this.#options;
    return createClient<paths>({
      baseUrl: url,
      fetch: async (request) => {
        const body = request.method === "GET" ? "" : await request.text();
        const actingFor = options.actingFor ?? defaults.actingFor;
        return await send({
          fetch: ownFetch ?? globalThis.fetch,
          url: request.url,
          init: {
            method: request.method,
            headers: headersOf(request, token, { ...options, actingFor }),
            body: body === "" ? null : body,
          },
          isStreamed,
          timeoutMs: options.timeoutMs ?? defaults.timeoutMs ?? defaultTimeoutMs,
          maxRetries: options.maxRetries ?? defaults.maxRetries ?? defaultMaxRetries,
          signal: options.signal,
        });
      },
    });
  }
}

/** The body of a success; errors are thrown before. @throws IdpError `unexpected_answer` if it is no JSON object */
export async function bodyOf<Body>(call: Promise<{ data?: Body }>): Promise<Body> {
  try {
    const { data } = await call;
    if (isJsonObject(data)) return data;
  } catch (error) {
    // Its message would show a part of the body, such as a secret.
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw createUnexpectedAnswer("The answer is a success without a JSON object; check the URL.");
}
