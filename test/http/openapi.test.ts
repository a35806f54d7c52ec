import { describe, expect, it } from "vitest";
import { apiRoutes } from "../../src/app.ts";
import { send, Tenant, User } from "../support/client.ts";
import { findContradiction, openApiDocument } from "../support/openapi-conformity.ts";

describe("The OpenAPI document", () => {
  it("is OpenAPI 3.1 and contains every route", async () => {
    const document = await openApiDocument();
    expect(document).toMatchObject({ openapi: "3.1.0" });
    const documented = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method} ${path}`),
    );
    const mounted = apiRoutes.map(
      ({ definition: { method, path } }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`,
    );
    const all = [...mounted, "get /openapi.json", "get /openapi-3.0.json", "get /docs"];
    expect(documented.toSorted()).toEqual(all.toSorted());
  });

  it("names each operation once, with its permission", async () => {
    const names = apiRoutes.map(({ definition }) => definition.name);
    expect(new Set(names).size).toBe(names.length);
    const { paths } = await openApiDocument();
    for (const { definition } of apiRoutes) {
      const { kind } = definition.access;
      const path = definition.path.replaceAll(/:(\w+)/g, "{$1}");
      expect(paths[path]?.[definition.method]).toMatchObject({
        operationId: definition.name,
        description: expect.stringContaining(
          kind === "public" ? "Requires no token." : `Permission: \`${kind}\`.`,
        ),
        security: kind === "public" ? [] : [{ bearer: [] }],
      });
    }
  });

  it("matches real successful answers", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    await user.configure();
    const [code] = await user.backupCodes();
    const { body } = await tenant.send("POST", "/v1/tokens", {
      token: { name: "n", permissions: ["idp:read"], expires_at: "2099-01-01T00:00:00+02:00" },
    });
    const context = { ip: "::ffff:192.168.0.1", ua: "", user_id: "another user" };
    const answers = [
      await tenant.send("GET", "/v1/tokens"),
      await tenant.send("POST", `/v1/tokens/${body.token.id}/rotate`, { token: {} }),
      await tenant.send("DELETE", `/v1/tokens/${body.token.id}`),
      await tenant.send("GET", "/v1/settings"),
      await tenant.send("PATCH", "/v1/settings", { settings: { sentinel: { deny: ["::/0"] } } }),
      await user.verify(code),
      await user.verify(user.code(Date.now())),
      await tenant.send("GET", user.path()),
      await tenant.send("GET", "/v1/idp/users"),
      await tenant.send("PATCH", user.path(), { user: { status: "active" } }),
      await tenant.send("POST", user.path("/unlock")),
      await tenant.send("POST", `${user.path("/otp")}&qr=svg`, {
        otp: { issuer_name: "Acme", account_name: "a" },
      }),
      await tenant.send("POST", "/v1/sentinel/discover", { sentinel: { id: user.id, context } }),
      await tenant.send("GET", "/v1/audit/events"),
      await tenant.send("DELETE", user.path("/otp")),
      await tenant.send("DELETE", user.path()),
      await send("GET", "/healthz"),
      await send("GET", "/readyz"),
      await send("GET", "/openapi.json"),
      await send("GET", "/docs"),
    ];
    for (const { status } of answers) expect(status).toBeLessThan(300);
  });

  it("detects an additional field, a missing field and an unknown status", async () => {
    const user = await User.provision(await Tenant.create());
    const answer = await user.tenant.send("GET", user.path());
    const check = async (changed: object) =>
      await findContradiction("GET", user.path(), { ...answer, ...changed });
    const { status, ...less } = answer.body;
    expect(status).toBe("active");
    expect(await check({})).toBeUndefined();
    expect(await check({ body: { ...answer.body, surprise: 1 } })).toContain("surprise");
    expect(await check({ body: less })).toContain("status");
    expect(await check({ status: 418 })).toContain("not documented");
  });
});

describe("The documentation page", () => {
  it("shows every operation and sends no request to another host", async () => {
    const { status, headers, body } = await send("GET", "/docs");
    expect(status).toBe(200);
    expect(headers.get("Content-Security-Policy")).toContain("default-src 'none'");
    for (const { definition } of apiRoutes) expect(body).toContain(`id="${definition.name}"`);
    expect(body).not.toMatch(/<script|src=|@import|url\(|href="https?:/);
  });
});
