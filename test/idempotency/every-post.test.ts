import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { apiRoutes } from "../../src/app.ts";
import { keepsAnswers } from "../../src/http/route.ts";
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { evict, guardOf, inspectGuard } from "../support/guard.ts";
import {
  createLoginBody,
  createRegistrationBody,
  givePasskey,
  logIn,
  setUpPasskeys,
} from "../support/passkeys.ts";
import { giveAttempt } from "../support/receiver.ts";
import { relocateFully } from "../support/relocation.ts";
import { type RequestTarget, requestTo } from "../support/requests.ts";
import { createStream } from "../support/stream-receiver.ts";

const definitions = apiRoutes.map(({ definition }) => definition);
const posts = definitions
  .filter(keepsAnswers)
  .map(({ name, access }) => ({ name, isOperators: access.kind === "operator" }));
const readingPosts = definitions
  .filter((definition) => definition.method === "post" && !keepsAnswers(definition))
  .map(({ name }) => ({ name }));

/** Another body for each operation, so that the request differs. */
const otherBodies: Record<string, object | undefined> = {
  provisionUser: { user: { external_id: "another" } },
  configureOtp: { otp: { issuer_name: "Acme", account_name: "another user" } },
  addAuthenticator: {
    authenticator: { issuer_name: "Acme", account_name: "alexander", digits: 8 },
  },
  verifyOtp: undefined,
  discover: undefined,
  createTenant: { tenant: { name: "Another", mode: "test" } },
  createToken: { token: { name: "another", permissions: ["idp:read"] } },
  createTenantToken: { token: { name: "another", permissions: ["idp:read"] } },
  rotateToken: { token: { overlap_seconds: 61 } },
  relocateTenant: { relocation: { shard: 2, limit: 100 } },
  rebuildStatistics: { rebuild: { restart: true, limit: 6 } },
  simulatePolicy: { simulation: { sentinel: { deny_at: 0.9 } } },
  createPasskeyRegistrationOptions: { passkey: { user_name: "another" } },
  createPasskeyAuthenticationOptions: { passkey: {} },
  reEncrypt: { re_encryption: { limit: 6 } },
  createWebhook: {
    webhook: { url: "https://hooks.example.com/other", events: ["tenant.deleted"] },
  },
  rotateWebhookSecret: { overlap_seconds: 61 },
  replayWebhook: { from: 1 },
  createStream: { stream: { type: "http", url: "https://siem.example.com/other" } },
  replayStream: { from: 1 },
};

const dayMs = 24 * 60 * 60 * 1000;
let keys = 0;

afterEach(() => {
  vi.useRealTimers();
});

/** Writes the same JSON in another spelling: its members in reverse order, with spaces. */
function respell(body: object | undefined): string | undefined {
  const reverseMembers = (value: unknown): unknown =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(
          Object.entries(value)
            .map(([name, member]) => [name, reverseMembers(member)])
            .toReversed(),
        )
      : value;
  return body === undefined ? undefined : JSON.stringify(reverseMembers(body), null, 2);
}

interface Scene {
  /** Unique for each scene, because all tests share the operator's keys. */
  readonly key: string;
  readonly user: User;
  readonly target: RequestTarget;
  /** The body of the operation, if it is valid once. */
  readonly body: object | undefined;
}

async function createScene(name = ""): Promise<Scene> {
  const tenant = await Tenant.create();
  const user = await User.provision(tenant);
  await setUpPasskeys(tenant);
  const body = await createOwnBody(name, user);
  await user.configure();
  const { assessment_id: assessmentId } = await user.assess();
  // The tests rotate this token, so that the tenant's own token stays valid.
  await tenant.tokenWith(["idp:read"]);
  const { tokens } = (await tenant.send("GET", "/v1/tokens")).body;
  const attempt = name.includes("Webhook") ? await giveAttempt(tenant) : undefined;
  const { webhookId = "", eventId = "" } = attempt ?? {};
  const stream = name.endsWith("Stream")
    ? await createStream(tenant, { url: "https://siem.example.com" })
    : undefined;
  const streamId = stream?.id ?? "";
  const target = {
    tenantId: tenant.id,
    externalId: user.externalId,
    id: user.id,
    tokenId: tokens[1].id,
    eventId,
    assessmentId,
    passkeyId: "",
    authenticatorId: "",
    deviceId: "",
    webhookId,
    streamId,
  };
  keys += 1;
  return { key: `key-${keys}`, user, target, body };
}

/** Bodies that are right for one user, and only once. @param user has no factor yet */
async function createOwnBody(name: string, user: User): Promise<object | undefined> {
  if (name === "verifyPasskey") {
    return await createLoginBody(user, (await givePasskey(user)).authenticator);
  }
  if (name !== "registerPasskey") return undefined;
  // The user has a factor when the body is sent, and was verified.
  const { authenticator } = await givePasskey(user);
  await logIn(user.tenant, authenticator, user);
  return await createRegistrationBody(user);
}

function bodyOf(name: string, { user, target, body }: Scene): object | undefined {
  // The default code is wrong. This one is right, so that a second use would fail.
  if (name === "verifyOtp") return { otp: { id: user.externalId, code: user.code(Date.now()) } };
  return body ?? requestTo(name, target).body;
}

function otherBodyOf(name: string, { user, target, body }: Scene): object {
  // Another answer than the one of the scene.
  if (body !== undefined) return requestTo(name, target).body ?? {};
  if (name === "verifyOtp") return { otp: { id: user.externalId, code: "000000" } };
  if (name === "judgeSession") {
    return { feedback: { assessment_id: target.assessmentId, outcome: "fraud" } };
  }
  if (name === "importUsers") return { users: [{ external_id: "another" }] };
  if (name === "importSessions") {
    const context = { ip: "9.9.9.9", ua: "other" };
    return { sessions: [{ external_id: "other", time: "2026-03-02T09:00:00Z", context }] };
  }
  if (name === "discover") {
    return { sentinel: { id: target.id, context: { ip: "9.9.9.9", ua: "other" } } };
  }
  return otherBodies[name] ?? {};
}

describe.each(posts)("$name with an Idempotency-Key", ({ name, isOperators }) => {
  function post(scene: Scene, key: string, body: object | string | undefined, path?: string) {
    return send("POST", path ?? requestTo(name, scene.target).path, {
      token: isOperators ? env.OPERATOR_TOKEN : scene.user.tenant.token,
      headers: { "Idempotency-Key": key },
      ...(body === undefined ? {} : { body }),
    });
  }

  async function countEvents({ user: { tenant } }: Scene): Promise<number> {
    // The guard of the user whom `importUsers` imports delivers its events first.
    await tenant.send("GET", "/v1/audit/events?externalUserId=imported");
    return (await tenant.send("GET", "/v1/audit/events?limit=100")).body.events.length;
  }

  it("is applied once and replayed with the same answer and request id", async () => {
    const scene = await createScene(name);
    const body = bodyOf(name, scene);
    const first = await post(scene, scene.key, body);
    expect(first.status).toBeLessThan(300);
    expect(first.headers.get("Idempotent-Replayed")).toBeNull();
    await guardOf(scene.user).deliver();
    const events = await countEvents(scene);
    const again = await post(scene, scene.key, body);
    expect({ status: again.status, body: again.body }).toEqual({
      status: first.status,
      body: first.body,
    });
    expect(again.headers.get("Idempotent-Replayed")).toBe("true");
    expect(again.headers.get("X-Request-Id")).toBe(first.headers.get("X-Request-Id"));
    await guardOf(scene.user).deliver();
    expect(await countEvents(scene)).toBe(events);
  });

  it("is the same request when its body is spelled differently", async () => {
    const scene = await createScene(name);
    const body = bodyOf(name, scene);
    const first = await post(scene, scene.key, body);
    const again = await post(scene, scene.key, respell(body));
    expect([again.status, again.body]).toEqual([first.status, first.body]);
    expect(again.headers.get("Idempotent-Replayed")).toBe("true");
  });

  it("is replayed after a relocation of the tenant and an eviction of the guard", async () => {
    const scene = await createScene(name);
    const body = bodyOf(name, scene);
    const first = await post(scene, scene.key, body);
    await relocateFully(scene.user.tenant, 1);
    await evict(scene.user);
    const again = await post(scene, scene.key, body);
    expect([again.status, again.body]).toEqual([first.status, first.body]);
    expect(again.headers.get("Idempotent-Replayed")).toBe("true");
  });

  it("is replayed for 24 hours, and not a second longer", async () => {
    const scene = await createScene(name);
    const body = bodyOf(name, scene);
    const before = Date.now();
    await post(scene, scene.key, body);
    const after = Date.now();
    const replayAt = async (now: number) => {
      vi.useFakeTimers({ toFake: ["Date"], now });
      const { status, headers } = await post(scene, scene.key, body);
      expect(status).toBeLessThan(500);
      return headers.get("Idempotent-Replayed");
    };
    expect(await replayAt(before + dayMs - 1_000)).toBe("true");
    expect(await replayAt(after + dayMs + 1_000)).toBeNull();
  });

  it("is applied once when it is sent many times at once", async () => {
    const scene = await createScene(name);
    const body = bodyOf(name, scene);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => post(scene, scene.key, body)),
    );
    const [done] = answers.filter(({ status }) => status < 300);
    expect(done).toBeDefined();
    for (const { status, body: answer } of answers) {
      if (status === done?.status) expect(answer).toEqual(done.body);
      else expect([status, answer.code]).toEqual([409, "idempotency_in_progress"]);
    }
    expect((await post(scene, scene.key, body)).body).toEqual(done?.body);
  });

  it("is refused for another request, which is not applied", async () => {
    const scene = await createScene(name);
    const body = bodyOf(name, scene);
    const first = await post(scene, scene.key, body);
    await guardOf(scene.user).deliver();
    const events = await countEvents(scene);
    const otherUser = `${requestTo(name, scene.target).path}&qr=svg`;
    const refused = ["unlockUser", "regenerateBackupCodes", "replayWebhookEvent"].includes(name)
      ? await post(
          scene,
          scene.key,
          body,
          requestTo(name, { ...scene.target, externalId: "b", eventId: "0".repeat(24) }).path,
        )
      : await post(scene, scene.key, otherBodyOf(name, scene));
    expect([refused.status, refused.body.code]).toEqual([422, "idempotency_mismatch"]);
    if (name === "configureOtp") {
      expect((await post(scene, scene.key, body, otherUser)).status).toBe(422);
    }
    await guardOf(scene.user).deliver();
    expect(await countEvents(scene)).toBe(events);
    expect((await post(scene, scene.key, body)).body).toEqual(first.body);
  });

  it("is a separate request with another key, in another operation or for another tenant", async () => {
    const scene = await createScene(name);
    const first = await post(scene, scene.key, bodyOf(name, scene));
    const other = await createScene(name);
    const elsewhere = await post(other, isOperators ? other.key : scene.key, bodyOf(name, other));
    expect(elsewhere.status).toBe(first.status);
    expect(elsewhere.headers.get("Idempotent-Replayed")).toBeNull();
    const { body } = requestTo("createToken", scene.target);
    const operation: Answer = await send("POST", "/v1/tokens", {
      token: scene.user.tenant.token,
      headers: { "Idempotency-Key": name === "createToken" ? other.key : scene.key },
      ...(body === undefined ? {} : { body }),
    });
    expect(operation.status).toBe(201);
  });
});

describe.each(readingPosts)("$name, which changes nothing, with an Idempotency-Key", ({ name }) => {
  it("stores nothing and runs each time, also with another body", async () => {
    // The user has a passkey and was verified.
    const scene = await createScene(
      ["testWebhook", "testStream"].includes(name) ? name : "registerPasskey",
    );
    const { path, body } = requestTo(name, scene.target);
    const { token } = scene.user.tenant;
    for (const sent of body === undefined ? [body, body] : [body, body, otherBodyOf(name, scene)]) {
      const headers = { "Idempotency-Key": scene.key };
      const answer = await send("POST", path, { token, headers, body: sent });
      expect([answer.status, answer.headers.get("Idempotent-Replayed")]).toEqual([200, null]);
    }
    const keys = env.DB.prepare("SELECT 1 FROM request_keys WHERE tenant_id = ?");
    expect((await keys.bind(scene.target.tenantId).all()).results).toEqual([]);
    expect((await inspectGuard(scene.user)).tables).not.toContain("answers");
  });
});

it("simulatePolicy with an Idempotency-Key shows what has changed since the first request", async () => {
  const scene = await createScene();
  const { path, body } = requestTo("simulatePolicy", scene.target);
  const post = () =>
    send("POST", path, {
      token: scene.user.tenant.token,
      headers: { "Idempotency-Key": scene.key },
      body,
    });
  await guardOf(scene.user).deliver();
  expect((await post()).body.simulation.replayed).toBe(1);
  await scene.user.assess();
  await guardOf(scene.user).deliver();
  expect((await post()).body.simulation.replayed).toBe(2);
});
