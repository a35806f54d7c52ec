/** Bodies that are slow, endless or compressed. The service neither waits for them nor holds them for long. */
import { exports } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { Tenant } from "../support/client.ts";
import { withSilentSender } from "../support/deadlines.ts";

let tenant: Tenant;

beforeAll(async () => {
  tenant = await Tenant.create();
});

/** A body of these pieces that never ends. */
function createEndlessBody(pieces: readonly string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
    },
  });
}

async function answerTo(
  body: ReadableStream<Uint8Array> | Uint8Array,
  { token = tenant.token, path = "/v1/idp/users", headers = {} } = {},
) {
  const response = await exports.default.fetch(
    new Request(`https://idp.test${path}`, {
      method: "POST",
      body,
      headers: {
        Authorization: `Bearer ${token}`,
        "Content-Type": "application/json",
        ...headers,
      },
    }),
  );
  return { status: response.status, text: await response.text() };
}

describe("A body that does not end", () => {
  const user = '{"user":{"external_id":"slowly"}}';

  it("is refused after 5 s, and the request has no effect", async () => {
    const { status, text } = await withSilentSender(() => answerTo(createEndlessBody([user])));
    expect(status).toBe(400);
    expect(text).toContain("did not arrive within 5 s");
    const { body } = await tenant.send("GET", "/v1/idp/users");
    expect(body.users).toEqual([]);
  });

  it("is refused as soon as it is too large", async () => {
    const { status } = await answerTo(
      createEndlessBody(Array.from({ length: 20 }, () => " ".repeat(1024))),
    );
    expect(status).toBe(413);
  });

  it("is also refused by a route without a body, and for an unknown token", async () => {
    const [unlocked, unknown] = await withSilentSender(() =>
      Promise.all([
        answerTo(createEndlessBody(["{"]), {
          path: "/v1/idp/user/unlock?externalUserId=unknown-user",
        }),
        answerTo(createEndlessBody([user]), { token: "no token" }),
      ]),
    );
    expect([unlocked.status, unknown.status]).toEqual([400, 401]);
  });
});

it("A compressed body is not decompressed", async () => {
  const zeros = new Blob([new Uint8Array(4 * 1024 * 1024)]).stream();
  const packed = new Uint8Array(
    await new Response(zeros.pipeThrough(new CompressionStream("gzip"))).arrayBuffer(),
  );
  expect(packed.length).toBeLessThan(16 * 1024);
  const { status, text } = await answerTo(packed, { headers: { "Content-Encoding": "gzip" } });
  expect([status, JSON.parse(text).code]).toEqual([400, "invalid_json"]);
});

it("A body is parsed once, also with an idempotency key", async () => {
  const sent = '{"user":{"external_id":"parsed once"}}';
  const parse = vi.spyOn(JSON, "parse");
  const body = new TextEncoder().encode(sent);
  const { status } = await answerTo(body, { headers: { "Idempotency-Key": "parsed-once" } });
  const parsed = parse.mock.calls.filter(([text]) => text === sent);
  parse.mockRestore();
  expect(status).toBe(201);
  expect(parsed).toHaveLength(1);
});

it("A body may begin with a byte order mark, also with an idempotency key", async () => {
  const sent = new TextEncoder().encode('\ufeff{"user":{"external_id":"marked"}}');
  const first = await answerTo(sent, { headers: { "Idempotency-Key": "marked" } });
  const second = await answerTo(sent.subarray(3), { headers: { "Idempotency-Key": "marked" } });
  expect([first.status, second.status]).toEqual([201, 201]);
});
