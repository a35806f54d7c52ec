/** Input: text that looks like code, and values that are not valid text. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { send, Tenant, User } from "../support/client.ts";

let tenant: Tenant;
let user: User;

beforeAll(async () => {
  tenant = await Tenant.create();
  user = await User.withTotp(tenant);
});

const literal: [string, string][] = [
  ["an injection into SQL", "' OR 1=1--"],
  ["another injection into SQL", "x'; DROP TABLE identities;--"],
  ["an injection with double quotes", '" OR ""="'],
  ["wildcards of LIKE", "%_%"],
  ["255 emoji", "\u{1f600}".repeat(255)],
  ["a family of emoji", "\u{1f469}\u200d\u{1f469}\u200d\u{1f466}"],
  ["an encoded NUL", "a%00b"],
  ["characters of a query string", "a+b&externalUserId=c#d?e=f;g"],
  ["a path", "../../../etc/passwd"],
  ["markup", "<script>alert(1)</script>"],
  ["a template", "{{7*7}}<%=7*7%>"],
  ["a property of every object", "__proto__"],
  ["another property of every object", "constructor"],
  ["JSON", '{"$ne":null}'],
  ["the separator of a guard's name", "a:b"],
  ["text between spaces", "  a  "],
  ["a right-to-left override", "a\u202eb"],
  ["a number", "007"],
  ["a JSON literal", "null"],
];

describe("An external_id that is", () => {
  it.each(literal)("%s is stored unchanged and found only by itself", async (_, name) => {
    const own = await Tenant.create();
    await User.provision(own, "bystander");
    const missing = await own.send(
      "GET",
      `/v1/idp/user?externalUserId=${encodeURIComponent(name)}`,
    );
    expect(missing.status).toBe(404);
    const named = await User.withTotp(own, name);
    expect((await named.profile()).external_id).toBe(name);
    const verified = await named.verify(named.code(Date.now()));
    expect(verified.body).toMatchObject({ status: "success", id: name });
    const events = await named.events();
    expect(events.length).toBeGreaterThan(0);
    for (const { target } of events)
      expect(target).toMatchObject({ id: named.id, external_id: name });
    const { users } = (await own.send("GET", "/v1/idp/users")).body;
    const listed = users.map(({ external_id }: { external_id: string }) => external_id);
    expect(listed.toSorted()).toEqual(["bystander", name].toSorted());
    const again = await own.send("POST", "/v1/idp/users", { user: { external_id: name } });
    expect(again.body.code).toBe("user_exists");
    expect((await own.send("DELETE", named.path())).status).toBe(204);
    const left = (await own.send("GET", "/v1/idp/users")).body.users;
    expect(left).toMatchObject([{ external_id: "bystander" }]);
  });

  it.each([
    ["empty", ""],
    ["256 characters long", "a".repeat(256)],
    ["256 emoji long", "\u{1f600}".repeat(256)],
    ["text with a line feed", "a\nb"],
    ["text with a delete character", "a\u007fb"],
    ["text with a C1 control character", "a\u0085b"],
  ])("%s gets a 400", async (_, external_id) => {
    const { status, body } = await tenant.send("POST", "/v1/idp/users", { user: { external_id } });
    expect(status).toBe(400);
    expect(body.issues[0].path).toBe("user.external_id");
  });
});

type Field = [string, string, string, (value: string) => object];

const fields: Field[] = [
  ["user.external_id", "POST", "/v1/idp/users", (external_id) => ({ user: { external_id } })],
  [
    "otp.issuer_name",
    "POST",
    "/v1/idp/user/otp?externalUserId=x",
    (issuer_name) => ({ otp: { issuer_name, account_name: "a" } }),
  ],
  [
    "otp.account_name",
    "POST",
    "/v1/idp/user/otp?externalUserId=x",
    (account_name) => ({ otp: { issuer_name: "a", account_name } }),
  ],
  ["otp.id", "POST", "/v1/idp/otp/verify", (id) => ({ otp: { id, code: "123456" } })],
  ["otp.code", "POST", "/v1/idp/otp/verify", (code) => ({ otp: { id: "x", code } })],
  ["sentinel.id", "POST", "/v1/sentinel/discover", (id) => session(id, {})],
  ...["ip", "user_id"].map(
    (name): Field => [
      `sentinel.context.${name}`,
      "POST",
      "/v1/sentinel/discover",
      (value) => session(user.id, { [name]: value }),
    ],
  ),
  ["token.name", "POST", "/v1/tokens", (name) => ({ token: { name, permissions: ["idp:read"] } })],
  ["tenant.name", "POST", "/v1/tenants", (name) => ({ tenant: { name, mode: "test" } })],
];

function session(id: string, context: object): object {
  return { sentinel: { id, context: { ip: "1.1.1.1", ua: "x", ...context } } };
}

describe.each(fields)("A value of %s", (at, method, path, bodyWith) => {
  it("that contains a lone surrogate or a NUL gets a 400", async () => {
    const token = at.startsWith("tenant.") ? env.OPERATOR_TOKEN : tenant.token;
    for (const value of ["a\ud800b", "\udfff", "\udc00\ud800", "a\0b", "\0"]) {
      const answer = await send(method, path, { token, body: bodyWith(value) });
      expect(answer.status).toBe(400);
      expect(answer.body.issues[0].path).toBe(at);
    }
  });

  it("that is not a string gets a 400", async () => {
    const token = at.startsWith("tenant.") ? env.OPERATOR_TOKEN : tenant.token;
    const marked = JSON.stringify(bodyWith("marked"));
    for (const value of ["1", "true", "null", "[]", "{}", '["a"]', '{"toString":"a"}', "1e400"]) {
      const body = marked.replace('"marked"', value);
      const answer = await send(method, path, { token, body });
      // Only the user id of a session is optional, and null does not count as omitted.
      expect(answer.status).toBe(400);
      expect(answer.body.code).toBe("invalid_request");
      expect(answer.body.issues[0].path).toMatch(new RegExp(`^${at}`));
    }
  });
});
