/** The `Idempotency-Key` header of a POST. */
import type { MiddlewareHandler } from "hono";
import { joinParts } from "../crypto/bytes.ts";
import { digestCanonicalJson } from "../crypto/canonical.ts";
import { sha256HexOf } from "../crypto/digest.ts";
import { createInvalidRequest } from "../errors.ts";
import type { RequestKey } from "../idempotency/request-key.ts";
import { readActingFor } from "./acting-for.ts";
import type { AppContext, AppEnv, ValidBody } from "./request-context.ts";

export const keyHeader = "Idempotency-Key";
export const keyPattern = /^[\x21-\x7e]{1,255}$/;

/**
 * Replaces lone surrogates, also in names. A body may have them, such as in an agent, but RFC 8785 has no form for
 * them.
 */
function replaceLoneSurrogates(value: unknown): unknown {
  if (typeof value === "string") return value.toWellFormed();
  if (Array.isArray(value)) return value.map(replaceLoneSurrogates);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name.toWellFormed(), replaceLoneSurrogates(one)]),
  );
}

/**
 * Null without the header. The digest covers the body as a JSON value, so its spelling may differ. A request on
 * behalf of another person is another request, because its event names that person.
 * @throws AppError `invalid_request`
 */
function requestKeyOf(c: AppContext, operation: string, body: unknown): RequestKey | null {
  const sent = c.req.header(keyHeader);
  if (sent === undefined) return null;
  if (!keyPattern.test(sent)) {
    const message = "must be 1 to 255 visible ASCII characters";
    throw createInvalidRequest([{ path: keyHeader, message }]);
  }
  const actingFor = readActingFor(c);
  return {
    key: sha256HexOf(joinParts(operation, sent)),
    digest: digestCanonicalJson({
      path: c.req.path,
      query: c.req.queries(),
      body: replaceLoneSurrogates(body),
      // Requests without the header have the digest that older builds computed.
      ...(actingFor === undefined ? {} : { acting_for: actingFor }),
    }),
  };
}

type KeyReader<Body> = MiddlewareHandler<AppEnv, string, { out: { json: ValidBody<Body> } }>;

/**
 * @param operation name of the route
 * @param comparedBody what the digest covers; without it, the body as sent
 */
export function readRequestKey<Body>(
  operation: string,
  comparedBody?: (body: Body) => object,
): KeyReader<Body> {
  return async (c, next) => {
    const { body, sent } = c.req.valid("json");
    c.set("requestKey", requestKeyOf(c, operation, comparedBody?.(body) ?? sent));
    await next();
  };
}
