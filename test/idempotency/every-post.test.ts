import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { apiRoutes } from "../../src/app.ts";
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { evict, guardOf } from "../support/guard.ts";
import { relocateFully } from "../support/relocation.ts";
import { type RequestTarget, requestTo } from "../support/requests.ts";

const posts = apiRoutes
  .map(({ definition }) => definition)
  .filter(({ method }) => method === "post")
  .map(({ name, access }) => ({ name, isOperators: access.kind === "operator" }));

/** The same operation asked for something else. */
const others: Record<string, object | undefined> = {
  provisionUser: { user: { external_id: "another" } },
  configureOtp: { otp: { issuer_name: "Acme", account_name: "somebody else" } },
  verifyOtp: undefined,
  discover: undefined,
  createTenant: { tenant: { name: "Another", mode: "test" } },
  createToken: { token: { name: "another", permissions: ["idp:read"] } },
  rotateToken: { token: { overlap_seconds: 61 } },
  relocateTenant: { relocation: { shard: 2, limit: 100 } },
  reEncrypt: { re_encryption: { limit: 6 } },
  simulatePolicy: { simulation: { sentinel: { deny_at: 0.9 } } },
};

const dayMs = 24 * 60 * 60 * 1000;
let keys = 0;

afterEach(() => {
  vi.useRealTimers();
});

/** The same JSON in another spelling: members the other way round, and spaces between. */
function respelled(body: object | undefined): string | undefined {
  const turned = (value: unknown): unknown =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(
          Object.entries(value)
            .map(([name, member]) => [name, turned(member)])
            .toReversed(),
        )
      : value;
  return body === undefined ? undefined : JSON.stringify(turned(body), null, 2);
}

interface Scene {
  /** New for each scene: what the operator does is shared by all tests. */
  readonly key: string;
  readonly user: User;
  readonly about: RequestTarget;
}

async function newScene(): Promise<Scene> {
  const tenant = await Tenant.create();
  const user = await User.withTotp(tenant);
  const { assessment_id: assessmentId } = await user.assess();
  // One to be replaced; the other goes on for as long as somebody asks with it.
  await tenant.tokenWith(["idp:read"]);
  const { tokens } = (await tenant.send("GET", "/v1/tokens")).body;
  const about = {
    tenantId: tenant.id,
    externalId: user.externalId,
    id: user.id,
    tokenId: tokens[1].id,
    eventId: "",
    assessmentId,
  };
  keys += 1;
  return { key: `key-${keys}`, user, about };
}

function bodyOf(name: string, { user, about }: Scene): object | undefined {
  // The suite's code is a wrong one; here it is right, so that a second use would show.
  if (name === "verifyOtp") return { otp: { id: user.externalId, code: user.code(Date.now()) } };
  return requestTo(name, about).body;
}

function otherBodyOf(name: string, { user, about }: Scene): object {
  if (name === "verifyOtp") return { otp: { id: user.externalId, code: "000000" } };
  if (name === "judgeSession") {
    return { feedback: { assessment_id: about.assessmentId, outcome: "fraud" } };
  }
  if (name === "discover") {
    return { sentinel: { id: about.id, context: { ip: "9.9.9.9", ua: "other" } } };
  }
  return others[name] ?? {};
}

describe.each(posts)("$name with an Idempotency-Key", ({ name, isOperators }) => {
  function post(scene: Scene, key: string, body: object | string | undefined, path?: string) {
    return send("POST", path ?? requestTo(name, scene.about).path, {
      token: isOperators ? env.OPERATOR_TOKEN : scene.user.tenant.token,
      headers: { "Idempotency-Key": key },
      ...(body === undefined ? {} : { body }),
    });
  }

  async function eventsOf({ user: { tenant } }: Scene): Promise<number> {
    return (await tenant.send("GET", "/v1/audit/events?limit=100")).body.events.length;
  }

  it("is carried out once and answered alike, request id and all", async () => {
    const scene = await newScene();
    const body = bodyOf(name, scene);
    const first = await post(scene, scene.key, body);
    expect(first.status).toBeLessThan(300);
    expect(first.headers.get("Idempotent-Replayed")).toBeNull();
    await guardOf(scene.user).deliver();
    const events = await eventsOf(scene);
    const again = await post(scene, scene.key, body);
    expect({ status: again.status, body: again.body }).toEqual({
      status: first.status,
      body: first.body,
    });
    expect(again.headers.get("Idempotent-Replayed")).toBe("true");
    expect(again.headers.get("X-Request-Id")).toBe(first.headers.get("X-Request-Id"));
    await guardOf(scene.user).deliver();
    expect(await eventsOf(scene)).toBe(events);
  });

  it("is the same request however its body is spelled", async () => {
    const scene = await newScene();
    const body = bodyOf(name, scene);
    const first = await post(scene, scene.key, body);
    const again = await post(scene, scene.key, respelled(body));
    expect([again.status, again.body]).toEqual([first.status, first.body]);
    expect(again.headers.get("Idempotent-Replayed")).toBe("true");
  });

  it("is answered alike when its tenant has moved, and its guard is another instance", async () => {
    const scene = await newScene();
    const body = bodyOf(name, scene);
    const first = await post(scene, scene.key, body);
    await relocateFully(scene.user.tenant, 1);
    await evict(scene.user);
    const again = await post(scene, scene.key, body);
    expect([again.status, again.body]).toEqual([first.status, first.body]);
    expect(again.headers.get("Idempotent-Replayed")).toBe("true");
  });

  it("is known for 24 hours, and not a second longer", async () => {
    const scene = await newScene();
    const body = bodyOf(name, scene);
    const before = Date.now();
    await post(scene, scene.key, body);
    const after = Date.now();
    const replayedAt = async (now: number) => {
      vi.useFakeTimers({ toFake: ["Date"], now });
      const { status, headers } = await post(scene, scene.key, body);
      expect(status).toBeLessThan(500);
      return headers.get("Idempotent-Replayed");
    };
    expect(await replayedAt(before + dayMs - 1_000)).toBe("true");
    expect(await replayedAt(after + dayMs + 1_000)).toBeNull();
  });

  it("sent many times at once is carried out once", async () => {
    const scene = await newScene();
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

  it("is refused with another request, and that one is not carried out", async () => {
    const scene = await newScene();
    const body = bodyOf(name, scene);
    const first = await post(scene, scene.key, body);
    await guardOf(scene.user).deliver();
    const events = await eventsOf(scene);
    const otherUser = `${requestTo(name, scene.about).path}&qr=svg`;
    const refused =
      name === "unlockUser" || name === "regenerateBackupCodes"
        ? await post(
            scene,
            scene.key,
            body,
            requestTo(name, { ...scene.about, externalId: "b" }).path,
          )
        : await post(scene, scene.key, otherBodyOf(name, scene));
    expect([refused.status, refused.body.code]).toEqual([422, "idempotency_mismatch"]);
    if (name === "configureOtp") {
      expect((await post(scene, scene.key, body, otherUser)).status).toBe(422);
    }
    await guardOf(scene.user).deliver();
    expect(await eventsOf(scene)).toBe(events);
    expect((await post(scene, scene.key, body)).body).toEqual(first.body);
  });

  it("is a request of its own with another key, in another operation and for another tenant", async () => {
    const scene = await newScene();
    const first = await post(scene, scene.key, bodyOf(name, scene));
    const other = await newScene();
    const elsewhere = await post(other, isOperators ? other.key : scene.key, bodyOf(name, other));
    expect(elsewhere.status).toBe(first.status);
    expect(elsewhere.headers.get("Idempotent-Replayed")).toBeNull();
    const { body } = requestTo("createToken", scene.about);
    const operation: Answer = await send("POST", "/v1/tokens", {
      token: scene.user.tenant.token,
      headers: { "Idempotency-Key": name === "createToken" ? other.key : scene.key },
      ...(body === undefined ? {} : { body }),
    });
    expect(operation.status).toBe(201);
  });
});
