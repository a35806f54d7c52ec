/** `Idempotency-Key`: read from a POST, together with what it stands for. */
import { joinParts } from "../crypto/bytes.ts";
import { digestCanonicalJson } from "../crypto/canonical.ts";
import { sha256Hex } from "../crypto/digest.ts";
import { invalidRequest } from "../errors.ts";
import type { RequestKey } from "../idempotency/request-key.ts";
import type { AppContext } from "./exchange.ts";

export const keyHeader = "Idempotency-Key";
export const keyPattern = /^[\x21-\x7e]{1,255}$/;

/**
 * Null without the header. The body is compared as JSON, so its spelling may differ.
 * @param operation the route's name. @throws AppError `invalid_request`
 */
export async function requestKeyOf(
  c: AppContext,
  operation: string,
  takesBody: boolean,
): Promise<RequestKey | null> {
  const sent = c.req.header(keyHeader);
  if (sent === undefined) return null;
  if (!keyPattern.test(sent)) {
    const message = "must be 1 to 255 visible ASCII characters";
    throw invalidRequest([{ path: keyHeader, message }]);
  }
  const body: unknown = takesBody ? await c.req.json() : {};
  return {
    key: sha256Hex(joinParts(operation, sent)),
    digest: digestCanonicalJson({ path: c.req.path, query: c.req.queries(), body }),
  };
}
