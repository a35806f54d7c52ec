/** Streams over the API, and what their followers send. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Tenant, User } from "../support/client.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { findOcsfProblems } from "../support/ocsf.ts";
import {
  connect,
  createReceiver,
  passTime,
  Receiver,
  runFollower,
  stopClock,
} from "../support/receiver.ts";
import { createStream, eventsOf, readLeaves, unzip } from "../support/stream-receiver.ts";
import { fetchCheckpoint, fetchExport, rowsOf } from "../support/trail.ts";

const minuteMs = 60_000;
const secret = "secret-of-the-receiver";
const splunk = { type: "splunk_hec", url: "https://splunk.example.com:8443", token: secret };
const datadog = { type: "datadog", url: "https://intake.example.com", api_key: secret };
const s3 = {
  type: "s3",
  endpoint: "https://s3.example.com",
  bucket: "trail",
  region: "auto",
  access_key_id: "AKIAEXAMPLE",
  secret_access_key: secret,
};

beforeEach(stopClock);
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function createWithReceiver(fields: object = {}) {
  const tenant = await Tenant.create();
  const receiver = createReceiver();
  connect(receiver);
  const stream = await createStream(tenant, receiver, fields);
  return { tenant, receiver, id: String(stream.id) };
}

async function readStream(tenant: Tenant, id: string) {
  return (await tenant.send("GET", `/v1/audit/streams/${id}`)).body.stream;
}

describe("A stream", () => {
  it("sends the whole trail in order, exactly as the API shows it", async () => {
    const { tenant, receiver, id } = await createWithReceiver({ from: 0 });
    const user = await User.withTotp(tenant);
    await user.verify("000000");
    await drainOutbox(user);
    await runFollower(tenant, id);
    await fetchCheckpoint(tenant);
    // Before the export, which is an event that the stream sends too.
    const [request] = receiver.received;
    expect(receiver.received).toHaveLength(1);
    const stream = await readStream(tenant, id);
    const trail = await fetchExport(tenant);
    expect(request && (await eventsOf(request))).toEqual(
      trail.map(({ leaf_hash, ...event }) => event),
    );
    expect(stream).toMatchObject({
      type: "http",
      format: "native",
      url: receiver.url,
      status: "enabled",
      cursor: trail.length,
      delivered: trail.length,
      failed: 0,
      behind: { events: 0, seconds: 0 },
    });
  });

  it("begins with the events that are filed from now on, unless it names a leaf", async () => {
    const { tenant, receiver, id } = await createWithReceiver({ format: "ocsf" });
    const first = (await readStream(tenant, id)).cursor;
    await User.provision(tenant);
    await runFollower(tenant, id);
    const events = (await Promise.all(receiver.received.map(eventsOf))).flat();
    expect(events.map(({ metadata }) => metadata.event_code)).toEqual([
      "stream.created",
      "user.provisioned",
    ]);
    expect(events[0].metadata.sequence).toBe(first);
    expect(events.flatMap(findOcsfProblems)).toEqual([]);
    const late = { stream: { type: "http", url: receiver.url, from: 1_000 } };
    const refused = await tenant.send("POST", "/v1/audit/streams", late);
    expect([refused.status, refused.body.issues[0].path]).toEqual([400, "stream.from"]);
  });

  it("stands still until its receiver accepts, says why, and continues with the same batch", async () => {
    const tenant = await Tenant.create();
    const bucket = new Receiver(s3.endpoint);
    connect(bucket);
    bucket.answer = () => new Response("denied", { status: 403 });
    const { id } = await createStream(tenant, { url: "" }, { ...s3, url: undefined, from: 0 });
    await User.provision(tenant);
    await runFollower(tenant, id);
    // What is filed meanwhile is not in the batch, so that the object has the same key.
    await User.provision(tenant);
    passTime(minuteMs);
    await runFollower(tenant, id);
    const path = `/v1/audit/streams/${id}`;
    const { attempts } = (await tenant.send("GET", `${path}/attempts`)).body;
    const [attempt, earlier] = attempts;
    expect(attempt).toMatchObject({ status: 403, error: "status", leaf_index: 0 });
    expect(attempt.events).toBe(earlier.events);
    expect(await readStream(tenant, id)).toMatchObject({ status: "failing", cursor: 0, failed: 2 });

    bucket.answer = () => new Response();
    await tenant.send("PATCH", path, { stream: { region: "eu-central-1" } });
    await runFollower(tenant, id);
    const keys = bucket.received.map(({ url }) => url.split("/").at(-1));
    const last = attempt.events - 1;
    const name = (leaf: number) => String(leaf).padStart(12, "0");
    expect(keys.slice(0, 3)).toEqual(Array(3).fill(`${name(0)}-${name(last)}.ndjson.gz`));
    const { cursor, ...now } = await readStream(tenant, id);
    expect(keys.slice(3)).toEqual([`${name(last + 1)}-${name(cursor - 1)}.ndjson.gz`]);
    expect(now).toMatchObject({ status: "enabled", delivered: cursor, behind: { events: 0 } });
  });

  it("sends events again from any leaf on, and an erased user's as they are now", async () => {
    const { tenant, receiver, id } = await createWithReceiver({ from: 0 });
    const user = await User.provision(tenant);
    await runFollower(tenant, id);
    await tenant.send("DELETE", `/v1/idp/user?externalUserId=${user.externalId}`);
    await drainOutbox(user);
    const replayed = await tenant.send("POST", `/v1/audit/streams/${id}/replay`, { from: 1 });
    expect(replayed.body.stream.cursor).toBe(1);
    await runFollower(tenant, id);
    const [before, after] = await Promise.all(receiver.received.map(eventsOf));
    const idsOf = (events: readonly { id: string }[] = []) => events.map((event) => event.id);
    expect(idsOf(after)).toEqual(expect.arrayContaining(idsOf(before).slice(1)));
    expect(JSON.stringify(before)).toContain(user.externalId);
    expect(JSON.stringify(after)).not.toContain(user.externalId);
    expect((await readLeaves(receiver))[1]?.[0]).toBe(1);
  });

  it("sends nothing that waited about a user who was erased meanwhile", async () => {
    const { tenant, receiver, id } = await createWithReceiver({ from: 0 });
    receiver.answer = () => new Response(null, { status: 500 });
    const user = await User.provision(tenant);
    await runFollower(tenant, id);
    await tenant.send("DELETE", `/v1/idp/user?externalUserId=${user.externalId}`);
    await drainOutbox(user);
    passTime(minuteMs);
    await runFollower(tenant, id);
    const [first, second] = await Promise.all(receiver.received.map(({ body }) => unzip(body)));
    expect(first).toContain(user.externalId);
    expect(second).not.toContain(user.externalId);
  });

  it("sends nothing while it is disabled, and keeps its place", async () => {
    const { tenant, receiver, id } = await createWithReceiver({ from: 0 });
    const path = `/v1/audit/streams/${id}`;
    await tenant.send("PATCH", path, { stream: { status: "disabled" } });
    await User.provision(tenant);
    await runFollower(tenant, id);
    expect(receiver.received).toEqual([]);
    expect(await readStream(tenant, id)).toMatchObject({ status: "disabled", cursor: 0 });
    await tenant.send("PATCH", path, { stream: { status: "enabled" } });
    await runFollower(tenant, id);
    const leaves = (await readLeaves(receiver)).flat();
    expect(leaves).toEqual([...leaves.keys()]);
  });

  it("is tested with the newest event of the trail, even if it is disabled", async () => {
    const { tenant, receiver, id } = await createWithReceiver();
    const path = `/v1/audit/streams/${id}`;
    await tenant.send("PATCH", path, { stream: { status: "disabled" } });
    const { body } = await tenant.send("POST", `${path}/test`);
    expect(body.attempt).toMatchObject({ status: 204, error: null });
    const [request] = receiver.received;
    const events = request === undefined ? [] : await eventsOf(request);
    expect(events.map(({ action }) => action)).toEqual(["stream.changed"]);
    receiver.answer = () => new Response(secret, { status: 401 });
    const refused = await tenant.send("POST", `${path}/test`);
    expect(refused.body.attempt).toMatchObject({ status: 401, error: "status" });
    expect(JSON.stringify(refused.body)).not.toContain(secret);
  });

  it("sends nothing any more once it is deleted", async () => {
    const { tenant, receiver, id } = await createWithReceiver({ from: 0 });
    const path = `/v1/audit/streams/${id}`;
    expect((await tenant.send("DELETE", path)).status).toBe(204);
    await runFollower(tenant, id);
    expect(receiver.received).toEqual([]);
    for (const [method, suffix] of [
      ["GET", ""],
      ["GET", "/attempts"],
      ["DELETE", ""],
      ["POST", "/test"],
    ] as const) {
      const { status, body } = await tenant.send(method, `${path}${suffix}`);
      expect([status, body.code]).toEqual([404, "not_found"]);
    }
  });
});

describe("The credentials of a stream", () => {
  it("are shown by no answer, no event and no row", async () => {
    const tenant = await Tenant.create();
    const http = { type: "http", url: "https://siem.example.com/in", headers: { "X-Key": secret } };
    const shown: unknown[] = [];
    for (const stream of [splunk, datadog, s3, http]) {
      const created = await tenant.send("POST", "/v1/audit/streams", { stream });
      expect(created.status).toBe(201);
      shown.push(created.body);
      passTime(1);
    }
    const { streams } = (await tenant.send("GET", "/v1/audit/streams")).body;
    expect(streams.map(({ type }: { type: string }) => type)).toEqual([
      ...["splunk_hec", "datadog", "s3", "http"],
    ]);
    expect(streams[3].header_names).toEqual(["x-key"]);
    expect(streams[2]).toMatchObject({ access_key_id: "AKIAEXAMPLE", prefix: "" });
    const events = await tenant.send("GET", "/v1/audit/events?action=stream.created");
    expect(events.body.events).toHaveLength(4);
    shown.push(streams, events.body, await rowsOf("destinations", tenant.id));
    expect(JSON.stringify(shown)).not.toContain(secret);
    expect(events.body.events.at(-1).details).toEqual({
      type: "splunk_hec",
      format: "native",
      host: "splunk.example.com:8443",
    });
  });

  it("must be sent again with another address, so that they reach no host of the caller's choice", async () => {
    const tenant = await Tenant.create();
    const { id } = await createStream(tenant, splunk, splunk);
    const thief = new Receiver("https://thief.example.com");
    connect(thief);
    const path = `/v1/audit/streams/${id}`;
    const stolen = await tenant.send("PATCH", path, { stream: { url: thief.url } });
    expect([stolen.status, stolen.body.issues]).toEqual([
      400,
      [{ path: "stream.token", message: "must be sent too, because url changes" }],
    ]);
    const moved = { url: thief.url, token: "another-token" };
    expect((await tenant.send("PATCH", path, { stream: moved })).status).toBe(200);
    await tenant.send("POST", `${path}/test`);
    expect(thief.received.map(({ headers }) => headers.authorization)).toEqual([
      "Splunk another-token",
    ]);
    const [row] = await rowsOf("destinations", tenant.id);
    expect(JSON.parse(String(row?.configuration))).toMatchObject({ url: thief.url, index: null });
  });
});

describe("A stream that cannot be sent to", () => {
  it("is refused with the field that is wrong", async () => {
    const tenant = await Tenant.create("live");
    const http = { type: "http", url: "https://siem.example.com/in" };
    const many = Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`x-${n}`, "v"]));
    const cases: readonly [object, string][] = [
      [{ type: "http" }, "stream.url"],
      [{ ...splunk, token: undefined }, "stream.token"],
      [{ ...http, token: secret }, "stream.token"],
      [{ ...splunk, headers: { a: "b" } }, "stream.headers"],
      [{ ...s3, url: "https://s3.example.com" }, "stream.url"],
      [{ ...s3, prefix: "../other/" }, "stream.prefix"],
      [{ ...s3, endpoint: "https://10.0.0.1" }, "stream.endpoint"],
      [{ ...splunk, url: "http://splunk.example.com" }, "stream.url"],
      [{ ...splunk, url: "https://splunk.example.com/?a=b" }, "stream.url"],
      [{ ...http, headers: { "Content-Length": "5" } }, "stream.headers.Content-Length"],
      [{ ...http, headers: { "X-A": "1", "x-a": "2" } }, "stream.headers.x-a"],
      [{ ...http, headers: many }, "stream.headers"],
      [{ type: "syslog", url: http.url }, "stream.type"],
    ];
    for (const [stream, path] of cases) {
      const { status, body } = await tenant.send("POST", "/v1/audit/streams", { stream });
      expect([status, body.issues?.[0]?.path]).toEqual([400, path]);
    }
    expect(await rowsOf("destinations", tenant.id)).toEqual([]);
  });

  it("is the sixth of a tenant", async () => {
    const tenant = await Tenant.create();
    for (let n = 0; n < 5; n += 1) await createStream(tenant, splunk, splunk);
    const sixth = await tenant.send("POST", "/v1/audit/streams", { stream: splunk });
    expect([sixth.status, sixth.body.code]).toEqual([409, "too_many"]);
  });
});

describe("A stream of a test tenant", () => {
  it("may send to this machine, and that of a live tenant may not", async () => {
    const local = { type: "http", url: "http://127.0.0.1:9000/in" };
    const send = async (mode: "live" | "test") =>
      (await (await Tenant.create(mode)).send("POST", "/v1/audit/streams", { stream: local }))
        .status;
    expect([await send("live"), await send("test")]).toEqual([400, 201]);
  });
});
