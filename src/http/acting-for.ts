/**
 * The `Acting-For` header of a request that may write: the tenant's own id of the person on whose behalf the backend
 * acts. The audit trail shows it with the actor.
 */
import { createInvalidRequest } from "../errors.ts";
import type { AppContext } from "./request-context.ts";

export const actingForHeader = "Acting-For";
/**
 * Clients and proxies disagree about other characters in headers, and remove spaces at both ends (RFC 9110 §5.5).
 */
export const actingForPattern = /^[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?$/;

/** Whether the audit trail may get an event of a request with this method. */
export function mayAct(method: string): boolean {
  return !["get", "head"].includes(method.toLowerCase());
}

/** Undefined without the header, and for a request that only reads. @throws AppError `invalid_request` */
export function readActingFor(c: AppContext): string | undefined {
  const sent = mayAct(c.req.method) ? c.req.header(actingForHeader) : undefined;
  if (sent !== undefined && !actingForPattern.test(sent)) {
    const message = "must be 1 to 255 printable ASCII characters; encode an id that has others";
    throw createInvalidRequest([{ path: actingForHeader, message }]);
  }
  return sent;
}
