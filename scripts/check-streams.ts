/**
 * `npm run check:streams`: streams of a running service to software that no one here wrote, and events of OCSF against
 * the published schema.
 *
 * - moto, an S3 server that checks signatures, is read back with boto3 and with aws4fetch.
 * - Receivers of Splunk, Datadog and NDJSON are written from the published formats (test/streams/receivers.ts).
 * - jsonschema validates the events against the JSON Schema of the package ocsf-json-schema.
 */
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { gunzipSync } from "node:zlib";
import { EdgeIdp } from "@edge-idp/sdk";
import { AwsClient } from "aws4fetch";
import { z } from "zod";
import { findFreePort } from "../packages/cli/src/local/port.ts";
import { runBounded } from "../test/e2e/bounded-check.ts";
import { Commands } from "../test/e2e/commands.ts";
import { LocalService } from "../test/e2e/local-service.ts";
import { copyProject } from "../test/e2e/project-copy.ts";
import { Report } from "../test/e2e/report.ts";
import { hasTools } from "../test/e2e/tools.ts";
import { causeEvents } from "../test/streams/cause-events.ts";
import { type StartedReceivers, startReceivers, token } from "../test/streams/receivers.ts";
import { runScript } from "./support/run-script.ts";

const root = join(import.meta.dirname, "..");
const timeLimitMs = 300_000;
const catchUpMs = 60_000;
const pollMs = 250;
const bucket = "audit-trail";
const region = "eu-central-1";
/** The calls of bucket.py that prepare the bucket, before the server checks signatures. */
const uncheckedCalls = 4;

const keySchema = z.object({ access_key_id: z.string(), secret_access_key: z.string() });
const bucketSchema = z.object({ names: z.array(z.string()), lines: z.array(z.string()) });
const validationSchema = z.object({
  events: z.record(z.string(), z.number()),
  problems: z.array(z.string()),
});

type Json = Readonly<Record<string, unknown>>;
type AccessKey = z.output<typeof keySchema>;

/** Problems unless both are the same events in the same order. */
function compare(received: readonly unknown[], expected: readonly unknown[]): string[] {
  if (received.length !== expected.length) {
    return [`${received.length} events arrived, not ${expected.length}`];
  }
  const wrong = expected.findIndex((event, n) => !isDeepStrictEqual(event, received[n]));
  return wrong === -1 ? [] : [`event ${wrong} differs: ${JSON.stringify(received[wrong])}`];
}

/** An exported event as a stream sends it. */
function asSent(exported: Json): Json {
  const { leaf_hash: _, unmapped, ...event } = exported;
  if (typeof unmapped !== "object" || unmapped === null) return event;
  const { leaf_hash: __, ...others } = Object.fromEntries(Object.entries(unmapped));
  return { ...event, unmapped: others };
}

class Check {
  readonly #report: Report;
  readonly #copy = copyProject(root);
  readonly #scratch: string;
  readonly #commands: Commands;
  readonly #closing: (() => Promise<unknown>)[] = [];

  constructor(report: Report) {
    this.#report = report;
    this.#scratch = join(this.#copy.scratch, "streams");
    mkdirSync(this.#scratch);
    this.#commands = new Commands(this.#scratch);
    this.#closing.push(() => this.#commands.close());
  }

  async run(): Promise<void> {
    cpSync(join(root, "test/streams"), this.#scratch, { recursive: true });
    const service = await LocalService.create(this.#copy);
    this.#closing.push(() => service.close());
    const receivers = await startReceivers();
    this.#closing.push(() => receivers.close());
    await Promise.all([this.#commands.installPythonPackages(), service.waitUntilReady()]);
    const store = await this.#startStore();
    const key = keySchema.parse(
      JSON.parse(await this.#python("bucket.py", "create", store, bucket)),
    );

    const idp = new EdgeIdp({ url: service.url, token: service.demoToken });
    await causeEvents(idp, "before the streams");
    await idp.users.erase("before the streams");
    const ids = await this.#createStreams(idp, receivers, { store, key });
    await causeEvents(idp, "after the streams");
    await this.#waitUntilSent(idp);
    await this.#refuseOnce(idp, ids, key);
    await this.#compareAll(idp, receivers, { store, key });
    await this.#validate(idp);
  }

  async close(): Promise<void> {
    await Promise.all(this.#closing.map((close) => close()));
    this.#copy.remove();
  }

  /** @returns the address of an S3 server */
  async #startStore(): Promise<string> {
    const port = String(await findFreePort());
    const options = ["-H", "127.0.0.1", "-p", port];
    const environment = { INITIAL_NO_AUTH_ACTION_COUNT: String(uncheckedCalls) };
    const server = this.#commands.start("venv/bin/moto_server", options, { environment });
    const isReady = await server.until(() =>
      `${server.output}${server.errors}`.includes("Running on"),
    );
    if (!isReady) throw new Error(server.output + server.errors);
    return `http://127.0.0.1:${port}`;
  }

  async #createStreams(
    idp: EdgeIdp,
    { url }: StartedReceivers,
    { store, key }: { readonly store: string; readonly key: AccessKey },
  ): Promise<{ readonly mapped: string }> {
    const s3 = { type: "s3", endpoint: store, bucket, region, ...key, from: 0 } as const;
    const { id: mapped } = await idp.streams.create({ ...s3, format: "ocsf", prefix: "idp/" });
    await idp.streams.create(s3);
    await idp.streams.create({ type: "splunk_hec", url: `${url}/splunk`, token, from: 0 });
    await idp.streams.create({ type: "datadog", url: `${url}/datadog`, api_key: token, from: 0 });
    const headers = { "X-Key": token };
    await idp.streams.create({ type: "http", url: `${url}/lines`, headers, from: 0 });
    return { mapped };
  }

  async #waitUntilSent(idp: EdgeIdp): Promise<void> {
    // Integrates what waits, so that the export has all that a stream has.
    const { checkpoint } = await idp.audit.checkpoint();
    const end = Date.now() + catchUpMs;
    for (;;) {
      const streams = await idp.streams.list();
      const late = streams.filter(({ cursor }) => cursor < checkpoint.tree_size);
      if (late.length === 0) return;
      if (Date.now() > end) throw new Error(`Streams stand still: ${JSON.stringify(late)}`);
      await sleep(pollMs);
    }
  }

  /** With a wrong secret the server refuses the signature, and the stream stands still until it has the right one. */
  async #refuseOnce(
    idp: EdgeIdp,
    { mapped }: { readonly mapped: string },
    key: AccessKey,
  ): Promise<void> {
    await idp.streams.change(mapped, { secret_access_key: "a-wrong-secret" });
    const { status, error } = await idp.streams.test(mapped);
    await idp.streams.change(mapped, { secret_access_key: key.secret_access_key });
    const accepted = await idp.streams.test(mapped);
    this.#report.add("moto refuses a wrong signature and accepts ours", [
      ...(status === 403 && error === "status" ? [] : [`a wrong secret: ${status} ${error}`]),
      ...(accepted.error === null ? [] : [`the right one: ${accepted.status} ${accepted.error}`]),
    ]);
    await this.#waitUntilSent(idp);
  }

  async #compareAll(
    idp: EdgeIdp,
    { events }: StartedReceivers,
    { store, key }: { readonly store: string; readonly key: AccessKey },
  ): Promise<void> {
    const { checkpoint } = await idp.audit.checkpoint();
    const range = { to: checkpoint.tree_size };
    const native: Json[] = [];
    for await (const event of idp.audit.export(range)) native.push(asSent(event));
    const mapped: Json[] = [];
    for await (const event of idp.audit.exportOcsf(range)) mapped.push(asSent(event));
    for (const name of ["splunk", "datadog", "lines"] as const) {
      const received = events[name].slice(0, native.length);
      this.#report.add(`${name} has received the whole trail in order`, compare(received, native));
    }
    const { access_key_id: accessKeyId, secret_access_key: secretAccessKey } = key;
    for (const [prefix, expected] of [
      ["idp/", mapped],
      ["", native],
    ] as const) {
      const format = prefix === "" ? "native" : "ocsf";
      const folder = `${prefix}${await this.#findTenant(idp)}/${format}/`;
      const text = await this.#python(
        ...(["bucket.py", "read", store, bucket, folder, accessKeyId, secretAccessKey] as const),
      );
      const read = bucketSchema.parse(JSON.parse(text));
      // What was tested has an object of its own.
      const names = read.names.filter((name) => !this.#isInAnother(name, read.names));
      const client = new AwsClient({
        accessKeyId,
        secretAccessKey,
        region,
        service: "s3",
        retries: 0,
      });
      const lines: string[] = [];
      for (const name of names) {
        const answer = await client.fetch(`${store}/${bucket}/${name}`);
        if (answer.status !== 200) throw new Error(`${name}: ${answer.status}`);
        const body = gunzipSync(new Uint8Array(await answer.arrayBuffer())).toString();
        lines.push(...body.trimEnd().split("\n"));
      }
      const parse = (all: readonly string[]) =>
        all.map((line): Json => JSON.parse(line)).slice(0, expected.length);
      const byBoto = [...new Set(read.lines)].map((line): Json => JSON.parse(line));
      this.#report.add(
        `aws4fetch reads the whole trail (${format}) from the bucket`,
        compare(parse(lines), expected),
      );
      this.#report.add(
        `boto3 reads every event (${format}) from the bucket`,
        expected.every((event) => byBoto.some((one) => isDeepStrictEqual(one, event)))
          ? []
          : ["an event is missing"],
      );
    }
  }

  /** Whether the leaves of this object are in a larger one. */
  #isInAnother(name: string, names: readonly string[]): boolean {
    const rangeOf = (key: string) =>
      /(\d{12})-(\d{12})\.ndjson\.gz$/.exec(key)?.slice(1).map(Number) ?? [];
    const [first = 0, last = 0] = rangeOf(name);
    return names.some((other) => {
      const [from = 0, to = 0] = rangeOf(other);
      return other !== name && from <= first && last <= to;
    });
  }

  async #findTenant(idp: EdgeIdp): Promise<string> {
    return (await idp.settings.get()).tenant_id;
  }

  async #validate(idp: EdgeIdp): Promise<void> {
    const lines = await new Response(idp.audit.exportBytes({ format: "ocsf" })).text();
    writeFileSync(join(this.#scratch, "events.ndjson"), lines);
    const { events, problems } = validationSchema.parse(
      JSON.parse(await this.#python("validate.py", "events.ndjson")),
    );
    const count = Object.values(events).reduce((sum, n) => sum + n, 0);
    const classes = Object.keys(events).join(", ");
    this.#report.add(
      `${count} events of the classes ${classes} follow the JSON Schema of OCSF`,
      problems,
    );
    await this.#python("published.py");
    this.#report.add("test/streams/schema.json is an extract of the published schema", []);
  }

  #python(...args: readonly string[]): Promise<string> {
    return this.#commands.run("venv/bin/python", args);
  }
}

async function main(): Promise<number> {
  const report = new Report();
  if (hasTools(report, "streams reach a bucket, and events follow OCSF", ["python3"])) {
    await runBounded(report, new Check(report), timeLimitMs);
  }
  return report.finish();
}

await runScript(main);
process.exit();
