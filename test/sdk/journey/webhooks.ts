/** What a tenant does with webhooks, and what their receivers do. */
import { expectEqual, expectError } from "./expect.ts";
import type { EdgeIdp, Sdk } from "./sdk.ts";

/** Nothing listens there. */
const url = "http://127.0.0.1:9/hooks";
const pollMs = 100;
const maxPolls = 200;

/** A message that `standardwebhooks` has signed. */
const secret = `whsec_${btoa("a secret of a webhook, 32 bytes!")}`;
const signedAt = new Date("2026-03-01T12:00:00Z");
const body = '{"type":"user.locked","timestamp":"2026-03-01T11:59:59.000Z","data":{}}';
const headers = {
  "webhook-id": "6908bffd1c2e4a5b9d7f0a31",
  "webhook-timestamp": "1772366400",
  "webhook-signature": "v1,zQGYbaRrjWz//PxodpNup6kbeG3ZiXxWFfwg+aLEYWY=",
};

async function waitForAttempt(idp: EdgeIdp, id: string): Promise<string> {
  for (let poll = 0; poll < maxPolls; poll += 1) {
    const [attempt] = await idp.webhooks.attempts(id);
    if (attempt !== undefined) return attempt.event_id;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  throw new Error("The webhook was not tried");
}

export async function useWebhooks(sdk: Sdk, idp: EdgeIdp): Promise<void> {
  const created = await idp.webhooks.create({ url, events: ["webhook.created"] });
  const { id } = created;
  expectEqual("secret", created.secret.startsWith("whsec_"), true);
  expectEqual("listed", (await idp.webhooks.list()).map((one) => one.id).includes(id), true);
  expectEqual("error", (await idp.webhooks.test(id)).status, null);
  const eventId = await waitForAttempt(idp, id);
  await idp.webhooks.replayEvent(id, eventId);
  const rotated = await idp.webhooks.rotateSecret(id, { overlap_seconds: 60 });
  expectEqual("rotated", rotated.secret === created.secret, false);
  const changed = await idp.webhooks.change(id, { events: ["user.*"], status: "disabled" });
  expectEqual("changed", [changed.status, changed.events], ["disabled", ["user.*"]]);
  expectEqual("cursor", (await idp.webhooks.replay(id, 0)).cursor, 0);
  expectEqual("gotten", (await idp.webhooks.get(id)).url, url);
  await idp.webhooks.remove(id);
  await expectError(sdk, "not_found", idp.webhooks.get(id));

  const message = await sdk.verifyWebhook(new Headers(headers), body, secret, signedAt);
  expectEqual("message", [message.id, message.type], [headers["webhook-id"], "user.locked"]);
  const altered = sdk.verifyWebhook(headers, `${body} `, secret, signedAt);
  expectEqual("altered", await altered.catch((error) => error.reason), "signature");
}
