/** Answers: the one place that knows which headers all of them have. They are set while it is made. */
import type { AppContext } from "./request-context.ts";
import { formatRateLimitHeaders } from "./rate-limit.ts";

type Headers = Record<string, string>;

function commonHeaders(c: AppContext): Headers {
  const headers: Headers = {
    "X-Request-Id": c.get("requestId"),
    "X-Content-Type-Options": "nosniff",
    // Answers are about people, and some hold a secret: nobody keeps a copy.
    "Cache-Control": "no-store",
  };
  if (c.get("isRepeated")) headers["Idempotent-Replayed"] = "true";
  for (const [name, value] of formatRateLimitHeaders(c.get("rates") ?? [])) headers[name] = value;
  return headers;
}

/** @param body JSON; null for none. @param own headers of this answer */
export function createJsonResponse(
  c: AppContext,
  status: number,
  body: unknown,
  own: Readonly<Headers> = {},
): Response {
  if (body === null) {
    return new Response(null, { status, headers: { ...commonHeaders(c), ...own } });
  }
  const headers = { "Content-Type": "application/json", ...commonHeaders(c), ...own };
  return new Response(JSON.stringify(body), { status, headers });
}

/** An answer of another kind, with the headers of all. */
export function setCommonHeaders(c: AppContext, answer: Response): Response {
  for (const [name, value] of Object.entries(commonHeaders(c))) answer.headers.set(name, value);
  return answer;
}
