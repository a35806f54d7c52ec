/**
 * The contract's table of statuses, held against every route there is: a route that is added joins
 * the suite by itself, and must say here what a good request to it looks like.
 */
import { env, exports } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { apiRoutes } from "../../src/app.ts";
import { none } from "../../src/http/route.ts";
import { formatApiToken } from "../../src/tenancy/api-token.ts";
import { permissions } from "../../src/tenancy/permission.ts";
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { requestTo, unknownUser } from "../support/requests.ts";

let tenant: Tenant;
let stranger: Tenant;
let user: User;
let strangersTokenId: string;
let usersEventId: string;
let usersAssessmentId: string;

beforeAll(async () => {
  tenant = await Tenant.create();
  stranger = await Tenant.create();
  user = await User.withTotp(tenant, "known only to its tenant");
  const { body } = await stranger.send("GET", "/v1/tokens");
  strangersTokenId = body.tokens[0].id;
  usersEventId = (await user.events())[0].id;
  usersAssessmentId = (await user.assess()).assessment_id;
});

function withoutRequestId({ body, status }: Answer): unknown {
  const { request_id, ...rest } = body;
  expect(request_id).toMatch(/^[0-9a-f]{24}$/);
  return { ...rest, status };
}

function expectError(answer: Answer, status: number, code: string): void {
  expect(answer.body).toMatchObject({ code });
  expect(answer.status).toBe(status);
  expect(typeof answer.body.error).toBe("string");
  expect(answer.body.request_id).toBe(answer.headers.get("X-Request-Id"));
  expect(answer.headers.get("Access-Control-Allow-Origin")).toBeNull();
}

const guarded = apiRoutes
  .map(({ definition }) => definition)
  .filter(({ access }) => access.kind !== "public");

describe.each(guarded)("$method $path ($name)", (definition) => {
  const { method, name, access } = definition;
  const verb = method.toUpperCase();
  const isOperators = access.kind === "operator";
  const ask = async (token: string | undefined, about = unknownUser) => {
    const { path, body } = requestTo(name, about);
    return await send(verb, path, { token, body });
  };

  it("refuses a request without a token, with a bare challenge", async () => {
    const answer = await ask(undefined);
    expectError(answer, 401, "missing_token");
    expect(answer.headers.get("WWW-Authenticate")).toBe("Bearer");
  });

  it("refuses mistyped, unknown and foreign kinds of tokens", async () => {
    const good = tenant.token;
    const flipped = good.slice(0, -1) + (good.endsWith("0") ? "1" : "0");
    const unknown = formatApiToken("test", tenant.id, new Uint8Array(20).fill(7));
    const other = isOperators ? good : env.OPERATOR_TOKEN;
    for (const token of [flipped, unknown, other, "idp_test_x", "x"]) {
      const answer = await ask(token);
      expectError(answer, 401, "invalid_token");
      expect(answer.headers.get("WWW-Authenticate")).toBe('Bearer error="invalid_token"');
    }
  });

  it("refuses credentials that are not a bearer token", async () => {
    const { path, body } = requestTo(name, unknownUser);
    const headers = { Authorization: `Basic ${btoa("user:password")}` };
    expectError(await send(verb, path, { headers, body }), 401, "invalid_token");
  });

  it("takes no token from the address", async () => {
    const { path, body } = requestTo(name, unknownUser);
    const separator = path.includes("?") ? "&" : "?";
    const answer = await send(verb, `${path}${separator}access_token=${tenant.token}`, { body });
    expect(answer.status).toBe(400);
    expect(answer.body.issues).toEqual([
      { path: "access_token", message: "must not be sent in the URL" },
    ]);
  });

  if (!isOperators) {
    it("refuses a token without the permission and names it", async () => {
      const token = await tenant.tokenWith(permissions.filter((other) => other !== access.kind));
      const answer = await ask(token);
      expectError(answer, 403, "insufficient_scope");
      expect(answer.headers.get("WWW-Authenticate")).toContain(`scope="${access.kind}"`);
    });
  }

  if (!isOperators) {
    it("is open to a token with only that permission", async () => {
      const answer = await ask(await tenant.tokenWith([access.kind]));
      expect(answer.status).not.toBe(401);
      expect(answer.status).not.toBe(403);
    });
  }

  const isAboutSomebody = requestTo(name, unknownUser).hasTarget === true;

  if (isAboutSomebody) {
    it("cannot tell another tenant's identity or token from none", async () => {
      const unknown = await ask(stranger.token);
      const foreign = await ask(name.endsWith("Token") ? tenant.token : stranger.token, {
        ...user,
        tenantId: tenant.id,
        tokenId: strangersTokenId,
        eventId: usersEventId,
        assessmentId: usersAssessmentId,
      });
      expect(foreign.status).toBe(404);
      expect(withoutRequestId(foreign)).toEqual(withoutRequestId(unknown));
      expect(await user.profile()).toMatchObject({
        status: "active",
        has_otp: true,
        failed_attempts: 0,
        backup_codes_remaining: 0,
      });
      expect((await stranger.send("GET", "/v1/tokens")).body.tokens).toHaveLength(1);
    });
  }

  const token = () => (isOperators ? env.OPERATOR_TOKEN : tenant.token);

  it("refuses what it does not know in the query", async () => {
    const { path, body } = requestTo(name, unknownUser);
    const separator = path.includes("?") ? "&" : "?";
    const answer = await send(verb, `${path}${separator}tenant_id=1`, { token: token(), body });
    expectError(answer, 400, "invalid_request");
    expect(answer.body.issues).toContainEqual({
      path: "tenant_id",
      message: "is not a field of this request",
    });
  });

  const takesBody = definition.body !== none;

  if (takesBody) {
    it("refuses bodies that are malformed, unknown, too large or no JSON", async () => {
      const { path, body = {} } = requestTo(name, unknownUser);
      const asked = async (sent: string | Uint8Array, type = "application/json") =>
        await send(verb, path, { token: token(), body: sent, headers: { "Content-Type": type } });
      const good = JSON.stringify(body);
      expectError(await asked(good.slice(0, -1)), 400, "invalid_json");
      expectError(await asked(""), 400, "invalid_json");
      expectError(await asked(new Uint8Array([0x22, 0xff, 0x22])), 400, "invalid_json");
      expectError(await asked(good, "text/plain"), 415, "unsupported_media_type");
      expectError(
        await asked(good, "application/x-www-form-urlencoded"),
        415,
        "unsupported_media_type",
      );
      expectError(await asked(`${good}${" ".repeat(16 * 1024)}`), 413, "body_too_large");
      expectError(await asked("[".repeat(50_000)), 413, "body_too_large");
      for (const value of [
        "null",
        "[]",
        '"text"',
        "1",
        `${"[".repeat(8_000)}${"]".repeat(8_000)}`,
      ]) {
        expectError(await asked(value), 400, "invalid_request");
      }
      const [group] = Object.keys(body);
      for (const field of ["tenant_id", "locked", "__proto__", "constructor"]) {
        const outer = await asked(`${good.slice(0, -1)},"${field}":{}}`);
        expectError(outer, 400, "invalid_request");
        expect(outer.body.issues.map(({ path: at }: { path: string }) => at)).toContain(field);
        const inner = await asked(`{"${group}":{"${field}":1}}`);
        expectError(inner, 400, "invalid_request");
        expect(inner.body.issues.map(({ path: at }: { path: string }) => at)).toContain(
          `${group}.${field}`,
        );
      }
    });
  }

  if (!takesBody && method !== "get") {
    it("refuses a body where it takes none", async () => {
      const { path } = requestTo(name, unknownUser);
      const answer = await send(verb, path, { token: token(), body: { user: { locked: false } } });
      expectError(answer, 400, "invalid_request");
    });
  }

  it("answers other methods with 405 and what it allows", async () => {
    const path = requestTo(name, unknownUser).path.split("?")[0] ?? "";
    for (const other of ["PUT", "OPTIONS", "PROPFIND"]) {
      const headers = { "X-HTTP-Method-Override": verb };
      const answer = await send(other, path, { token: token(), headers });
      expectError(answer, 405, "method_not_allowed");
      expect(answer.headers.get("Allow")?.split(", ")).toContain(verb);
    }
  });

  it("is never cached", async () => {
    expect((await ask(undefined)).headers.get("Cache-Control")).toBe("no-store");
    expect((await ask(token())).headers.get("Cache-Control")).toBe("no-store");
  });
});

describe("Elsewhere", () => {
  it("a body that comes in pieces without a length is held to the same limit", async () => {
    const inPieces = (text: string, pieces: number) =>
      new ReadableStream({
        start(controller) {
          for (let n = 0; n < pieces; n += 1) controller.enqueue(new TextEncoder().encode(text));
          controller.close();
        },
      });
    const post = async (body: ReadableStream) =>
      await exports.default.fetch(
        new Request("https://idp.test/v1/idp/users", {
          method: "POST",
          body,
          headers: { Authorization: `Bearer ${tenant.token}`, "Content-Type": "application/json" },
        }),
      );
    const request = '{"user":{"external_id":"in pieces"}}';
    expect((await post(inPieces(`${request}${" ".repeat(1024)}`, 17))).status).toBe(413);
    expect((await post(inPieces(" ".repeat(1024), 1024))).status).toBe(413);
    expect((await post(inPieces(request, 1))).status).toBe(201);
  });

  it("an unknown address is a 404 in the same shape", async () => {
    for (const path of ["/", "/v1", "/v2/idp/users", "/v1/idp/users/", "/v1/idp/user/otp/x"]) {
      expectError(await send("GET", path), 404, "not_found");
    }
  });

  it("a percent-encoded path gets the same authorisation", async () => {
    const answer = await send("GET", "/v1/idp%2Fusers");
    expect([401, 404]).toContain(answer.status);
    expectError(await send("GET", "/v1/idp/us%65rs"), 401, "missing_token");
  });

  it("liveness and readiness need no token", async () => {
    expect((await send("GET", "/healthz")).body).toEqual({ status: "ok" });
    expect((await send("GET", "/readyz")).body).toEqual({ status: "ready" });
  });
});
