/** Tokens: the challenges of RFC 6750, and tokens in the address, on every route there is. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { formatApiToken } from "../../src/tenancy/api-token.ts";
import { permissions } from "../../src/tenancy/permission.ts";
import { type Answer, type Call, send, Tenant } from "../support/client.ts";
import { requestTo, unknownUser } from "../support/requests.ts";
import { guarded } from "./operations.ts";

let tenant: Tenant;
/** One token for each permission, which lacks all others. */
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

describe.each(guarded)("$method $template", ({ name, method, isOperators }) => {
  const { path, body } = requestTo(name, unknownUser);
  const ask = async (call: Call, to = path) => await send(method, to, { body, ...call });
  const withQuery = (query: string) => `${path}${path.includes("?") ? "&" : "?"}${query}`;

  it("has a bare challenge for who sends no credentials", async () => {
    expectChallenge(await ask({}), 401, "missing_token", "Bearer");
  });

  it("says invalid_token of an unknown, a foreign kind of, and a malformed one", async () => {
    const unknown = formatApiToken("test", tenant.id, new Uint8Array(20).fill(9));
    for (const token of [unknown, isOperators ? tenant.token : env.OPERATOR_TOKEN, "x"]) {
      expectChallenge(await ask({ token }), 401, "invalid_token", 'Bearer error="invalid_token"');
    }
  });

  it("takes none from the address, not even beside a good one", async () => {
    const good = isOperators ? env.OPERATOR_TOKEN : tenant.token;
    for (const parameter of ["access_token", "api_key"]) {
      const bare = await ask({}, withQuery(`${parameter}=${good}`));
      expect([400, 401]).toContain(bare.status);
      const beside = await ask({ token: good }, withQuery(`${parameter}=${good}`));
      expect(beside.status).toBe(400);
      expect(beside.body.code).toBe("invalid_request");
      expect(JSON.stringify(beside.body)).not.toContain(good);
    }
  });

  if (isOperators) return;

  it("names the one permission it needs to all six tokens that lack it", async () => {
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
