/** Webhooks over the API, and what their followers send. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Tenant, User } from "../support/client.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import {
  connect,
  createReceiver,
  createWebhook,
  disconnect,
  passTime,
  readJson,
  runFollower,
  stopClock,
  verifyMessage,
} from "../support/receiver.ts";

beforeEach(stopClock);
afterEach(() => {
  vi.useRealTimers();
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
      ...{ status: "enabled", cursor: 4, delivered: 1, failed: 0, waiting: 0, given_up: 0 },
      behind: { events: 0, seconds: 0 },
    });
    expect(readJson(receiver.received[0] ?? expect.fail()).type).toBe("user.provisioned");
  });
});
