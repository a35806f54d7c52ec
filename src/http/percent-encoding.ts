/** Percent-encoding of addresses. */
import { createInvalidRequest } from "../errors.ts";
import type { Step } from "./request-context.ts";

/**
 * Refuses an address whose path or query is not valid percent-encoding of UTF-8 (RFC 3986 §2.1). The
 * framework would take it literally, so that two addresses would name the same user.
 * @throws AppError `invalid_request`
 */
export const requireValidEncoding: Step = async (c, next) => {
  const [address = ""] = c.req.url.split("#");
  if (!isDecodable(address)) {
    throw createInvalidRequest([{ path: "URL", message: "has invalid percent-encoding" }]);
  }
  await next();
};

function isDecodable(address: string): boolean {
  try {
    decodeURIComponent(address);
    return true;
  } catch {
    return false;
  }
}
