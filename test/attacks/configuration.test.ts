/** Keys: with a broken configuration every route but /healthz answers 503, and the log names the cause. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import worker from "../../src/index.ts";
import { Tenant } from "../support/client.ts";
import { openApiDocument } from "../support/openapi-conformity.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const zeros = btoa("\0".repeat(32));

const broken: [string, string, string | undefined][] = [
  ["OPERATOR_TOKEN", "missing", undefined],
  ["OPERATOR_TOKEN", "empty", ""],
  ["OPERATOR_TOKEN", "short", "0123456789abcdef"],
  ["OPERATOR_TOKEN", "a placeholder", "change-me-change-me-change-me-0123456789"],
  ["OPERATOR_TOKEN", "one repeated character", "x".repeat(64)],
  ["SEALING_KEYS", "missing", undefined],
  ["SEALING_KEYS", "short", `1:${btoa("sixteen bytes...")}`],
  ["SEALING_KEYS", "a placeholder", `1:${zeros}`],
  [
    "SEALING_KEYS",
    "one valid and one short key",
    `${env.SEALING_KEYS},2:${btoa("sixteen bytes...")}`,
  ],
  ["BACKUP_CODE_KEYS", "missing", undefined],
  ["BACKUP_CODE_KEYS", "short", `1:${btoa("sixteen bytes...")}`],
  ["BACKUP_CODE_KEYS", "a placeholder", `1:${zeros}`],
  ["BACKUP_CODE_KEYS", "the sealing key", env.SEALING_KEYS],
  ["AUDIT_SIGNING_KEYS", "missing", undefined],
  ["AUDIT_SIGNING_KEYS", "short", `1:${btoa("sixteen bytes...")}`],
  ["AUDIT_SIGNING_KEYS", "a placeholder", `1:${zeros}`],
  ["ADDRESS_HASH_KEY", "missing", undefined],
  ["ADDRESS_HASH_KEY", "short", btoa("sixteen bytes...")],
  ["ADDRESS_HASH_KEY", "a placeholder", zeros],
];

async function listRoutes(): Promise<[string, string][]> {
  const { paths } = await openApiDocument();
  const documented = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).map((method): [string, string] => [
      method.toUpperCase(),
      path.replaceAll(/\{\w+\}/g, "0".repeat(24)),
    ]),
  );
  const others: [string, string][] = [
    ["GET", "/openapi.json"],
    ["GET", "/nowhere"],
    ["PUT", "/v1/idp/users"],
    ["GET", "/healthz/"],
    ["GET", "/v1/idp/users?x=/healthz"],
  ];
  return [...documented, ...others];
}

describe("A configuration in which", () => {
  it.each(broken)(
    "%s is %s opens no route, and the log names the setting",
    async (name, _, value) => {
      const lines: string[] = [];
      vi.spyOn(console, "error").mockImplementation((line) => void lines.push(String(line)));
      const tenant = await Tenant.create();
      const changed: Env = { ...env, [name]: value };
      const ask = async (method: string, path: string, token: string) =>
        await worker.fetch(
          new Request(`https://idp.test${path}`, {
            method,
            headers: { Authorization: `Bearer ${token}` },
          }),
          changed,
          createExecutionContext(),
        );
      const routes = await listRoutes();
      expect(routes.length).toBeGreaterThan(30);
      for (const [method, path] of routes) {
        if (path === "/healthz") continue;
        lines.length = 0;
        const response = await ask(method, path, tenant.token);
        const body = await response.json<{ readonly code?: string }>();
        expect({ path, status: response.status, code: body.code }).toEqual({
          path,
          status: 503,
          code: "unavailable",
        });
        expect(JSON.stringify(body)).not.toContain(name);
        const logLine = lines.find((line) => line.includes("configuration_invalid")) ?? "";
        expect(logLine).toContain(name);
        if (value !== undefined && value !== "") expect(logLine).not.toContain(value);
      }
      expect((await ask("GET", "/healthz", tenant.token)).status).toBe(200);
      const asOperator = await ask("POST", "/v1/tenants", value ?? "undefined");
      expect(asOperator.status).toBe(503);
    },
  );
});
