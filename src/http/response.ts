/** Responses, with the headers that all of them have. */
import { formatRateLimitHeaders } from "./rate-limit.ts";
import type { AppContext } from "./request-context.ts";

type Headers = Record<string, string>;

function commonHeadersOf(c: AppContext): Headers {
  const headers: Headers = {
    "X-Request-Id": c.get("requestId"),
    "X-Content-Type-Options": "nosniff",
    // Responses are about people, and some hold a secret.
    "Cache-Control": "no-store",
  };
  if (c.get("isReplayed")) headers["Idempotent-Replayed"] = "true";
  for (const [name, value] of formatRateLimitHeaders(c.get("rateLimits") ?? [])) {
    headers[name] = value;
  }
  return headers;
}

/** @param body JSON; null for none. @param own headers of this response alone */
export function createJsonResponse(
  c: AppContext,
  status: number,
  body: unknown,
  own: Readonly<Headers> = {},
): Response {
  if (body === null) {
    return new Response(null, { status, headers: { ...commonHeadersOf(c), ...own } });
  }
  const headers = { "Content-Type": "application/json", ...commonHeadersOf(c), ...own };
  return new Response(JSON.stringify(body), { status, headers });
}

/** For a response that a handler created. A header that it has stays as it is. */
export function setCommonHeaders(c: AppContext, response: Response): Response {
  for (const [name, value] of Object.entries(commonHeadersOf(c))) {
    if (!response.headers.has(name)) response.headers.set(name, value);
  }
  return response;
}
