/**
 * Receivers as Splunk and Datadog publish them, and one of NDJSON: they check each request as the real ones do, and keep
 * its events.
 * https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data/format-events-for-http-event-collector
 * https://docs.datadoghq.com/api/latest/logs/#send-logs
 */
import { createServer, type IncomingHttpHeaders } from "node:http";
import { gunzipSync } from "node:zlib";
import { z } from "zod";

export const token = "12345678-1234-1234-1234-1234567890ab";

const splunkEvent = z.strictObject({
  time: z.number(),
  host: z.string().optional(),
  source: z.string(),
  sourcetype: z.string(),
  index: z.string().optional(),
  event: z.record(z.string(), z.unknown()),
  fields: z.record(z.string(), z.unknown()).optional(),
});

const maxDatadogEntries = 1_000;
const maxDatadogBytes = 5_000_000;
const datadogEntries = z
  .array(
    z.looseObject({
      ddsource: z.string(),
      ddtags: z.string(),
      service: z.string(),
      message: z.string(),
      timestamp: z.int(),
      audit: z.record(z.string(), z.unknown()),
    }),
  )
  .max(maxDatadogEntries);

interface Answer {
  readonly status: number;
  readonly body: object;
}

interface Taken extends Answer {
  readonly events: readonly Readonly<Record<string, unknown>>[];
}

type Take = (path: string, headers: IncomingHttpHeaders, text: string) => Taken;

const refuse = (status: number, body: object): Taken => ({ status, body, events: [] });

/** Answers with the codes of the HTTP Event Collector. */
const takeSplunk: Take = (path, { authorization }, text) => {
  if (path !== "/services/collector/event") return refuse(404, { text: "Not found", code: 404 });
  if (authorization === undefined) return refuse(401, { text: "Token is required", code: 2 });
  if (authorization !== `Splunk ${token}`) return refuse(403, { text: "Invalid token", code: 4 });
  if (text === "") return refuse(400, { text: "No data", code: 5 });
  // Objects may follow each other without a separator; ours have a line each.
  const parsed = text
    .trimEnd()
    .split("\n")
    .map((line) => splunkEvent.safeParse(JSON.parse(line)));
  const wrong = parsed.findIndex(({ success }) => !success);
  if (wrong !== -1) {
    return refuse(400, { text: "Invalid data format", code: 6, "invalid-event-number": wrong });
  }
  const events = parsed.flatMap(({ data }) => (data === undefined ? [] : [data.event]));
  return { status: 200, body: { text: "Success", code: 0 }, events };
};

const takeDatadog: Take = (path, headers, text) => {
  if (path !== "/api/v2/logs") return refuse(404, { errors: [{ title: "Not found" }] });
  if (headers["dd-api-key"] !== token) return refuse(403, { errors: [{ title: "Forbidden" }] });
  if (text.length > maxDatadogBytes) return refuse(413, { errors: [{ title: "Too large" }] });
  const parsed = datadogEntries.safeParse(JSON.parse(text));
  if (!parsed.success) return refuse(400, { errors: [{ title: "Bad Request" }] });
  return { status: 202, body: {}, events: parsed.data.map(({ audit }) => audit) };
};

const takeLines: Take = (_path, headers, text) => {
  if (headers["x-key"] !== token || headers["content-type"] !== "application/x-ndjson") {
    return refuse(400, {});
  }
  return {
    status: 204,
    body: {},
    events: text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)),
  };
};

const takers = { splunk: takeSplunk, datadog: takeDatadog, lines: takeLines } as const;

export interface StartedReceivers {
  readonly url: string;
  /** What each has taken, in order. */
  readonly events: Readonly<Record<keyof typeof takers, Taken["events"][number][]>>;
  readonly close: () => Promise<void>;
}

/** Starts all of them on one port; the first segment of the path names one. */
export async function startReceivers(): Promise<StartedReceivers> {
  const events: StartedReceivers["events"] = { splunk: [], datadog: [], lines: [] };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const [, name = "", ...rest] = (request.url ?? "").split("/");
    const found = Object.entries(takers).find(([key]) => key === name);
    const text = request.headers["content-encoding"] === "gzip" ? gunzipSync(body).toString() : "";
    const taken = found?.[1](`/${rest.join("/")}`, request.headers, text) ?? refuse(404, {});
    if (name === "splunk" || name === "datadog" || name === "lines") {
      events[name].push(...taken.events);
    }
    response.writeHead(taken.status, { "Content-Type": "application/json" });
    response.end(taken.status === 204 ? undefined : JSON.stringify(taken.body));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (typeof address !== "object" || address === null)
    throw new Error("The receivers have no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    events,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
