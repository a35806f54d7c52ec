/** What an API token may do. The source document names each permission a second way. */

export const permissions = [
  "idp:read",
  "idp:write",
  "sentinel:write",
  "sentinel:read",
  "audit:read",
  "tokens:write",
  "settings:write",
] as const;
export type Permission = (typeof permissions)[number];

const documentPrefix = "ApiAccessPermission::";

/** `ApiAccessPermission::IDP_READ` and `IDP_READ` for `idp:read`. */
export const documentPermissions: readonly string[] = permissions.flatMap((permission) => {
  const spelled = permission.replace(":", "_").toUpperCase();
  return [`${documentPrefix}${spelled}`, spelled];
});

/** The permission in any of its spellings, or undefined. */
export function permissionOf(text: string): Permission | undefined {
  const bare = text.startsWith(documentPrefix) ? text.slice(documentPrefix.length) : text;
  return permissions.find(
    (permission) => permission === text || permission.replace(":", "_").toUpperCase() === bare,
  );
}
