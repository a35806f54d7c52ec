/** `@edge-idp/sdk/webhooks` against messages that the library of Standard Webhooks has signed, and against forged ones. */
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { verifyWebhook, WebhookError } from "../../packages/sdk/src/webhooks/index.ts";

const secret = `whsec_${btoa("a secret of a webhook, 32 bytes!")}`;
const otherSecret = `whsec_${btoa("another secret of a webhook, 33!!")}`;
const at = new Date("2026-03-01T12:00:00Z");
const id = "6908bffd1c2e4a5b9d7f0a31";
const message = {
  type: "user.locked",
  timestamp: "2026-03-01T11:59:59.000Z",
  data: { n: "é\u2028👤" },
};
const body = JSON.stringify(message);

function sign(text: string, { key = secret, time = at } = {}): Record<string, string> {
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(time.getTime() / 1000)),
    "webhook-signature": new Webhook(key).sign(id, time, text),
  };
}

async function reasonOf(verifying: Promise<unknown>): Promise<unknown> {
  return await verifying.then(
    () => "accepted",
    (error: unknown) => (error instanceof WebhookError ? error.reason : error),
  );
}

function secondsAfter(seconds: number): Date {
  return new Date(at.getTime() + seconds * 1000);
}

describe("verifyWebhook", () => {
  it("returns a message that one of its signatures fits, in any form of headers and body", async () => {
    const headers = sign(body);
    const both = `${sign(body, { key: otherSecret })["webhook-signature"]} v1a,AAAA ${headers["webhook-signature"]}`;
    const upper = Object.fromEntries(
      Object.entries(headers).map(([name, one]) => [name.toUpperCase(), one]),
    );
    const bytes = Uint8Array.from(new TextEncoder().encode(body));
    const padded = new Uint8Array([0, ...bytes, 0]).subarray(1, -1);
    for (const sent of [
      headers,
      upper,
      new Headers(headers),
      { ...headers, "webhook-signature": both },
    ]) {
      for (const received of [body, bytes, padded, bytes.slice().buffer]) {
        expect(await verifyWebhook(sent, received, secret, at)).toEqual({ id, ...message });
      }
    }
  });

  it("refuses what was altered, is of another secret, too old, from the future or malformed", async () => {
    const headers = sign(body);
    const verify = (changes: object, text = body, key = secret, now = at) =>
      reasonOf(verifyWebhook({ ...headers, ...changes }, text, key, now));
    expect(await verify({}, `${body} `)).toBe("signature");
    expect(await verify({ "webhook-id": id.replace("6", "7") })).toBe("signature");
    expect(await verify({}, body, otherSecret)).toBe("signature");
    for (const signature of [
      "v1,",
      "v1",
      "v2,AAAA",
      `v1 ${headers["webhook-signature"]?.slice(3)}`,
      "v1,é",
    ]) {
      expect([signature, await verify({ "webhook-signature": signature })]).toEqual([
        signature,
        "signature",
      ]);
    }
    expect(await verify({}, body, secret, secondsAfter(300))).toBe("accepted");
    expect(await verify({}, body, secret, secondsAfter(301))).toBe("time");
    expect(await verify({}, body, secret, secondsAfter(-301))).toBe("time");
    for (const name of Object.keys(headers)) {
      for (const value of [undefined, "", ["a", "b"]])
        expect(await verify({ [name]: value })).toBe("headers");
    }
    for (const time of ["-1", "1e9", "NaN", " 1772366400", "1772366400.5", "9".repeat(20)]) {
      expect(await verify({ "webhook-timestamp": time })).toBe("headers");
    }
    for (const text of ["[]", "null", "{}", "x", '{"type":1,"timestamp":"","data":{}}']) {
      expect(await reasonOf(verifyWebhook(sign(text), text, secret, at))).toBe("body");
    }
    // The time is signed as it was sent, so a signature of another time does not fit.
    const later = { "webhook-timestamp": String(at.getTime() / 1000 + 1) };
    expect(await verify(later)).toBe("signature");
  });

  it("throws a TypeError for what is no secret, whatever was received", async () => {
    for (const wrong of ["", "whsec_", "whsec_AAAA", "secret", secret.slice(6), "whsec_*"]) {
      await expect(verifyWebhook(sign(body), body, wrong, at)).rejects.toThrow(TypeError);
    }
  });
});
