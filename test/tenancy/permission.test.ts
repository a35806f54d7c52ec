import { expect, test } from "vitest";
import {
  documentPermissions,
  firstPermissions,
  isPermitted,
  permissionOf,
  permissions,
} from "../../src/tenancy/permission.ts";

/** The table of permissions in the API contract. */
const table = [
  ["idp:read", "IDP_READ"],
  ["idp:write", "IDP_WRITE"],
  ["idp:export", "IDP_EXPORT"],
  ["sentinel:write", "SENTINEL_WRITE"],
  ["sentinel:read", "SENTINEL_READ"],
  ["audit:read", "AUDIT_READ"],
  ["tokens:read", "TOKENS_READ"],
  ["tokens:write", "TOKENS_WRITE"],
  ["settings:read", "SETTINGS_READ"],
  ["settings:write", "SETTINGS_WRITE"],
] as const;

test("there are ten permissions", () => {
  expect([...permissions].sort()).toEqual(table.map(([permission]) => permission).sort());
});

test.each(table)(
  "%s can also be spelled %s, with or without ApiAccessPermission::",
  (permission, spelling) => {
    expect(permissionOf(permission)).toBe(permission);
    expect(permissionOf(spelling)).toBe(permission);
    expect(permissionOf(`ApiAccessPermission::${spelling}`)).toBe(permission);
  },
);

test("each permission gives itself, and only tokens:write and settings:write give another one", () => {
  const given = permissions.map(
    (one) => [one, permissions.filter((other) => isPermitted([one], other))] as const,
  );
  const expected = permissions.map((one) => {
    if (one === "tokens:write") return [one, ["tokens:read", one]];
    return [one, one === "settings:write" ? ["settings:read", one] : [one]];
  });
  expect(given).toEqual(expected);
});

test("a tenant's first token has every permission but that to export secrets", () => {
  expect([...firstPermissions, "idp:export"].toSorted()).toEqual([...permissions].toSorted());
});

test("each permission has two spellings in the source document", () => {
  expect(documentPermissions).toHaveLength(2 * permissions.length);
  expect(new Set(documentPermissions).size).toBe(documentPermissions.length);
  for (const permission of permissions) {
    const spellings = documentPermissions.filter((text) => permissionOf(text) === permission);
    expect(spellings).toHaveLength(2);
  }
});

test.each([
  "",
  "idp",
  "idp:*",
  "idp:delete",
  "IDP:READ",
  "idp_read",
  "Idp_Read",
  "IDP_READ ",
  " idp:read",
  "ApiAccessPermission::",
  "ApiAccessPermission::idp:read",
  "ApiAccessPermission::ApiAccessPermission::IDP_READ",
  "apiaccesspermission::IDP_READ",
  "ApiAccessPermission.IDP_READ",
  "constructor",
  "__proto__",
])("%j is not a permission", (text) => {
  expect(permissionOf(text)).toBeUndefined();
});
