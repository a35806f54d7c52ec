/** Tokens: which permission admits to which operation, the challenges of RFC 6750, and tokens in the query string. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { formatApiToken } from "../../src/tenancy/api-token.ts";
import { permissions } from "../../src/tenancy/permission.ts";
import { type Answer, type Call, send, Tenant } from "../support/client.ts";
import { requestTo, unknownUser } from "../support/requests.ts";
import { operations, protectedOperations } from "./operations.ts";

/**
 * The permission that each operation requires. The table repeats the contract, so that no change of a route goes
 * unnoticed.
 */
const operationsByAccess: Readonly<Record<string, readonly string[]>> = {
  public: ["listAuditKeys", "listStepUpKeys", "liveness", "readiness", "openApi", "openApi30"],
  operator: [
    ...[
      "createTenant",
      "listTenants",
      "getTenant",
      "changeTenant",
      "deleteTenant",
      "createTenantToken",
    ],
    ...["listTenantTokens", "revokeTenantToken", "eraseTenantUser", "relocateTenant", "listKeys"],
    ...["listServiceFeeds", "getHealth", "findRequest"],
    ...["getUsage", "rebuildStatistics", "reEncrypt"],
  ],
  "idp:read": ["listUsers", "getUser", "listPasskeys", "listAuthenticators", "listDevices"],
  "idp:write": [
    ...["provisionUser", "setUserStatus", "unlockUser", "eraseUser", "configureOtp", "removeOtp"],
    ...["addAuthenticator", "renameAuthenticator", "removeAuthenticator"],
    ...["verifyOtp", "regenerateBackupCodes", "createPasskeyRegistrationOptions"],
    ...["importUsers", "registerPasskey", "renamePasskey", "removePasskey", "verifyPasskey"],
    ...["createPasskeyAuthenticationOptions", "removeDevice", "removeDevices"],
  ],
  "idp:export": ["exportUsers"],
  "sentinel:write": ["discover", "judgeSession", "importSessions"],
  "sentinel:read": ["listAssessments", "getAssessment", "simulatePolicy", "listFeeds"],
  "audit:read": [
    ...["listAuditEvents", "exportAudit", "getCheckpoint", "listCheckpoints", "proveAuditEvent"],
    ...["getAuditEventBundle", "proveAuditConsistency", "getStatistics"],
  ],
  "tokens:read": ["listTokens"],
  "tokens:write": ["createToken", "rotateToken", "revokeToken"],
  "settings:read": ["getSettings"],
  "settings:write": [
    ...["changeSettings", "createWebhook", "listWebhooks", "getWebhook", "changeWebhook"],
    ...["removeWebhook", "testWebhook", "rotateWebhookSecret", "replayWebhook"],
    ...["listWebhookAttempts", "replayWebhookEvent"],
    ...["createStream", "listStreams", "getStream", "changeStream", "removeStream"],
    ...["testStream", "replayStream", "listStreamAttempts"],
  ],
  "any token": ["getOwnToken"],
};

/** The permissions that include another one, by that one. */
const including: Readonly<Record<string, string>> = {
  "tokens:read": "tokens:write",
  "settings:read": "settings:write",
};

let tenant: Tenant;
/** For each permission, a token that has only this permission. */
const narrow = new Map<string, string>();

beforeAll(async () => {
  tenant = await Tenant.create();
  await tenant.allowExport();
  for (const permission of permissions)
    narrow.set(permission, await tenant.tokenWith([permission]));
});

function expectChallenge(answer: Answer, status: number, code: string, challenge: string): void {
  const { headers, body } = answer;
  expect({ status: answer.status, code: body.code }).toEqual({ status, code });
  expect(headers.get("WWW-Authenticate")).toBe(challenge);
  expect(Object.keys(body).toSorted()).toEqual(["code", "error", "request_id"]);
}

it("The table of accesses names every operation once, and every permission", () => {
  const named = Object.values(operationsByAccess).flat();
  expect(named.toSorted()).toEqual(operations.map(({ name }) => name).toSorted());
  const kinds = ["operator", ...permissions, "any token", "public"];
  expect(Object.keys(operationsByAccess).toSorted()).toEqual(kinds.toSorted());
});

it.each(operationsByAccess.public ?? [])("%s is public in the OpenAPI document", (name) => {
  expect(operations.find((one) => one.name === name)?.isPublic).toBe(true);
});

describe.each(protectedOperations)("$method $template", ({ name, method, isForOperator }) => {
  const { path, body } = requestTo(name, unknownUser);
  const ask = async (call: Call, to = path) => await send(method, to, { body, ...call });
  const withQuery = (query: string) => `${path}${path.includes("?") ? "&" : "?"}${query}`;

  it("answers a request without credentials with a bare challenge", async () => {
    expectChallenge(await ask({}), 401, "missing_token", "Bearer");
  });

  it("answers an unknown, a mistyped and a malformed token and one of the wrong kind with invalid_token", async () => {
    const unknown = formatApiToken("test", tenant.id, new Uint8Array(20).fill(9));
    const mistyped = tenant.token.slice(0, -1) + (tenant.token.endsWith("0") ? "1" : "0");
    const ofOtherKind = isForOperator ? tenant.token : env.OPERATOR_TOKEN;
    for (const token of [unknown, mistyped, ofOtherKind, "idp_test_x", "x"]) {
      expectChallenge(await ask({ token }), 401, "invalid_token", 'Bearer error="invalid_token"');
    }
  });

  it("refuses a token in the query string, even beside a valid header", async () => {
    const ofTenant = required === "idp:export" ? narrow.get(required) : tenant.token;
    const good = isForOperator ? env.OPERATOR_TOKEN : (ofTenant ?? "");
    for (const parameter of ["access_token", "api_key"]) {
      const bare = await ask({}, withQuery(`${parameter}=${good}`));
      expect([400, 401]).toContain(bare.status);
      const beside = await ask({ token: good }, withQuery(`${parameter}=${good}`));
      expect(beside.status).toBe(400);
      expect(beside.body.code).toBe("invalid_request");
      expect(JSON.stringify(beside.body)).not.toContain(good);
    }
  });

  const required = Object.keys(operationsByAccess).find((access) =>
    operationsByAccess[access]?.includes(name),
  );

  it.each(permissions)(`requires ${required}; a token with only %s`, async (permission) => {
    const answer = await ask({ token: narrow.get(permission) });
    if (isForOperator) {
      expect(required).toBe("operator");
      expectChallenge(answer, 401, "invalid_token", 'Bearer error="invalid_token"');
    } else if (
      required === "any token" ||
      permission === required ||
      including[required ?? ""] === permission
    ) {
      expect([401, 403]).not.toContain(answer.status);
    } else {
      const challenge = `Bearer error="insufficient_scope", scope="${required}"`;
      expectChallenge(answer, 403, "insufficient_scope", challenge);
    }
  });
});
