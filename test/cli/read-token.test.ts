import { expect, it } from "vitest";
import {
  readTenantOfPrefix,
  readTenantOfToken,
} from "../../packages/cli/src/tenants/read-token.ts";
import { createId } from "../../src/crypto/id.ts";
import { createApiToken } from "../../src/tenancy/api-token.ts";

const modes = ["live", "test"] as const;
const prefixLength = "idp_live_".length + 21;

it("The tenant is read out of a whole token, and out of its first 21 digits", () => {
  for (let n = 0; n < 200; n += 1) {
    for (const mode of modes) {
      const tenantId = n === 0 ? "0".repeat(23).concat("1") : createId(n * 1e10);
      const token = createApiToken(mode, tenantId);
      expect(readTenantOfToken(`${token}\n`)).toEqual({ mode, tenantId });
      expect(readTenantOfPrefix(token.slice(0, prefixLength))).toEqual({ mode, tenantId });
    }
  }
});

it("A prefix that fits several tenants, is too long, or is none is refused", () => {
  const token = createApiToken("live", createId(Date.now()));
  expect(() => readTenantOfPrefix(token.slice(0, 20))).toThrow("fits several tenants");
  expect(() => readTenantOfPrefix(token.slice(0, prefixLength + 1))).toThrow("--token-file");
  expect(() => readTenantOfPrefix("idp_dev_abc")).toThrow("begins with idp_live_");
});

it("A text that is no token is refused without being repeated", () => {
  const token = createApiToken("live", createId(Date.now()));
  const damaged = `${token.slice(0, -1)}_`;
  expect(() => readTenantOfToken(damaged)).toThrow(/^The file has no API token/);
  expect(() => readTenantOfToken("hunter2")).toThrow(/^(?!.*hunter2)/);
});
