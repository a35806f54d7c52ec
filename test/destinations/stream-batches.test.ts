/** What a stream sends to each type of receiver, and what it does with the answer. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { type ShownEvent, showEvent } from "../../src/audit/show-event.ts";
import { createWriter, maxBatchBytes, takeBatch } from "../../src/destinations/streams/batch.ts";
import { sendBatch } from "../../src/destinations/streams/send-batch.ts";
import type { StreamTarget } from "../../src/destinations/streams/stream.ts";
import { findOcsfProblems } from "../support/ocsf.ts";

const tenantId = "67c9a1b2c3d4e5f60718293a";
const secret = "secret-of-the-receiver";

const targets = {
  http: {
    type: "http",
    format: "native",
    url: "https://siem.idp.example.com/in",
    headers: { authorization: `Bearer ${secret}`, "x-team": "blue" },
  },
  splunk_hec: {
    type: "splunk_hec",
    format: "native",
    url: "https://splunk.idp.example.com:8443/",
    token: secret,
    index: "security",
  },
  datadog: {
    type: "datadog",
    format: "native",
    url: "https://http-intake.logs.datadoghq.eu",
    api_key: secret,
  },
  s3: {
    type: "s3",
    format: "native",
    endpoint: "https://s3.eu-central-1.amazonaws.com",
    bucket: "trail",
    region: "eu-central-1",
    prefix: "idp/",
    access_key_id: "AKIAEXAMPLE",
    secret_access_key: secret,
  },
} as const satisfies Record<StreamTarget["type"], StreamTarget>;

function eventAt(leafIndex: number, details: ShownEvent["details"] = {}): ShownEvent {
  return showEvent({
    tenantId,
    leafIndex,
    id: leafIndex.toString(16).padStart(24, "0"),
    at: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    actorType: "system",
    actorId: null,
    actorName: null,
    action: "user.locked",
    targetType: "identity",
    targetId: "c".repeat(24),
    personalKey: null,
    personal: null,
    personalDigest: null,
    outcome: "success",
    reason: "too_many_failures",
    requestId: null,
    details,
    stamp: "",
    erased: false,
    expired: false,
    parts: null,
  });
}

function eventsFrom(first: number, count: number, details?: ShownEvent["details"]) {
  return Array.from({ length: count }, (_, n) => ({
    leafIndex: first + n,
    event: eventAt(first + n, details),
  }));
}

interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: string;
}

async function unzip(body: ArrayBuffer): Promise<string> {
  const stream = new Blob([body]).stream().pipeThrough(new DecompressionStream("gzip"));
  return await new Response(stream).text();
}

/** Answers every request, and keeps it. */
function receive(answer: (received: Received) => Response): Received[] {
  const requests: Received[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    const { method, url, headers } = request;
    const received = { method, url, headers, body: await unzip(await request.arrayBuffer()) };
    requests.push(received);
    return answer(received);
  });
  return requests;
}

const accept = () => new Response(null, { status: 202 });

async function send(target: StreamTarget, events = eventsFrom(7, 3)) {
  const writer = createWriter({ tenantId, target });
  return await sendBatch(writer, takeBatch(writer, events), false);
}

afterEach(() => vi.restoreAllMocks());

describe("A batch", () => {
  const writer = createWriter({ tenantId, target: targets.http });

  it("has at most 500 events, and at most 1 MiB before it is compressed", () => {
    expect(takeBatch(writer, eventsFrom(0, 600))).toHaveLength(500);
    const entries = takeBatch(writer, eventsFrom(0, 500, { long: "é".repeat(2_000) }));
    const bytes = new Blob(entries.map(({ text }) => text)).size;
    expect(bytes).toBeLessThanOrEqual(maxBatchBytes);
    expect(bytes).toBeGreaterThan(maxBatchBytes - 5_000);
    expect(entries.map(({ leafIndex }) => leafIndex)).toEqual([...entries.keys()]);
  });

  it("has one event at least, however large it is", () => {
    const entries = takeBatch(writer, eventsFrom(5, 2, { long: "x".repeat(2 * maxBatchBytes) }));
    expect(entries.map(({ leafIndex }) => leafIndex)).toEqual([5]);
  });
});

describe("A stream", () => {
  it("sends NDJSON to an http receiver, with the headers that the tenant has chosen", async () => {
    const requests = receive(accept);
    const { attempt, count } = await send(targets.http);
    expect([attempt.status, attempt.error, count]).toEqual([202, null, 3]);
    const [request] = requests;
    expect(request).toMatchObject({ method: "POST", url: targets.http.url });
    const names = ["content-type", "content-encoding", "authorization", "x-team"];
    expect(names.map((name) => request?.headers.get(name))).toEqual([
      ...["application/x-ndjson", "gzip", `Bearer ${secret}`, "blue"],
    ]);
    const lines = request?.body.trimEnd().split("\n") ?? [];
    const sent = eventsFrom(7, 3).map(({ event }) => event);
    expect(lines.map((line) => JSON.parse(line))).toEqual(sent);
    expect(sent.map(({ leaf_index }) => leaf_index)).toEqual([7, 8, 9]);
  });

  it("sends events with their time to the HTTP Event Collector of Splunk", async () => {
    const requests = receive(() => Response.json({ text: "Success", code: 0 }));
    await send({ ...targets.splunk_hec, format: "ocsf" });
    await send({ ...targets.splunk_hec, index: null });
    const [mapped, native] = requests;
    expect(mapped?.url).toBe("https://splunk.idp.example.com:8443/services/collector/event");
    expect(mapped?.headers.get("authorization")).toBe(`Splunk ${secret}`);
    const [first] = (mapped?.body ?? "").split("\n").map((line) => JSON.parse(line || "null"));
    expect(first).toMatchObject({
      time: 1767323045.678,
      source: "edge-idp",
      sourcetype: "edge-idp:ocsf",
      index: "security",
      event: { metadata: { sequence: 7 } },
    });
    expect(findOcsfProblems(first.event)).toEqual([]);
    const [line = ""] = native?.body.split("\n") ?? [];
    expect(Object.keys(JSON.parse(line))).toEqual(["time", "source", "sourcetype", "event"]);
  });

  it("sends a list of entries to the intake of Datadog, with the event below a name of its own", async () => {
    const requests = receive(accept);
    await send(targets.datadog);
    await send({ ...targets.datadog, format: "ocsf" });
    const [native, mapped] = requests;
    expect(native?.url).toBe("https://http-intake.logs.datadoghq.eu/api/v2/logs");
    expect(native?.headers.get("dd-api-key")).toBe(secret);
    const entries = JSON.parse(native?.body ?? "");
    expect(entries).toHaveLength(3);
    expect(entries[0]).toEqual({
      ddsource: "edge-idp",
      service: "edge-idp",
      ddtags: `tenant:${tenantId}`,
      timestamp: 1767323045678,
      message: "user.locked: success",
      audit: eventAt(7),
    });
    expect(JSON.parse(mapped?.body ?? "")[0].ocsf.metadata.sequence).toBe(7);
  });

  it("puts a signed object into a bucket, under a key that names its first and last leaf", async () => {
    const requests = receive(() => new Response());
    await send(targets.s3);
    await send(targets.s3);
    const [request] = requests;
    const name = "000000000007-000000000009.ndjson.gz";
    expect(requests.map(({ method, url }) => [method, url])).toEqual(
      Array(2).fill(["PUT", `${targets.s3.endpoint}/trail/idp/${tenantId}/native/${name}`]),
    );
    expect(request?.headers.get("authorization")).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE\/\d{8}\/eu-central-1\/s3\/aws4_request, /,
    );
    expect(request?.headers.get("x-amz-content-sha256")).toMatch(/^[0-9a-f]{64}$/);
    expect(request?.body.split("\n")).toHaveLength(4);
  });

  it("tells of each failure what it was, and repeats nothing of the answer", async () => {
    for (const status of [301, 400, 401, 403, 429, 500, 503]) {
      vi.restoreAllMocks();
      receive(() => new Response(`no: ${secret}`, { status, headers: { location: "https://x" } }));
      for (const target of Object.values(targets)) {
        const outcome = await send(target);
        const error = status < 400 ? "redirect" : "status";
        expect(outcome).toMatchObject({ attempt: { status, error }, count: 3, requests: 1 });
        expect(JSON.stringify(outcome)).not.toContain(secret);
      }
    }
    vi.restoreAllMocks();
    vi.spyOn(globalThis, "fetch").mockRejectedValue(new Error(secret));
    expect((await send(targets.s3)).attempt).toMatchObject({ status: null, error: "connection" });
  });

  it("sends less at once to a receiver to which the batch is too large", async () => {
    const sizes: number[] = [];
    const requests = receive(({ body }) => {
      const size = body.trimEnd().split("\n").length;
      sizes.push(size);
      return new Response(null, { status: size > 2 ? 413 : 200 });
    });
    const outcome = await send(targets.http, eventsFrom(0, 7));
    expect(sizes).toEqual([7, 4, 2]);
    expect(outcome).toMatchObject({ attempt: { error: null }, count: 2, requests: 3 });
    expect(requests.at(-1)?.body).toContain('"leaf_index":1');
  });

  it("sends an event that is too large without its details, so that it goes on", async () => {
    const requests = receive(
      ({ body }) => new Response(null, { status: body.length > 2_000 ? 413 : 200 }),
    );
    const large = eventsFrom(3, 1, { long: "x".repeat(5_000) });
    for (const format of ["native", "ocsf"] as const) {
      const outcome = await send({ ...targets.http, format }, large);
      expect(outcome).toMatchObject({ attempt: { error: null }, count: 1, requests: 2 });
    }
    const [, native, , mapped] = requests.map(({ body }) => JSON.parse(body));
    expect(native).toEqual({ ...eventAt(3), details: { truncated: true } });
    expect(mapped.metadata).toMatchObject({ sequence: 3, is_truncated: true });
    expect(findOcsfProblems(mapped)).toEqual([]);
  });

  it("stands still if even an event without its details is too large", async () => {
    receive(() => new Response(null, { status: 413 }));
    expect(await send(targets.http, eventsFrom(0, 2))).toMatchObject({
      attempt: { status: 413, error: "status" },
      count: 1,
      requests: 3,
    });
  });
});
