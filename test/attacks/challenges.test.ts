/** Tokens: the challenges of RFC 6750, and tokens in the query string, on every route. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { formatApiToken } from "../../src/tenancy/api-token.ts";
import { permissions } from "../../src/tenancy/permission.ts";
import { type Answer, type Call, send, Tenant } from "../support/client.ts";
import { requestTo, unknownUser } from "../support/requests.ts";
import { protectedOperations } from "./operations.ts";

let tenant: Tenant;
/** For each permission, a token that has only this permission. */
const narrow = new Map<string, string>();

beforeAll(async () => {
  tenant = await Tenant.create();
  for (const permission of permissions)
    narrow.set(permission, await tenant.tokenWith([permission]));
});

function expectChallenge(answer: Answer, status: number, code: string, challenge: string): void {
  const { headers, body } = answer;
  expect({ status: answer.status, code: body.code }).toEqual({ status, code });
  expect(headers.get("WWW-Authenticate")).toBe(challenge);
  expect(Object.keys(body).toSorted()).toEqual(["code", "error", "request_id"]);
}

describe.each(protectedOperations)("$method $template", ({ name, method, isForOperator }) => {
  const { path, body } = requestTo(name, unknownUser);
  const ask = async (call: Call, to = path) => await send(method, to, { body, ...call });
  const withQuery = (query: string) => `${path}${path.includes("?") ? "&" : "?"}${query}`;

  it("answers a request without credentials with a bare challenge", async () => {
    expectChallenge(await ask({}), 401, "missing_token", "Bearer");
  });

  it("answers an unknown token, a token of the wrong kind and a malformed token with invalid_token", async () => {
    const unknown = formatApiToken("test", tenant.id, new Uint8Array(20).fill(9));
    for (const token of [unknown, isForOperator ? tenant.token : env.OPERATOR_TOKEN, "x"]) {
      expectChallenge(await ask({ token }), 401, "invalid_token", 'Bearer error="invalid_token"');
    }
  });

  it("refuses a token in the query string, even beside a valid header", async () => {
    const good = isForOperator ? env.OPERATOR_TOKEN : tenant.token;
    for (const parameter of ["access_token", "api_key"]) {
      const bare = await ask({}, withQuery(`${parameter}=${good}`));
      expect([400, 401]).toContain(bare.status);
      const beside = await ask({ token: good }, withQuery(`${parameter}=${good}`));
      expect(beside.status).toBe(400);
      expect(beside.body.code).toBe("invalid_request");
      expect(JSON.stringify(beside.body)).not.toContain(good);
    }
  });

  if (isForOperator) return;

  it("names the required permission to all six tokens that lack it", async () => {
    const answers = await Promise.all([...narrow.values()].map((token) => ask({ token })));
    const refused = answers.filter(({ status }) => status === 403);
    expect(refused).toHaveLength(permissions.length - 1);
    const admitted = permissions[answers.findIndex(({ status }) => status !== 403)];
    for (const answer of refused) {
      expectChallenge(
        answer,
        403,
        "insufficient_scope",
        `Bearer error="insufficient_scope", scope="${admitted}"`,
      );
    }
  });
});
