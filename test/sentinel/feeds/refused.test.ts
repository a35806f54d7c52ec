/** A refused list leaves the previous list in use, is recorded with its error, and stops no other list. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { refreshLimits } from "../../../src/sentinel/feeds/refresh.ts";
import {
  addressOf,
  emptyStore,
  hour,
  kindsOf,
  now,
  Publisher,
  readFeedRecord,
  readInForce,
} from "./publisher.ts";

const old = "9.9.9.1\n9.9.9.2\n9.9.9.3\n9.9.9.4\n";
const later = now + hour;

beforeEach(async () => {
  await emptyStore();
  vi.restoreAllMocks();
  vi.spyOn(console, "error").mockImplementation(() => {});
  vi.spyOn(console, "info").mockImplementation(() => {});
});

/** A body that repeats the chunk until the reader cancels it. */
function streamEndlessly(chunk: string): Response {
  const bytes = new TextEncoder().encode(chunk);
  return new Response(new ReadableStream({ pull: (to) => to.enqueue(bytes) }));
}

/** Takes a list into use, then refreshes it with another answer, next to a sound feed. */
async function refreshAfterAnswer(
  answer: Parameters<Publisher["publish"]>[1],
  elsewhere: Readonly<Record<string, string>> = {},
  limits = refreshLimits,
): Promise<Publisher> {
  const publisher = new Publisher().publish("tor-exits", old).publish("x4b-vpn-v4", "8.8.0.0/16\n");
  await publisher.refresh("tor-exits", now);
  publisher.publish("tor-exits", answer);
  for (const [address, text] of Object.entries(elsewhere)) publisher.publish(address, text);
  await publisher.refresh("tor-exits,x4b-vpn-v4", later, limits);
  return publisher;
}

async function expectRefused(reason: RegExp): Promise<void> {
  const record = await readFeedRecord("tor-exits");
  expect(record.lastError?.reason).toMatch(reason);
  expect(record.lastError?.at).toBe(later);
  expect(record).toMatchObject({ fetchedAt: now, changedAt: now, rows: 4 });
  expect(await kindsOf("9.9.9.1", later)).toEqual(["tor"]);
  expect((await readInForce()).threatsAt).toBe(now);
  // The other feed of the run was applied.
  expect(await kindsOf("8.8.8.8", later)).toEqual(["vpn"]);
  expect((await readFeedRecord("x4b-vpn-v4")).lastError).toBeNull();
}

describe("A refresh refuses", () => {
  it("a list that lost more than half of its rows", async () => {
    await refreshAfterAnswer("9.9.9.1\n");
    await expectRefused(/only 1 rows left of 4/);
  });

  it.each([
    ["an empty answer", "", /no line has an entry/],
    ["an answer without a body", null, /no line has an entry/],
    ["a byte order mark alone", "\uFEFF\r\n", /no line has an entry/],
    ["a list of comments", "# nothing today\r; 9.9.9.1\r\n", /no line has an entry/],
    ["a metadata line alone", '{"type":"metadata","records":0}\n', /no line has an entry/],
    ["a list of other JSON", '{"asn":64500}\n{"asn":64501}\n', /no line could be read/],
    ["a list with more bad lines than entries", `x\n{}\n"\n[]\n?\n${old}`, /5 of 9 lines/],
  ])("%s", async (_, body, reason) => {
    await refreshAfterAnswer(() => new Response(body));
    await expectRefused(reason);
  });

  it.each([
    ["a page that names addresses", `<!DOCTYPE html>\n<pre>\n${old}9.9.9.5\n</pre>\n`],
    ["a page in one line with CR and a byte order mark", "\uFEFF\r<html><p>Sorry</p></html>\r"],
    ["a list that ends in an error page", `${old}9.9.9.5\r\n<html>\r\n502\r\n</html>`],
  ])("%s", async (_, body) => {
    const headers = { "Content-Type": "text/plain" };
    await refreshAfterAnswer(() => new Response(body, { headers }));
    await expectRefused(/a page of HTML or XML instead of a list/);
  });

  it("bytes that are not text", async () => {
    const bytes = Uint8Array.from({ length: 4096 }, (_, index) => (index * 167) % 256);
    await refreshAfterAnswer(new Response(bytes));
    await expectRefused(/line/);
  });

  it("a list that does not end", async () => {
    expect(refreshLimits.maxBytes).toBe(32 * 1024 * 1024);
    const limits = { ...refreshLimits, maxBytes: 1_000_000 };
    const chunk = "# and one more comment without content\n".repeat(1500);
    await refreshAfterAnswer(() => streamEndlessly(chunk), {}, limits);
    await expectRefused(/longer than 1000000 bytes/);
  });

  it("a line that does not end", async () => {
    const limits = { ...refreshLimits, maxBytes: 1_000_000 };
    await refreshAfterAnswer(() => streamEndlessly("9".repeat(65_536)), {}, limits);
    await expectRefused(/longer than 1000000 bytes/);
  });

  it("a list with more rows than fit into memory", async () => {
    const limits = { ...refreshLimits, timeoutMs: 25_000 };
    await refreshAfterAnswer(() => streamEndlessly(old.repeat(2000)), {}, limits);
    await expectRefused(/more than 300000 rows/);
  });

  it("a publisher that does not answer", async () => {
    expect(refreshLimits.timeoutMs).toBe(10_000);
    const never = () => new Promise<Response>(() => {});
    await refreshAfterAnswer(never, {}, { ...refreshLimits, timeoutMs: 50 });
    await expectRefused(/within 50 ms/);
  });

  it("an answer that stalls", async () => {
    const stalled = () =>
      new Response(
        new ReadableStream({ start: (to) => to.enqueue(new TextEncoder().encode(old)) }),
      );
    await refreshAfterAnswer(stalled, {}, { ...refreshLimits, timeoutMs: 50 });
    await expectRefused(/within 50 ms/);
  });

  it("a connection that breaks", async () => {
    await refreshAfterAnswer(() => {
      throw new TypeError("connection reset");
    });
    await expectRefused(/connection failed/);
  });

  it.each([204, 206, 304, 404, 429, 500])("the answer %i", async (status) => {
    const body = [204, 304].includes(status) ? null : old;
    // The feed has an ETag, so 304 is valid for it; for a feed without an ETag it is refused.
    const publisher = await refreshAfterAnswer(new Response(body, { status }));
    if (status !== 304) return await expectRefused(new RegExp(`answer was ${status}`));
    expect(await readFeedRecord("tor-exits")).toMatchObject({ fetchedAt: later, lastError: null });
    publisher.publish("ipsum", () => new Response(null, { status: 304 }));
    await publisher.refresh("ipsum", later);
    expect((await readFeedRecord("ipsum")).lastError?.reason).toMatch(/answer was 304/);
  });

  it("a redirect away from https without following it", async () => {
    const to = "http://lists.example/tor.txt";
    const redirect = new Response(null, { status: 302, headers: { Location: to } });
    const publisher = await refreshAfterAnswer(redirect, { [to]: `${old}9.9.9.5\n` });
    expect(publisher.requests.map(([name]) => name)).not.toContain(to);
    await expectRefused(/not https/);
  });

  it("a redirect to an invalid address", async () => {
    await refreshAfterAnswer(
      new Response(null, { status: 302, headers: { Location: "https://" } }),
    );
    await expectRefused(/leads nowhere/);
  });

  it("redirects in a circle", async () => {
    const location = addressOf("tor-exits");
    const answer = () => new Response(null, { status: 301, headers: { Location: location } });
    await refreshAfterAnswer(answer);
    await expectRefused(/too many redirects/);
  });
});

describe("A refresh", () => {
  it("follows a redirect that stays on https", async () => {
    const to = "https://lists.example/tor.txt";
    const redirect = new Response(null, { status: 302, headers: { Location: to } });
    await refreshAfterAnswer(redirect, { [to]: `${old}9.9.9.5\n` });
    expect(await kindsOf("9.9.9.5", later)).toEqual(["tor"]);
  });

  it("applies a refused list within the hour once it is valid, and clears the error", async () => {
    const publisher = await refreshAfterAnswer(new Response("down", { status: 500 }));
    publisher.publish("tor-exits", `${old}9.9.9.5\n`);
    await publisher.refresh("tor-exits", later + hour);
    expect(await readFeedRecord("tor-exits")).toMatchObject({ rows: 5, lastError: null });
    expect(await kindsOf("9.9.9.5", later + hour)).toEqual(["tor"]);
  });

  it("records the error of a feed that could never be fetched", async () => {
    await new Publisher().refresh("ipsum", now);
    const record = await readFeedRecord("ipsum");
    expect(record).toMatchObject({ rows: 0, fetchedAt: 0, value: null });
    expect(record.lastError).toEqual({ at: now, reason: "the answer was 404" });
    expect(await env.IP_REPUTATION.get("net/v2/current")).toBeNull();
  });

  it("applies Spamhaus DROP with CRLF and byte order mark, and names a refused list in the log", async () => {
    const drop =
      '\uFEFF{"cidr":"9.9.8.0/24","sblid":"SBL1","rir":"apnic"}\r\n' +
      '{"type":"metadata","timestamp":1727634153,"records":1}\r\n';
    const lines: unknown[] = [];
    vi.spyOn(console, "error").mockImplementation((line) => void lines.push(JSON.parse(line)));
    const publisher = new Publisher().publish("spamhaus-drop-v4", drop).publish("ipsum", "<html>");
    await publisher.refresh("ipsum,spamhaus-drop-v4", now);
    expect(await readFeedRecord("spamhaus-drop-v4")).toMatchObject({ rows: 1, skippedLines: 0 });
    expect(await kindsOf("9.9.8.7", now)).toEqual(["threat"]);
    expect(lines).toMatchObject([
      { event: "feeds_refused", problems: ["ipsum: a page of HTML or XML instead of a list"] },
    ]);
  });

  it("applies a list with a bad line, and counts the line", async () => {
    await new Publisher().publish("tor-exits", "9.9.9.1\nnonsense\n").refresh("tor-exits", now);
    expect(await readFeedRecord("tor-exits")).toMatchObject({ rows: 1, skippedLines: 1 });
    expect(await kindsOf("9.9.9.1", now)).toEqual(["tor"]);
  });
});
