/** What somebody can gain from an import: a code a second time, or work that costs the service much. */
import { expect, it } from "vitest";
import { Tenant } from "../support/client.ts";

const path = "/v1/idp/users/import";

it.each([
  ["users", (items: readonly unknown[]) => ({ users: items })],
  ["authenticators", (items: readonly unknown[]) => ({ users: [{ authenticators: items }] })],
  ["codes", (items: readonly unknown[]) => ({ users: [{ backup_codes: items }] })],
])("A body full of %s that are not valid is refused with few issues", async (_, build) => {
  const tenant = await Tenant.create();
  const items = Array.from({ length: 250_000 }, () => 1);
  const { status, body } = await tenant.send("POST", path, build(items));
  expect([status, body.code]).toEqual([400, "invalid_request"]);
  expect(body.issues.length).toBeLessThanOrEqual(20);
});
