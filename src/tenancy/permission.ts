/** What an API token may do. The product's specification has a second name for each permission. */

export const permissions = [
  "idp:read",
  "idp:write",
  "idp:export",
  "sentinel:write",
  "sentinel:read",
  "audit:read",
  "tokens:read",
  "tokens:write",
  "settings:read",
  "settings:write",
] as const;
export type Permission = (typeof permissions)[number];

/** Of a tenant's first token. To give secrets away is a permission that a tenant gives on purpose. */
export const firstPermissions: readonly Permission[] = permissions.filter(
  (permission) => permission !== "idp:export",
);

/** Permissions that another one includes: who may change something may read it too. */
const includedIn: Partial<Record<Permission, Permission>> = {
  "tokens:read": "tokens:write",
  "settings:read": "settings:write",
};

/** Whether these permissions, or one that includes it, give the permission. */
export function isPermitted(given: readonly Permission[], permission: Permission): boolean {
  const wider = includedIn[permission];
  return given.includes(permission) || (wider !== undefined && given.includes(wider));
}

const documentPrefix = "ApiAccessPermission::";

/** For `idp:read`: `ApiAccessPermission::IDP_READ` and `IDP_READ`. */
export const documentPermissions: readonly string[] = permissions.flatMap((permission) => {
  const spelled = permission.replace(":", "_").toUpperCase();
  return [`${documentPrefix}${spelled}`, spelled];
});

/** Accepts every spelling of a permission; undefined for any other text. */
export function permissionOf(text: string): Permission | undefined {
  const bare = text.startsWith(documentPrefix) ? text.slice(documentPrefix.length) : text;
  return permissions.find(
    (permission) => permission === text || permission.replace(":", "_").toUpperCase() === bare,
  );
}
