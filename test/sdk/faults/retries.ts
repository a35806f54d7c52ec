/** What the client tries again, and what it does not. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { EdgeIdp } from "@edge-idp/sdk";
import { errorOf, token } from "./error-of.ts";
import {
  answer,
  beginAnswer,
  cutConnection,
  FaultyServer,
  type Reaction,
  refuse,
  staySilent,
} from "./faulty-server.ts";

const provisioned = answer(201, { user: { id: "1", external_id: "anna", status: "active" } });
const profile = answer(200, { external_id: "anna", status: "active" });

let server: FaultyServer;
let idp: EdgeIdp;

before(async () => {
  server = await FaultyServer.start();
  idp = new EdgeIdp({ url: server.url, token });
});
after(() => server.close());

const temporary: Record<string, Reaction> = {
  "a 503": refuse(503, "unavailable"),
  "a 503 of a proxy": answer(503, "<h1>Service unavailable</h1>"),
  "a 502": answer(502, "Bad gateway"),
  "a 504": answer(504, ""),
  "a 429": refuse(429, "rate_limited", { headers: { "Retry-After": "0" } }),
  "a 409 in progress": refuse(409, "idempotency_in_progress"),
  "a cut connection": cutConnection,
  "a cut answer": beginAnswer('{"user":', "cut"),
};

for (const [name, reaction] of Object.entries(temporary)) {
  test(`a POST is repeated with its key after ${name}`, async () => {
    server.expect(reaction, reaction, provisioned);
    const user = await idp.users.provision("anna");
    assert.equal(user.status, "active");
    const [first, second, third, ...more] = server.received;
    assert.equal(more.length, 0);
    assert.match(String(first?.headers["idempotency-key"]), /^[0-9a-f-]{36}$/);
    for (const repeated of [second, third]) {
      assert.equal(repeated?.headers["idempotency-key"], first?.headers["idempotency-key"]);
      assert.equal(repeated?.body, first?.body);
      assert.equal(repeated?.headers.authorization, `Bearer ${token}`);
    }
  });
}

test("GET, PATCH and DELETE are repeated without a key", async () => {
  const calls = {
    GET: () => idp.users.get("anna"),
    PATCH: () => idp.users.suspend("anna"),
    DELETE: () => idp.users.erase("anna"),
  };
  for (const [method, call] of Object.entries(calls)) {
    server.expect(cutConnection, method === "DELETE" ? answer(204, "") : profile);
    await call();
    const methods = server.received.map((request) => request.method);
    assert.deepEqual(methods, [method, method]);
    assert.equal(server.received[1]?.headers["idempotency-key"], undefined);
  }
});

test("every call has a key of its own, unless it is given", async () => {
  server.expect(provisioned, provisioned, provisioned);
  await idp.users.provision("anna");
  await idp.users.provision("anna");
  await idp.users.provision("anna", { idempotencyKey: "of the caller" });
  const keys = server.received.map(({ headers }) => headers["idempotency-key"]);
  assert.equal(new Set(keys).size, 3);
  assert.equal(keys[2], "of the caller");
});

test("the last error is thrown when all tries have failed", async () => {
  server.expect(cutConnection, cutConnection, refuse(503, "unavailable"));
  const error = await errorOf(idp.users.get("anna", { maxRetries: 2 }));
  assert.equal(error.code, "unavailable");
  assert.equal(error.requestId, "0".repeat(24));
  assert.equal(server.received.length, 3);
});

test("a service that cannot be reached is an IdpError with a cause", async () => {
  server.expect(cutConnection, cutConnection);
  const error = await errorOf(idp.users.get("anna", { maxRetries: 1 }));
  assert.deepEqual([error.code, error.status], ["unreachable", 0]);
  assert.ok(error.cause instanceof Error);
  assert.equal(server.received.length, 2);
});

test("each try has its own time", async () => {
  server.expect(staySilent, beginAnswer('{"external_id":', "silence"), profile);
  await idp.users.get("anna", { timeoutMs: 500 });
  server.expect(staySilent, staySilent);
  const error = await errorOf(idp.users.get("anna", { timeoutMs: 500, maxRetries: 1 }));
  assert.deepEqual([error.code, error.status], ["timeout", 0]);
  assert.equal(server.received.length, 2);
});

test("a call may have all the time there is", async () => {
  for (const timeoutMs of [Number.POSITIVE_INFINITY, 2 ** 31]) {
    server.expect(profile);
    await idp.users.get("anna", { timeoutMs, maxRetries: 0 });
  }
});

test("a number of retries that is none means no retry", async () => {
  server.expect(refuse(503, "unavailable"));
  await errorOf(idp.users.get("anna", { maxRetries: Number.NaN }));
  assert.equal(server.received.length, 1);
});

const final: Record<string, Reaction> = {
  user_exists: refuse(409, "user_exists"),
  internal_error: refuse(500, "internal_error"),
  user_locked: refuse(423, "user_locked", { headers: { "Retry-After": "1" } }),
  invalid_code: refuse(422, "invalid_code", { attempts_remaining: 4 }),
  rate_limited: refuse(429, "rate_limited", { headers: { "Retry-After": "31" } }),
  unavailable: refuse(503, "unavailable", { retry_after_seconds: 900 }),
};

for (const [code, reaction] of Object.entries(final)) {
  test(`${code} is not tried again`, async () => {
    server.expect(reaction);
    const error = await errorOf(idp.users.provision("anna"));
    assert.equal(error.code, code);
    assert.equal(server.received.length, 1);
  });
}

test("the caller's signal ends a request, and the wait before a retry", async () => {
  for (const reaction of [staySilent, refuse(503, "unavailable", { retry_after_seconds: 30 })]) {
    server.expect(reaction);
    const controller = new AbortController();
    const call = idp.users.get("anna", { signal: controller.signal });
    await server.untilReceived(1);
    const reason = new Error("The user went away");
    controller.abort(reason);
    await assert.rejects(call, reason);
    await assert.rejects(idp.users.get("anna", { signal: controller.signal }), reason);
    assert.equal(server.received.length, 1);
  }
});
