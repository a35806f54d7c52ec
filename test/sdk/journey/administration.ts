/** What administrators and the operator do. */
import { collect, expectEqual, expectError } from "./expect.ts";
import type { EdgeIdp, Sdk } from "./sdk.ts";

/** Creates, rotates and revokes tokens. @param withToken a client with another token */
export async function manageTokens(
  sdk: Sdk,
  idp: EdgeIdp,
  withToken: (secret: string) => EdgeIdp,
): Promise<void> {
  const created = await idp.tokens.create({ name: "reader", permissions: ["idp:read"] });
  const narrow = withToken(created.secret);
  const refused = await expectError(sdk, "insufficient_scope", narrow.users.provision("any"));
  expectEqual("status", refused.status, 403);
  const rotated = await idp.tokens.rotate(created.id, { overlap_seconds: 0 });
  expectEqual("rotated", rotated.permissions, ["idp:read"]);
  await idp.tokens.revoke(rotated.id);
  await expectError(sdk, "invalid_token", withToken(rotated.secret).users.get("any"));
  const { permissions } = await idp.tokens.own();
  expectEqual("own permissions", permissions.includes("tokens:write"), true);
  const left = await collect(idp.tokens.list({ limit: 1 }));
  expectEqual("tokens", left.map(({ name }) => name).includes("initial"), true);
}

/** Every operation that needs the operator token. */
export async function operate(
  sdk: Sdk,
  operator: EdgeIdp,
  tenant: { readonly id: string; readonly name: string },
): Promise<void> {
  const { id, name } = tenant;
  expectEqual("tenant", (await operator.tenants.get(id)).name, name);
  const listed = await collect(operator.tenants.list({ limit: 100 }));
  expectEqual("tenants", listed.map((one) => one.id).includes(id), true);

  const tokens = operator.tenants.tokens(id);
  const issued = await tokens.create({ name: "by the operator", permissions: ["audit:read"] });
  await tokens.revoke(issued.id);
  expectEqual("tokens", (await collect(tokens.list())).length > 0, true);

  const usage = await operator.tenants.usage(id);
  expectEqual("usage", usage.tenant_id, id);
  const rebuild = await operator.tenants.rebuildStatistics(id, { restart: true });
  expectEqual("rebuild", rebuild.tenant_id, id);
  // The tenant is there already.
  await expectError(sdk, "invalid_request", operator.tenants.relocate(id, { shard: 0 }));
  await expectError(sdk, "user_not_found", operator.tenants.eraseUser(id, "nobody"));

  expectEqual("suspended", (await operator.tenants.suspend(id)).status, "suspended");
  await expectError(sdk, "tenant_active", operator.tenants.delete(id, name));
  expectEqual("reactivated", (await operator.tenants.reactivate(id)).status, "active");

  // Other tenants may have records that cannot be opened.
  const { version } = await operator.keys.reEncrypt({ limit: 1 });
  expectEqual("feeds", Array.isArray((await operator.health.feeds()).feeds), true);
  expectEqual("databases", (await operator.health.measure()).databases.length > 0, true);
  await expectError(sdk, "not_found", operator.tenants.findRequest("0".repeat(24)));
  const { keys, re_encryption } = await operator.keys.list();
  expectEqual("keys", keys.length > 0, true);
  expectEqual("re-encryption", re_encryption?.version, version);
  await operator.health.live();
  expectEqual("ready", (await operator.health.ready()).status, "ready");
}
