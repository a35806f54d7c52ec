/** The addresses of a service on this machine. */
import { isPublicUrl } from "../../src/env.ts";

/** The URL at which this machine reaches a server that listens on `ip`. */
export function addressOf(ip: string, port: number): string {
  const reachable = ["*", "0.0.0.0", "::"].includes(ip) ? "127.0.0.1" : ip;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

/**
 * The service's own address, for step-up tokens. Undefined if it can be none: the service refuses an address in a
 * network without TLS, and then issues no such tokens, but does all else.
 */
export function findPublicUrl(url: string): string | undefined {
  return isPublicUrl(url) ? url : undefined;
}
