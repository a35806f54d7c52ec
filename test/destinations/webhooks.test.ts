/** Webhooks over the API, and what their followers send. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Tenant, User } from "../support/client.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { fireAlarm } from "../support/guard.ts";
import { deliverMessages, holdMessages, provideQueue } from "../support/queue.ts";
import {
  connect,
  createReceiver,
  createWebhook,
  disconnect,
  followerOf,
  listAttempts,
  passTime,
  readFollowerAlarm,
  readJson,
  runFollower,
  stopClock,
  verifyMessage,
} from "../support/receiver.ts";
import { fireLogAlarm } from "../support/refusal-log.ts";
import { copyStores } from "../support/stores.ts";
import { deleteFully, suspendSince } from "../support/tenant-deletion.ts";
import { rowsOf, sql } from "../support/trail.ts";

beforeEach(stopClock);
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  disconnect();
});

describe("A webhook", () => {
  it("receives the events that are filed after its creation, signed, as the trail shows them", async () => {
    const tenant = await Tenant.create();
    const receiver = createReceiver();
    connect(receiver);
    const { id, secret } = await createWebhook(tenant, receiver, ["user.*", "otp.verified"]);
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const user = await User.withTotp(tenant);
    await user.verify(user.code(Date.now()));
    await drainOutbox(user);
    await runFollower(tenant, id);
    expect(receiver.types).toEqual(["user.provisioned", "otp.verified"]);
    const { body } = await tenant.send("GET", "/v1/audit/events?limit=100");
    for (const message of receiver.received) {
      const sent = verifyMessage(secret, message);
      const event = body.events.find(
        (one: { id: string }) => one.id === message.headers["webhook-id"],
      );
      expect(sent).toEqual({ type: event.action, timestamp: event.at, data: event });
      expect(message.headers["content-type"]).toBe("application/json");
    }
  });

  it("shows how far it is, and what it has delivered", async () => {
    const tenant = await Tenant.create();
    const receiver = createReceiver();
    connect(receiver);
    const { id } = await createWebhook(tenant, receiver, ["user.provisioned"]);
    await User.provision(tenant);
    passTime(7_000);
    const before = await tenant.send("GET", `/v1/webhooks/${id}`);
    expect(before.body.webhook).toMatchObject({ status: "enabled", cursor: 2, delivered: 0 });
    expect(before.body.webhook.behind.events).toBe(2);
    await runFollower(tenant, id);
    const after = await tenant.send("GET", `/v1/webhooks/${id}`);
    expect(after.body.webhook).toMatchObject({
      status: "enabled",
      cursor: 4,
      delivered: 1,
      failed: 0,
      waiting: 0,
      given_up: 0,
      behind: { events: 0, seconds: 0 },
    });
    expect(readJson(receiver.received[0] ?? expect.fail()).type).toBe("user.provisioned");
  });
});

describe("The address of a webhook", () => {
  const refused = [
    ...[
      "http://hooks.example.com/",
      "ftp://hooks.example.com/",
      "https://user:pw@hooks.example.com/",
    ],
    ...["https://127.0.0.1/", "https://2130706433/", "https://0x7f.1/", "https://0177.0.0.1/"],
    ...[
      "https://[::1]/",
      "https://[::ffff:10.0.0.1]/",
      "https://10.0.0.1/",
      "https://169.254.169.254/",
    ],
    ...[
      "https://localhost/",
      "https://localhost./",
      "https://LOCALHOST:8443/",
      "https://a.localhost/",
    ],
    ...[
      "https://intranet/",
      "https://db.internal/",
      "https://printer.local/",
      "https://x.home.arpa/",
    ],
    ...[
      "https://router.lan/",
      "https://x.test/",
      "https://x.onion/",
      "https://hooks.example.com./",
    ],
    ...["https://hooks.example.com:22/", "https://hooks.example.com:8080/", "https://1.2.3.4.5/"],
    ...[
      "https://１２７.0.0.1/",
      "https://127。0。0。1/",
      "https://hooks.example.com/#x",
      "https:///x",
    ],
    ...[
      "https://hooks.example.com\\@127.0.0.1/",
      " https://hooks.example.com/",
      "//hooks.example.com",
    ],
    ...["https://hooks.example.com/ x", "https://%31%32%37.0.0.1/", "https://a..example.com/"],
    ...[
      "https://x.1/",
      `https://${"a".repeat(64)}.com/`,
      `https://hooks.example.com/${"a".repeat(2048)}`,
    ],
    ...["javascript:alert(1)", "data:text/plain,x", "file:///etc/passwd", ""],
  ];

  it("of a live tenant is a public name with TLS, in no spelling of an address or of a private name", async () => {
    const tenant = await Tenant.create("live");
    const accepted: string[] = [];
    for (const url of refused) {
      const call = { webhook: { url, events: ["*"] } };
      const { status, body } = await tenant.send("POST", "/v1/webhooks", call);
      if (status !== 400) accepted.push(url);
      else expect(body.issues[0].path).toBe("webhook.url");
    }
    expect(accepted).toEqual([]);
    expect((await tenant.send("GET", "/v1/webhooks")).body.webhooks).toEqual([]);
    for (const url of ["https://hooks.example.com:8443/a?b=c", "https://bücher.example.com/"]) {
      const { id } = await createWebhook(tenant, { url });
      const patch = { webhook: { url: "https://10.1.2.3/" } };
      expect((await tenant.send("PATCH", `/v1/webhooks/${id}`, patch)).status).toBe(400);
    }
  });

  it("of a test tenant may be this machine, and no other private one", async () => {
    const tenant = await Tenant.create("test");
    for (const url of ["http://localhost:8790/", "http://127.0.0.1:1/", "http://[::1]:80/x"]) {
      await createWebhook(tenant, { url });
    }
    for (const url of [
      "http://10.0.0.1/",
      "http://127.0.0.2/",
      "http://hooks.example.com:25/",
      "http://db.internal/",
      "http://[::2]/",
    ]) {
      const call = { webhook: { url, events: ["*"] } };
      expect([url, (await tenant.send("POST", "/v1/webhooks", call)).status]).toEqual([url, 400]);
    }
  });

  it("is reached over the public network, also if it is in the zone of the service", () => {
    // Without it, the platform sends requests for names in the Worker's own zone to the origin behind it, past its rules.
    expect(Cloudflare.compatibilityFlags).toMatchObject({ global_fetch_strictly_public: true });
  });

  it("is checked again before each request, whatever the database says", async () => {
    const tenant = await Tenant.create("live");
    const receiver = createReceiver();
    connect(receiver);
    const { id } = await createWebhook(tenant, receiver, ["webhook.created"]);
    const stored = JSON.stringify({ url: "https://127.0.0.1/", events: ["*"], description: null });
    await sql("UPDATE destinations SET configuration = ? WHERE id = ?", stored, id);
    await runFollower(tenant, id);
    expect((await listAttempts(tenant, id))[0]).toMatchObject({ status: null, error: "target" });
    expect(receiver.received).toEqual([]);
  });
});

describe("A secret", () => {
  it("that was rotated signs beside the new one until the overlap ends", async () => {
    const tenant = await Tenant.create();
    const receiver = createReceiver();
    connect(receiver);
    const { id, secret } = await createWebhook(tenant, receiver, ["settings.changed"]);
    const rotation = { overlap_seconds: 60 };
    const { body } = await tenant.send("POST", `/v1/webhooks/${id}/rotate`, rotation);
    const newer = body.webhook.secret;
    expect(newer).not.toBe(secret);
    await tenant.setSettings({ otp: { enrolment: "confirm" } });
    await runFollower(tenant, id);
    const [during] = receiver.received;
    for (const one of [secret, newer]) verifyMessage(one, during ?? expect.fail());
    passTime(60_000);
    await tenant.setSettings({ otp: { enrolment: "immediate" } });
    await runFollower(tenant, id);
    const after = receiver.received[1] ?? expect.fail();
    verifyMessage(newer, after);
    expect(() => verifyMessage(secret, after)).toThrow();
    expect(after.headers["webhook-signature"]).toMatch(/^v1,\S+$/);
  });

  it("is in no list, in no other answer and in no store in clear", async () => {
    const tenant = await Tenant.create();
    const { id, secret } = await createWebhook(tenant, createReceiver());
    const answers = [
      await tenant.send("GET", "/v1/webhooks"),
      await tenant.send("GET", `/v1/webhooks/${id}`),
      await tenant.send("PATCH", `/v1/webhooks/${id}`, { webhook: { description: "x" } }),
      await tenant.send("GET", "/v1/audit/events"),
    ];
    const stores = Object.values(await copyStores()).flat();
    const plain = secret.slice("whsec_".length);
    expect(JSON.stringify([answers, stores])).not.toContain(plain);
  });
});

describe("A test message", () => {
  it("is signed, and is no event", async () => {
    const tenant = await Tenant.create();
    const receiver = createReceiver();
    connect(receiver);
    const { id, secret } = await createWebhook(tenant, receiver, ["tenant.deleted"]);
    const { body } = await tenant.send("POST", `/v1/webhooks/${id}/test`);
    expect(body.attempt).toMatchObject({ status: 204, error: null });
    const message = receiver.received[0] ?? expect.fail();
    expect(verifyMessage(secret, message)).toMatchObject({
      type: "webhook.test",
      data: { webhook_id: id },
    });
    expect(await listAttempts(tenant, id)).toEqual([]);
    receiver.answer = () => new Response("a secret of the receiver", { status: 418 });
    const failed = await tenant.send("POST", `/v1/webhooks/${id}/test`);
    expect(failed.body.attempt).toMatchObject({ status: 418, error: "status" });
    expect(JSON.stringify(failed.body)).not.toContain("secret of the receiver");
  });
});

describe("Followers are woken", () => {
  /** A tenant whose follower is asleep. */
  async function createSleeping(events: readonly string[]) {
    const tenant = await Tenant.create();
    const receiver = createReceiver();
    connect(receiver);
    const { id } = await createWebhook(tenant, receiver, events);
    await runFollower(tenant, id);
    // The isolate does not call a follower that looks soon anyway.
    passTime(1_000);
    const user = await User.withTotp(tenant);
    passTime(1_000);
    await runFollower(tenant, id);
    passTime(1_000);
    const isWoken = async () => {
      await vi.waitFor(async () => {
        const alarm = (await readFollowerAlarm(tenant, id)) ?? Number.POSITIVE_INFINITY;
        expect(alarm - Date.now()).toBeLessThanOrEqual(500);
      }, 20_000);
      await runFollower(tenant, id);
      return receiver.types.at(-1);
    };
    return { tenant, user, isWoken };
  }

  it("once a guard's delivery was filed", async () => {
    const { user, isWoken } = await createSleeping(["otp.verified"]);
    await user.verify(user.code(Date.now()));
    await drainOutbox(user);
    expect(await isWoken()).toBe("otp.verified");
  });

  it("after a change of tokens or settings", async () => {
    const { tenant, isWoken } = await createSleeping(["settings.changed"]);
    await tenant.setSettings({ otp: { enrolment: "confirm" } });
    expect(await isWoken()).toBe("settings.changed");
  });

  it("once refused requests were filed", async () => {
    const { tenant, isWoken } = await createSleeping(["request.refused"]);
    expect((await tenant.send("GET", "/v1/webhooks/unknown")).status).toBe(404);
    await fireLogAlarm(tenant.id);
    expect(await isWoken()).toBe("request.refused");
  });

  it("once the queue's consumer has filed a delivery", async () => {
    const removeQueue = await provideQueue();
    try {
      const { user, isWoken } = await createSleeping(["otp.verified"]);
      const held = holdMessages();
      await user.verify(user.code(Date.now()));
      await fireAlarm(user);
      expect(await deliverMessages(held)).toBe(0);
      expect(await isWoken()).toBe("otp.verified");
    } finally {
      removeQueue();
    }
  });
});

it("A tenant that is deleted has no destination any more, and its followers remember nothing but that", async () => {
  const tenant = await Tenant.create();
  const receiver = createReceiver();
  connect(receiver);
  const { id } = await createWebhook(tenant, receiver, ["webhook.created"]);
  await runFollower(tenant, id);
  await suspendSince(tenant, 60_000);
  await deleteFully(tenant);
  expect(await rowsOf("destinations", tenant.id)).toEqual([]);
  expect(await followerOf(tenant, id).report()).toEqual({
    state: null,
    waiting: 0,
    hasEnded: true,
  });
  expect(await readFollowerAlarm(tenant, id)).toBeNull();
});
