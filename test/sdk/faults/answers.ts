/** Answers that are not the service's, or those of a later version, and the headers of requests. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { inspect } from "node:util";
import { EdgeIdp } from "@edge-idp/sdk";
import { errorOf, token } from "./error-of.ts";
import { answer, FaultyServer, refuse } from "./faulty-server.ts";

const html = { "Content-Type": "text/html" };
const assessed = {
  risk_score: 0.4,
  recommendation: "watch",
  assessment_id: "1".repeat(48),
  model: "sentinel-9",
  reasons: [],
  degraded: [],
  user: { status: "new_active" },
  factors: ["new_factor"],
  new_field: { list: [1, null] },
};

let server: FaultyServer;
let idp: EdgeIdp;

before(async () => {
  server = await FaultyServer.start();
  idp = new EdgeIdp({ url: `${server.url}/prefix/`, token, maxRetries: 0 });
});
after(() => server.close());

test("a page instead of the service is an unexpected answer", async () => {
  for (const reaction of [
    answer(200, "<html>Welcome</html>", html),
    answer(404, "<html>Not found</html>", html),
    answer(200, ""),
    answer(200, "null"),
    answer(200, "[]"),
    answer(500, "[]"),
  ]) {
    server.expect(reaction);
    const error = await errorOf(idp.users.get("anna"));
    assert.equal(error.code, "unexpected_answer");
  }
});

test("a success that says nothing about the code accepts no code", async () => {
  server.expect(answer(200, {}), answer(200, { status: "ok" }));
  assert.equal((await errorOf(idp.otp.verify("anna", "000000"))).code, "unexpected_answer");
  assert.equal((await errorOf(idp.otp.verify("anna", "000000"))).code, "unexpected_answer");
});

test("a success of another user accepts nobody, and the error shows no token of it", async () => {
  const success = { status: "success", id: "bert", token };
  server.expect(
    answer(200, { ...success, method: "totp" }),
    answer(200, { ...success, method: "passkey", user_verified: true }),
  );
  const credential = {
    id: "AA",
    rawId: "AA",
    type: "public-key" as const,
    clientExtensionResults: {},
    response: { clientDataJSON: "AA", authenticatorData: "AA", signature: "AA" },
  };
  const ofCode = await errorOf(idp.otp.verify("anna", "000000"));
  const ofPasskey = await errorOf(idp.passkeys.verify({ id: "anna", challenge: "AA", credential }));
  assert.deepEqual([ofCode.code, ofPasskey.code], ["unexpected_answer", "unexpected_answer"]);
});

test("an error shows nothing of a success that cannot be read", async () => {
  server.expect(answer(200, token));
  await errorOf(idp.tokens.create({ name: "backend", permissions: ["idp:write"] }));
});

test("a redirection is not followed, because the token belongs to one service", async () => {
  server.expect(answer(302, "", { Location: "http://127.0.0.1:9/elsewhere" }));
  const error = await errorOf(idp.users.provision("anna"));
  assert.deepEqual([error.code, error.status], ["unexpected_answer", 302]);
});

test("fields, codes, statuses and values of a later version are read", async () => {
  server.expect(refuse(418, "new_code", { new_field: [1] }));
  const error = await errorOf(idp.users.get("anna"));
  assert.deepEqual([error.code, error.status], ["new_code", 418]);
  assert.equal(error.message, "The sentence of new_code.");
  assert.deepEqual(error.fields.new_field, [1]);

  const listed = { users: [{ id: "1", status: "new_status" }], has_more: false, next_after: null };
  server.expect(answer(200, { ...listed, new_field: 1 }));
  const { items } = await idp.users.list().page();
  assert.equal(items[0]?.status, "new_status");
});

test("a recommendation of a later version never lets a session pass", async () => {
  const context = { ip: "1.1.1.1", ua: "" };
  server.expect(answer(200, assessed));
  const passed = await idp.sentinel.assess("anna", context);
  assert.deepEqual([passed.recommendation, passed.factors], ["challenge", ["new_factor"]]);
});

test("a 403 with an assessment is a denial, whatever its code and its recommendation", async () => {
  const context = { ip: "1.1.1.1", ua: "" };
  for (const code of ["high_risk", "user_suspended", "new_code"]) {
    for (const recommendation of ["deny", "watch", "allow"]) {
      server.expect(refuse(403, code, { ...assessed, recommendation }));
      const denied = await idp.sentinel.assess("anna", context);
      assert.deepEqual([denied.recommendation, denied.risk_score], ["deny", 0.4]);
    }
  }
});

test("a 403 that assesses nothing is an error", async () => {
  const context = { ip: "1.1.1.1", ua: "" };
  for (const code of ["insufficient_scope", "high_risk", "user_suspended"]) {
    server.expect(refuse(403, code));
    assert.equal((await errorOf(idp.sentinel.assess("anna", context))).code, code);
  }
});

test("a list whose cursor does not advance ends with an error", async () => {
  const page = (next_after: string | null) =>
    answer(200, { users: [{ id: "1" }], has_more: true, next_after });
  const countUsers = async () => {
    let count = 0;
    for await (const _ of idp.users.list()) count += 1;
    return count;
  };
  server.expect(page("1"), page("1"), page("1"));
  assert.equal((await errorOf(countUsers())).code, "unexpected_answer");
  assert.equal(server.received.length, 2);
  server.expect(page(null));
  assert.equal((await errorOf(countUsers())).code, "unexpected_answer");
});

test("writes carry the person, and a request the test clock", async () => {
  const profile = answer(200, { external_id: "anna" });
  const admin = idp.actingFor("ORG_ADMIN_17");
  server.expect(profile, profile, profile);
  await admin.users.get("anna", { testClock: new Date(0) });
  await admin.users.unlock("anna", { testClock: "2026-01-01T00:00:00Z" });
  await admin.users.suspend("anna", { actingFor: "ORG_ADMIN_18" });
  const headers = server.received.map((request) => request.headers);
  const people = headers.map((header) => header["acting-for"]);
  assert.deepEqual(people, [undefined, "ORG_ADMIN_17", "ORG_ADMIN_18"]);
  const clocks = headers.map((header) => header["test-clock"]);
  assert.deepEqual(clocks, ["1970-01-01T00:00:00.000Z", "2026-01-01T00:00:00Z", undefined]);
  assert.equal(server.received[1]?.body, "");
  assert.equal(server.received[1]?.headers["content-type"], undefined);
});

test("a path before /v1 is kept, and ids are encoded", async () => {
  server.expect(answer(200, {}), answer(204, ""));
  await idp.users.get("a/b ä+?&#");
  await idp.tokens.revoke("a/b");
  assert.deepEqual(
    server.received.map(({ path }) => path),
    ["/prefix/v1/idp/user?externalUserId=a%2Fb%20%C3%A4%2B%3F%26%23", "/prefix/v1/tokens/a%2Fb"],
  );
});

test("the client neither starts with bad options nor shows its token", () => {
  const url = "https://idp.example.com";
  for (const bad of [
    "",
    "idp.example.com",
    "ftp://idp.example.com",
    `${url}?a=1`,
    "https://a:b@idp.example.com",
    "https://[1",
  ]) {
    assert.throws(() => new EdgeIdp({ url: bad, token: "x" }), TypeError);
  }
  for (const bad of ["", "idp_test_secret\n", "idp_test_sécret"]) {
    assert.throws(
      () => new EdgeIdp({ url, token: bad }),
      (error) => error instanceof TypeError && !(bad !== "" && inspect(error).includes(bad)),
    );
  }
  assert.ok(!inspect(idp, { depth: 9, showHidden: true }).includes(token));
  assert.ok(!JSON.stringify(idp).includes(token));
});
