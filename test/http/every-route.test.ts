/**
 * Checks the contract's table of statuses for every route. A new route joins the suite automatically,
 * and needs a valid request in test/support/requests.ts.
 */
import { env, exports } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { apiRoutes } from "../../src/app.ts";
import { defaultMaxBodyBytes } from "../../src/http/body.ts";
import { none } from "../../src/http/route.ts";
import { permissions } from "../../src/tenancy/permission.ts";
import { invalidateTenant } from "../../src/tenancy/token-cache.ts";
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { rememberDevice } from "../support/devices.ts";
import { givePasskey, setUpPasskeys } from "../support/passkeys.ts";
import { createWebhook } from "../support/receiver.ts";
import { requestTo, unknownUser } from "../support/requests.ts";
import { createStream } from "../support/stream-receiver.ts";
import { sql } from "../support/trail.ts";

let tenant: Tenant;
let otherTenant: Tenant;
let user: User;
let otherTenantsTokenId: string;
let usersEventId: string;
let usersAssessmentId: string;
let usersPasskeyId: string;
let usersAuthenticatorId: string;
let usersDeviceId: string;
let tenantsWebhookId: string;
let tenantsStreamId: string;
/** A token with all permissions, which ends and is restored for each test. */
let ended: { id: string; secret: string };
/** A token of the tenant that may export secrets. */
let exporting: string;
/** A tenant that is suspended and reactivated in each test, and a token of it with one permission. */
let suspended: Tenant;
let suspendedNarrow: string;

beforeAll(async () => {
  tenant = await Tenant.create();
  otherTenant = await Tenant.create();
  user = await User.provision(tenant, "known only to its tenant");
  usersPasskeyId = (await givePasskey(user)).passkeyId;
  await user.configure();
  usersAuthenticatorId = (await user.addAuthenticator()).id;
  usersDeviceId = (await rememberDevice(user, Date.now())).id;
  tenant.clock = undefined;
  tenantsWebhookId = (await createWebhook(tenant, { url: "https://hooks.example.com" })).id;
  tenantsStreamId = (await createStream(tenant, { url: "https://siem.example.com" })).id;
  await setUpPasskeys(otherTenant);
  const { body } = await otherTenant.send("GET", "/v1/tokens");
  otherTenantsTokenId = body.tokens[0].id;
  usersEventId = (await user.events())[0].id;
  usersAssessmentId = (await user.assess()).assessment_id;
  exporting = await tenant.allowExport();
  suspended = await Tenant.create();
  suspendedNarrow = await suspended.tokenWith(["idp:read"]);
  const token = { name: "ended", permissions };
  ended = (await tenant.send("POST", "/v1/tokens", { token })).body.token;
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
  const isForOperator = access.kind === "operator";
  const request = async (token: string | undefined, about = unknownUser) => {
    const { path, body } = requestTo(name, about);
    return await send(verb, path, { token, body });
  };

  it("refuses credentials that are not a bearer token, and names what is missing", async () => {
    const { path, body } = requestTo(name, unknownUser);
    const bare = isForOperator ? env.OPERATOR_TOKEN : tenant.token;
    for (const Authorization of [bare, `Basic ${btoa("user:password")}`, `Bearer${bare}`]) {
      const answer = await send(verb, path, { headers: { Authorization }, body });
      expectError(answer, 401, "invalid_token");
      expect(answer.body.error).toBe(
        "The Authorization header does not begin with 'Bearer '; send 'Authorization: Bearer <token>'.",
      );
    }
  });

  it("refuses an address with invalid percent-encoding", async () => {
    const { path, body } = requestTo(name, unknownUser);
    const [route = "", query = ""] = path.split("?");
    for (const address of [
      `${route}?${query}&externalUserId=%zz`,
      `${route}?${query}&%ff=1`,
      `${route}?${query}%`,
      `${route}%c3?${query}`,
    ]) {
      const answer = await send(verb, address, { token: token(), body });
      expectError(answer, 400, "invalid_request");
      expect(answer.body.issues).toEqual([
        { path: "URL", message: "has invalid percent-encoding" },
      ]);
    }
  });

  if (!isForOperator) {
    it.each(["revoked_at", "expires_at"])(
      "refuses within 30 s a token whose %s another isolate has set",
      async (column) => {
        const { id, secret } = ended;
        await sql(`UPDATE api_tokens SET revoked_at = NULL, expires_at = NULL WHERE id = ?`, id);
        invalidateTenant(tenant.id);
        expect((await tenant.send("GET", "/v1/settings", undefined, secret)).status).toBe(200);
        await sql(`UPDATE api_tokens SET ${column} = 1 WHERE id = ?`, id);
        vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 30_000 });
        const answer = await request(secret);
        vi.useRealTimers();
        expectError(answer, 401, "invalid_token");
      },
    );
  }

  if (!isForOperator) {
    it("refuses within 30 s every token of a tenant that another isolate has suspended, and then accepts it", async () => {
      const setStatus = (status: string) =>
        sql(`UPDATE tenants SET status = ? WHERE id = ?`, status, suspended.id);
      invalidateTenant(suspended.id);
      expect((await suspended.send("GET", "/v1/settings")).status).toBe(200);
      await setStatus("suspended");
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 30_000 });
      const answers = [await request(suspended.token), await request(suspendedNarrow)];
      for (const answer of answers) expectError(answer, 403, "tenant_suspended");
      await setStatus("active");
      vi.setSystemTime(Date.now() + 30_000);
      expect((await suspended.send("GET", "/v1/settings")).status).toBe(200);
      vi.useRealTimers();
    });
  }

  const concernsOneSubject = requestTo(name, unknownUser).hasTarget === true;

  if (concernsOneSubject) {
    it("answers the same for another tenant's identity or token as for an unknown one", async () => {
      const unknown = await request(otherTenant.token);
      const foreign = await request(name.endsWith("Token") ? tenant.token : otherTenant.token, {
        ...user,
        tenantId: tenant.id,
        tokenId: otherTenantsTokenId,
        eventId: usersEventId,
        assessmentId: usersAssessmentId,
        passkeyId: usersPasskeyId,
        authenticatorId: usersAuthenticatorId,
        deviceId: usersDeviceId,
        webhookId: tenantsWebhookId,
        streamId: tenantsStreamId,
      });
      expect(foreign.status).toBe(404);
      expect(withoutRequestId(foreign)).toEqual(withoutRequestId(unknown));
      expect(await user.profile()).toMatchObject({
        status: "active",
        has_otp: true,
        failed_attempts: 0,
        backup_codes_remaining: 0,
      });
      expect((await otherTenant.send("GET", "/v1/tokens")).body.tokens).toHaveLength(1);
    });
  }

  const ofTenant = () => (access.kind === "idp:export" ? exporting : tenant.token);
  const token = () => (isForOperator ? env.OPERATOR_TOKEN : ofTenant());

  const good = requestTo(name, unknownUser);
  const [route = "", query] = good.path.split("?");
  const [required] = query === undefined ? Object.keys(good.body ?? {}) : query.split("=");

  if (required !== undefined) {
    it("names the required field that is missing", async () => {
      const body = query === undefined ? {} : good.body;
      const answer = await send(verb, route, { token: token(), body });
      expectError(answer, 400, "invalid_request");
      expect(answer.body.issues).toEqual([{ path: required, message: "is required" }]);
      expect(answer.body.error).toContain(`The request is not valid: ${required} is required;`);
    });
  }

  it("refuses an unknown query parameter", async () => {
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
    it("refuses bodies that are malformed, too large, not JSON, or have unknown fields", async () => {
      const { path, body = {} } = requestTo(name, unknownUser);
      const sendBody = async (sent: string | Uint8Array, type = "application/json") =>
        await send(verb, path, { token: token(), body: sent, headers: { "Content-Type": type } });
      const good = JSON.stringify(body);
      expectError(await sendBody(good.slice(0, -1)), 400, "invalid_json");
      expectError(await sendBody(""), 400, "invalid_json");
      expectError(await sendBody(new Uint8Array([0x22, 0xff, 0x22])), 400, "invalid_json");
      expectError(await sendBody(good, "text/plain"), 415, "unsupported_media_type");
      expectError(
        await sendBody(good, "application/x-www-form-urlencoded"),
        415,
        "unsupported_media_type",
      );
      const { maxBodyBytes = defaultMaxBodyBytes } = definition;
      expectError(await sendBody(`${good}${" ".repeat(maxBodyBytes)}`), 413, "body_too_large");
      expectError(await sendBody("[".repeat(maxBodyBytes + 1)), 413, "body_too_large");
      for (const value of [
        "null",
        "[]",
        '"text"',
        "1",
        `${"[".repeat(8_000)}${"]".repeat(8_000)}`,
      ]) {
        expectError(await sendBody(value), 400, "invalid_request");
      }
      const [[group, content] = ["", {}]] = Object.entries(body);
      // In a list, the first item is meant.
      const isList = Array.isArray(content);
      for (const field of ["tenant_id", "locked", "__proto__", "constructor"]) {
        const outer = await sendBody(`${good.slice(0, -1)},"${field}":{}}`);
        expectError(outer, 400, "invalid_request");
        expect(outer.body.issues.map(({ path: at }: { path: string }) => at)).toContain(field);
        if (typeof content !== "object") continue;
        const object = `{"${field}":1}`;
        const inner = await sendBody(`{"${group}":${isList ? `[${object}]` : object}}`);
        expectError(inner, 400, "invalid_request");
        expect(inner.body.issues.map(({ path: at }: { path: string }) => at)).toContain(
          `${group}.${isList ? "0." : ""}${field}`,
        );
      }
    });
  }

  if (!takesBody && method !== "get") {
    it("refuses a body, because it takes none", async () => {
      const { path } = requestTo(name, unknownUser);
      const answer = await send(verb, path, { token: token(), body: { user: { locked: false } } });
      expectError(answer, 400, "invalid_request");
    });
  }

  it("answers other methods with 405 and the allowed methods", async () => {
    const path = requestTo(name, unknownUser).path.split("?")[0] ?? "";
    for (const other of ["PUT", "OPTIONS", "PROPFIND"]) {
      const headers = { "X-HTTP-Method-Override": verb };
      const answer = await send(other, path, { token: token(), headers });
      expectError(answer, 405, "method_not_allowed");
      expect(answer.headers.get("Allow")?.split(", ")).toContain(verb);
    }
  });

  it("is never cached", async () => {
    expect((await request(undefined)).headers.get("Cache-Control")).toBe("no-store");
    expect((await request(token())).headers.get("Cache-Control")).toBe("no-store");
  });
});

describe("Outside the routes", () => {
  it("a body in pieces without a length has the same limit", async () => {
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

  it("an unknown address gets a 404 in the same shape", async () => {
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
