import { env } from "cloudflare:workers";
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
    const all = [...mounted, "get /openapi.json", "get /openapi-3.0.json"];
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
    const asOperator = { token: env.OPERATOR_TOKEN };
    const { body, headers } = await tenant.send("POST", "/v1/tokens", {
      token: { name: "n", permissions: ["idp:read"], expires_at: "2099-01-01T00:00:00+02:00" },
    });
    const requestId = headers.get("X-Request-Id");
    const [event] = await user.events();
    const context = { ip: "::ffff:192.168.0.1", ua: "", user_id: "another user" };
    const answers = [
      await tenant.send("GET", "/v1/token"),
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
      await tenant.send("GET", `/v1/audit/events/${event.id}/bundle`),
      await tenant.send("POST", "/v1/idp/users/import", {
        users: [{ external_id: "new" }, { external_id: "", backup_codes: ["none"] }],
      }),
      await tenant.send("GET", "/v1/idp/users/export", undefined, await tenant.allowExport()),
      await tenant.send("DELETE", user.path("/otp")),
      await tenant.send("DELETE", user.path()),
      await send("GET", "/healthz"),
      await send("GET", "/readyz"),
      await send("GET", "/v1/health", asOperator),
      await send("GET", `/v1/requests/${requestId}`, asOperator),
      await send("GET", "/openapi.json"),
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

interface Node {
  readonly [key: string]: unknown;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null;
}

/** Every object in a part of the document, except examples, with the components that it refers to. */
function* walk(part: unknown, components: Node, seen = new Set<unknown>()): Generator<Node> {
  if (!isNode(part) || seen.has(part)) return;
  seen.add(part);
  yield part;
  const [, name = ""] = /^#\/components\/schemas\/(\w+)$/.exec(String(part.$ref)) ?? [];
  yield* walk(components[name], components, seen);
  for (const [key, value] of Object.entries(part)) {
    if (!["example", "examples"].includes(key)) yield* walk(value, components, seen);
  }
}

describe.each(["/openapi.json", "/openapi-3.0.json"])("For generators of clients, %s", (path) => {
  async function readDocument() {
    const { body } = await send("GET", path);
    const schemas: Node = body.components.schemas;
    const operations: Node[] = Object.values<Node>(body.paths).flatMap((item) =>
      Object.values(item).filter(isNode),
    );
    return { document: body, schemas, operations };
  }

  it("names every body, and has one schema of errors with a response for other statuses", async () => {
    const { operations, schemas } = await readDocument();
    expect(schemas.Error).toMatchObject({
      required: ["error", "code", "request_id"],
      additionalProperties: true,
    });
    const named = { $ref: expect.stringMatching(/^#\/components\/schemas\/\w+$/) };
    const error = { $ref: "#/components/schemas/Error" };
    for (const { requestBody, responses } of operations) {
      const json = (schema: object) => ({ content: { "application/json": { schema } } });
      if (requestBody !== undefined) expect(requestBody).toMatchObject(json(named));
      expect(responses).toMatchObject({ default: json(error) });
      for (const [status, response] of Object.entries(Object(responses))) {
        if (Number(status) >= 400) expect(response).toMatchObject(json(error));
        const { content = {} } = Object(response);
        if (Number(status) < 300 && "application/json" in content) {
          expect(response).toMatchObject(json(named));
        }
      }
    }
  });

  it("leaves answers open: no closed object, no closed list of values", async () => {
    const { operations, schemas } = await readDocument();
    for (const { responses } of operations) {
      for (const part of walk(responses, schemas)) {
        expect(part).not.toHaveProperty("enum");
        expect(part).not.toHaveProperty("const");
        if (part.type === "object") expect(part.additionalProperties).not.toBe(false);
        if (part.properties !== undefined && part.type === "object") {
          expect(part.additionalProperties).toBe(true);
        }
      }
    }
  });

  it("has schemas that every generator reads", async () => {
    const { document, schemas } = await readDocument();
    const isOf31 = document.openapi === "3.1.0";
    for (const part of walk(document.paths, schemas)) {
      expect(part).not.toHaveProperty("exclusiveMinimum");
      expect(part).not.toHaveProperty("exclusiveMaximum");
      const { type = [] } = part;
      const types = [type].flat().filter((name) => name !== "null");
      expect(types.length).toBeLessThan(2);
      if (isOf31) continue;
      expect(Array.isArray(type) && type.length > 0).toBe(false);
      expect(type).not.toBe("null");
      for (const keyword of ["const", "propertyNames", "$schema"]) {
        expect(part).not.toHaveProperty(keyword);
      }
      if (part.$ref !== undefined) expect(Object.keys(part)).toEqual(["$ref"]);
    }
  });

  it("describes every operation and parameter, and has an example of each body", async () => {
    const { document, operations } = await readDocument();
    expect(document.info).toMatchObject({
      license: { name: "Apache-2.0" },
      contact: { name: expect.any(String) },
    });
    expect(document.servers).toHaveLength(1);
    const tags = document.tags.map(({ name, description }: Node) => {
      expect(description).toEqual(expect.any(String));
      return name;
    });
    for (const { summary, description, tags: used, parameters = [], ...rest } of operations) {
      expect([summary, description]).toEqual([expect.any(String), expect.any(String)]);
      expect(tags).toEqual(expect.arrayContaining([used].flat()));
      for (const parameter of [parameters].flat()) {
        expect(parameter).toMatchObject({ description: expect.any(String) });
        expect(parameter).toHaveProperty("example");
      }
      const bodies = [rest.requestBody, ...Object.values(Object(rest.responses))];
      const media = bodies.flatMap((body) => Object.values(Object(Object(body).content)));
      for (const one of media) {
        expect("example" in Object(one) || "examples" in Object(one)).toBe(true);
      }
    }
  });
});
