/** HTTP: paths, methods, response headers and percent-encoding. */
import { beforeAll, describe, expect, it } from "vitest";
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { requestTo, unknownUser } from "../support/requests.ts";
import { operations } from "./operations.ts";

let tenant: Tenant;

beforeAll(async () => {
  tenant = await Tenant.create();
});

function expectError(answer: Answer, status: number, code: string): void {
  expect({ status: answer.status, code: answer.body.code }).toEqual({ status, code });
  expect(typeof answer.body.error).toBe("string");
  expect(answer.body.request_id).toBe(answer.headers.get("X-Request-Id"));
}

const templates = new Set(operations.map(({ template }) => template));

/** Whether the path is one of the operation: `/passkeys/options` also names a passkey with the id `options`. */
function isPathOf({ template }: { readonly template: string }, path: string): boolean {
  return new RegExp(`^${template.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path);
}

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"];

describe.each([...templates])("%s", (template) => {
  const path = template.replaceAll(/\{\w+\}/g, unknownUser.id);
  const known = operations.filter((one) => isPathOf(one, path)).map(({ method }) => method);

  it("answers every other method with 405 and the allowed methods", async () => {
    const allowed = [...known, ...(known.includes("GET") ? ["HEAD"] : [])].toSorted();
    for (const method of methods.filter((one) => !known.includes(one))) {
      const answer = await send(method, path, {
        token: tenant.token,
        headers: { "X-HTTP-Method-Override": known[0] ?? "", Origin: "https://evil.test" },
      });
      expectError(answer, 405, "method_not_allowed");
      expect(answer.headers.get("Allow")).toBe(allowed.join(", "));
      expect(answer.headers.get("Access-Control-Allow-Origin")).toBeNull();
      expect(answer.headers.get("Access-Control-Allow-Methods")).toBeNull();
    }
  });
});

describe.each(operations)("$method $template", ({ name, method, isPublic, template }) => {
  it("allows no other origin, forbids caching unless it answers public keys, and has a request id", async () => {
    const { path, body } = isPublic
      ? { path: template, body: undefined }
      : requestTo(name, unknownUser);
    const { headers } = await send(method, path, {
      token: tenant.token,
      body,
      headers: { Origin: "https://evil.test" },
    });
    const names = [...headers.keys()].filter((header) => header.startsWith("access-control"));
    expect(names).toEqual([]);
    const caching = template === "/.well-known/jwks.json" ? "public, max-age=300" : "no-store";
    expect(headers.get("Cache-Control")).toBe(caching);
    expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(headers.get("X-Request-Id")).toMatch(/^[0-9a-f]{24}$/);
    expect(headers.get("Set-Cookie")).toBeNull();
  });
});

describe("A method override", () => {
  it.each([["X-HTTP-Method-Override"], ["X-HTTP-Method"], ["X-Method-Override"]])(
    "in %s is ignored",
    async (header) => {
      const user = await User.withTotp(tenant);
      const answer = await send("GET", user.path(), {
        token: tenant.token,
        headers: { [header]: "DELETE" },
      });
      expect(answer.status).toBe(200);
      expect(await user.profile()).toMatchObject({ status: "active", has_otp: true });
    },
  );

  it("in the query string is refused", async () => {
    const user = await User.provision(tenant);
    const answer = await tenant.send("POST", `${user.path("/unlock")}&_method=DELETE`);
    expectError(answer, 400, "invalid_request");
    expect((await user.profile()).status).toBe("active");
  });
});

describe("An unknown path", () => {
  it.each([
    "/",
    "/v1",
    "/v1/",
    "/v2/idp/users",
    "/v1/idp/users/",
    "//v1/idp/users",
    "/v1//idp/users",
    "/V1/idp/users",
    "/v1/idp/users.json",
    "/v1/idp/users;x=1",
    "/v1/idp/users%00",
    "/v1/idp/users%20",
    "/v1/tokens/../../etc/passwd",
    "/.env",
    "/v1/idp%2Fusers",
    "/v1/%2e%2e/healthzz",
    `/${"a".repeat(4_000)}`,
  ])("%s gets a 404 in the common error shape", async (path) => {
    expectError(await send("GET", path, { token: tenant.token }), 404, "not_found");
  });
});

describe("A percent-encoded", () => {
  const encoded = (text: string) =>
    [...new TextEncoder().encode(text)]
      .map((byte) => `%${byte.toString(16).padStart(2, "0")}`)
      .join("");

  it("path needs the same authorisation", async () => {
    const narrow = await tenant.tokenWith(["audit:read"]);
    for (const path of ["/v1/idp/us%65rs", "/%76%31/idp/users", "/v1/idp/%75sers?limit=1"]) {
      expectError(await send("GET", path), 401, "missing_token");
      expectError(await send("GET", path, { token: narrow }), 403, "insufficient_scope");
      expect((await send("GET", path, { token: tenant.token })).status).toBe(200);
    }
  });

  it("id in the query names the same user, to the owning tenant alone", async () => {
    const stranger = await Tenant.create();
    const user = await User.provision(tenant, "some body/with?odd&signs=%41+1");
    const path = `/v1/idp/user?externalUserId=${encoded(user.externalId)}`;
    expect((await tenant.send("GET", path)).body.id).toBe(user.id);
    expectError(await stranger.send("GET", path), 404, "user_not_found");
    expectError(await send("GET", path), 401, "missing_token");
    const twice = path.replaceAll("%", "%25");
    expectError(await tenant.send("GET", twice), 404, "user_not_found");
  });

  it("id in the path names the same token, to the owning tenant alone", async () => {
    const stranger = await Tenant.create();
    const { body } = await tenant.send("POST", "/v1/tokens", {
      token: { name: "n", permissions: ["idp:read"] },
    });
    const path = `/v1/tokens/${encoded(body.token.id)}`;
    expectError(await send("DELETE", path), 401, "missing_token");
    expectError(await stranger.send("DELETE", path), 404, "not_found");
    expect((await tenant.send("DELETE", path)).status).toBe(204);
  });

  it("address that is malformed gets a 400, also where nothing exists", async () => {
    const malformed = ["%", "%4", "%zz", "%E0%A4%A", "%ff", "%c0%80", "%ED%A0%80", "%25%"];
    for (const value of malformed) {
      for (const path of [
        `/v1/idp/user?externalUserId=${value}`,
        `/${value}`,
        `/healthz?${value}`,
      ]) {
        expectError(await tenant.send("GET", path), 400, "invalid_request");
      }
      expectError(await send("PUT", `/v1/idp/users?${value}`), 400, "invalid_request");
    }
  });

  it("name is never taken literally, even if a user has it", async () => {
    await User.provision(tenant, "100%");
    expectError(
      await tenant.send("GET", "/v1/idp/user?externalUserId=100%"),
      400,
      "invalid_request",
    );
    expect((await tenant.send("GET", "/v1/idp/user?externalUserId=100%25")).status).toBe(200);
  });

  it("query of forbidden values gets a 400", async () => {
    for (const value of ["%00", "a%0d%0aX: y", ""]) {
      const { status } = await tenant.send("GET", `/v1/idp/user?externalUserId=${value}`);
      expect(status).toBe(400);
    }
    const doubled = await tenant.send("GET", "/v1/idp/user?externalUserId=a&externalUserId=b");
    expect(doubled.status).toBe(400);
  });
});
