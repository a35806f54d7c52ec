import type { Permission } from "@edge-idp/sdk";

/** The short names of all permissions. */
export const permissions = [
  "idp:read",
  "idp:write",
  "idp:export",
  "sentinel:read",
  "sentinel:write",
  "audit:read",
  "tokens:read",
  "tokens:write",
  "settings:read",
  "settings:write",
] as const satisfies readonly Permission[];
