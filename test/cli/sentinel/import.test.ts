/** The import parses its arguments, reads the feeds and records their sources. */

import { env } from "cloudflare:workers";
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  planCatalogue,
  planFeeds,
  readFeed,
} from "../../../packages/cli/src/sentinel/import/feeds.ts";
import { readGeography } from "../../../packages/cli/src/sentinel/import/geography.ts";
import {
  prepareDataSet,
  requireNoRemoval,
} from "../../../packages/cli/src/sentinel/import/prepare.ts";
import { readFeeds } from "../../../packages/cli/src/sentinel/import/refused.ts";
import { publicName, readText } from "../../../packages/cli/src/sentinel/import/source.ts";
import { catalogue } from "../../../src/sentinel/feeds/catalogue.ts";
import { type DataStore, putInForce } from "../../../src/sentinel/feeds/data-set.ts";
import { dataStoreOf } from "../../../src/sentinel/feeds/kv-store.ts";
import { FeedRefusal } from "../../../src/sentinel/feeds/validate-list.ts";
import { noGeography } from "../../../src/sentinel/network/build.ts";
import { createFeedParser } from "../../../src/sentinel/network/feed.ts";
import { dataKinds } from "../../../src/sentinel/network/network-facts.ts";
import {
  emptyStore,
  hour,
  importFeeds,
  kindsOf,
  lookUp,
  readFeedRecord,
  readInForce,
} from "../../sentinel/feeds/publisher.ts";
import { geographyOf, NOW } from "../../sentinel/network/support.ts";

describe("The feeds of an import", () => {
  it.each([
    ["vpn=a.txt", "vpn"],
    ["x4b_datacenter=a.txt", "hosting"],
    ["tor=exits.txt", "tor"],
    ["ipsum=ipsum.txt", "threat"],
    ["mine:relay=a.txt", "relay"],
    ["vpn:hosting=a.txt", "hosting"],
    ["apple-proxy-v4=a.txt", "relay"],
    ["openai-v4=a.txt", "crawler"],
  ])("%s are of kind %s", (argument, kind) => {
    expect(planFeeds([argument])[0]?.kind).toBe(kind);
  });

  it("of a name that says nothing need a kind", () => {
    expect(() => planFeeds(["mine=a.txt"])).toThrow(/write --feed mine:KIND=…, where KIND is one/);
  });

  it("of one name form one feed of several files, in their order", () => {
    expect(planFeeds(["vpn=b.txt", "tor=t.txt", "vpn=https://lists.example/a=b?c=d"])).toEqual([
      { name: "vpn", kind: "vpn", sources: ["b.txt", "https://lists.example/a=b?c=d"] },
      { name: "tor", kind: "tor", sources: ["t.txt"] },
    ]);
  });

  it.each([
    ["vpn", /expected NAME=FILE/],
    ["=a.txt", /expected NAME=FILE/],
    ["vpn=", /expected NAME=FILE/],
    ["vpn:nice=a.txt", /KIND must be one of hosting, vpn/],
    ["a b=a.txt", /NAME may have letters/],
    ["../x=a.txt", /NAME may have letters/],
    [`${"x".repeat(65)}=a.txt`, /NAME may have letters/],
  ])("%j is refused", (argument, message) => {
    expect(() => planFeeds([argument])).toThrow(message);
  });

  it("of one name must be of one kind", () => {
    expect(() => planFeeds(["x:vpn=a.txt", "x:tor=b.txt"])).toThrow(/x is of kind vpn already/);
  });

  it("of the catalogue include all except those given as arguments", () => {
    const given = planFeeds(["ipsum=mine.txt"]);
    const names = planCatalogue(given).map(({ name }) => name);
    expect(names).toEqual(catalogue.map(({ name }) => name).filter((name) => name !== "ipsum"));
  });
});

describe("The public name of a source", () => {
  it.each([
    ["/srv/private/lists/vpn.txt", "vpn.txt"],
    ["vpn.txt", "vpn.txt"],
    [
      "https://user:secret@lists.example/a/b.txt?key=secret#secret",
      "https://lists.example/a/b.txt",
    ],
  ])("for %s is %s", (source, name) => {
    expect(publicName(source)).toBe(name);
  });
});

describe("A feed from an address", () => {
  const text = "\uFEFF# list\n11.0.0.1\nbad\n11.0.1.0/24\n";

  afterEach(() => {
    vi.unstubAllGlobals();
  });

  /** Answers with the text in pieces of one byte, so that characters of several bytes are split. */
  function serve(body: string, headers: Record<string, string> = {}, status = 200): void {
    const stream = () =>
      new ReadableStream<Uint8Array>({
        start(controller) {
          for (const byte of new TextEncoder().encode(body)) {
            controller.enqueue(Uint8Array.of(byte));
          }
          controller.close();
        },
      });
    vi.stubGlobal("fetch", async (address: string) => {
      const response = new Response(stream(), { status, headers });
      Object.defineProperty(response, "url", { value: headers["x-final-url"] ?? address });
      return response;
    });
  }

  async function read(argument: string, table = noGeography) {
    const [plan] = planFeeds([argument]);
    if (plan === undefined) throw new Error("no plan");
    return await readFeed(plan, table, NOW);
  }

  it("is recorded with source, licence, rows, bad lines, digest and ETag", async () => {
    serve(text, { etag: '"one"' });
    const { record, feed } = await read("ipsum=https://u:p@lists.example/ipsum.txt?key=secret");
    expect(record).toEqual({
      name: "ipsum",
      kind: "threat",
      source: "https://lists.example/ipsum.txt",
      licence: "Unlicense",
      format: catalogue.find(({ name }) => name === "ipsum")?.format,
      rows: 2,
      skippedLines: 1,
      coverage: { addresses: 257, networks: 0 },
      sha256: createHash("sha256").update(text).digest("hex"),
      value: expect.stringMatching(/^[0-9a-f]{16}$/),
      etag: '"one"',
      fetchedAt: NOW,
      changedAt: NOW,
      lastError: null,
    });
    expect(feed.ranges.byFamily[4].length).toBe(2);
  });

  it("of network numbers becomes the address ranges that the table gives them", async () => {
    serve("AS64500 # ours\nAS64501\n");
    const table = geographyOf(["11.0.0.0/24,64500", "12.0.0.0/24,64502", "2a00::/32,64501"]);
    const { record, feed } = await read("vpn=https://lists.example/asn.txt", table);
    expect(record).toMatchObject({ rows: 2, skippedLines: 0 });
    expect(feed.ranges.byFamily[4].length).toBe(1);
    expect(feed.ranges.byFamily[6].length).toBe(1);
    await expect(read("vpn=https://lists.example/asn.txt")).rejects.toThrow(/add --geography/);
  });

  it.each<[string, string, Record<string, string>, number, RegExp]>([
    ["is missing", text, {}, 404, /vpn.txt: the answer was 404/],
    [
      "redirects away from https",
      text,
      { "x-final-url": "http://lists.example/" },
      200,
      /without https/,
    ],
    ["is a page", "<html>\r\n11.0.0.1\r\n11.0.0.2\r\n", {}, 200, /vpn.txt: a page of HTML or XML/],
    ["is mostly invalid", "x\n".repeat(3) + text, {}, 200, /vpn.txt: 4 of 6 lines/],
    ["is empty", "", {}, 200, /vpn.txt: no line has an entry/],
    ["has only metadata", '{"type":"metadata"}', {}, 200, /vpn.txt: no line has an entry/],
  ])("is refused when it %s", async (_, body, headers, status, message) => {
    serve(body, headers, status);
    const reading = read("vpn=https://lists.example/vpn.txt?key=secret");
    await expect(reading).rejects.toThrow(FeedRefusal);
    await expect(reading).rejects.toThrow(message);
  });

  it("is not fetched without https", async () => {
    serve(text);
    const parser = () => createFeedParser();
    const source = "http://lists.example/vpn.txt?key=secret";
    const reading = readText("vpn", source, createHash("sha256"), parser);
    await expect(reading).rejects.toThrow(
      "http://lists.example/vpn.txt: only https URLs are fetched",
    );
  });
});

describe("The lists of an import", () => {
  const drop = '{"cidr":"11.0.0.0/24","sblid":"SBL1"}\r\n{"type":"metadata","records":1}\r\n';

  const noTables = { asn: [], country: [], packages: undefined };

  beforeEach(emptyStore);
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  /** Serves a list at every URL, but a page where it names `page`, and nothing where it names `gone`. */
  function serveLists(): void {
    vi.stubGlobal("fetch", async (url: string) => {
      if (url.includes("gone")) throw new TypeError("cannot reach a host of user:secret@");
      const response = new Response(url.includes("page") ? "<html>\n9.9.9.9\n" : drop);
      Object.defineProperty(response, "url", { value: url });
      return response;
    });
  }

  async function readLists(store: Pick<DataStore, "read"> | undefined) {
    serveLists();
    const addresses = ["page", "gone", "drop"].map(
      (name) => `${name}:threat=https://lists.example/${name}`,
    );
    return await readFeeds(planFeeds(addresses), noGeography, store, NOW);
  }

  it("without a refused list are all others, and its record has the reason", async () => {
    const { inUse, records, refused } = await readLists(undefined);
    expect(refused).toEqual(["page", "gone"]);
    expect(inUse.map(({ record }) => [record.name, record.rows])).toEqual([["drop", 1]]);
    const errors = records.map(({ name, fetchedAt, value, lastError }) => [
      name,
      fetchedAt,
      value === null,
      lastError?.reason,
    ]);
    expect(errors).toEqual([
      ["drop", NOW, false, undefined],
      ["page", 0, true, "https://lists.example/page: a page of HTML or XML instead of a list"],
      ["gone", 0, true, "https://lists.example/gone: the connection failed"],
    ]);
  });

  it("contain the stored version of a refused list, unless its ranges are lost", async () => {
    const lines = ["12.0.0.0/24", "12.0.1.0/24"];
    const earlier = NOW - hour;
    await importFeeds(
      ["page", "gone", "drop"].map((name) => ({ name, kind: "threat", lines })),
      earlier,
    );
    const store = dataStoreOf(env.IP_REPUTATION);
    await store.remove([...(await store.list("net/v2/feed/gone/"))]);
    const { inUse, records, refused } = await readLists(store);
    expect(refused).toEqual(["page", "gone"]);
    expect(inUse.map(({ record, feed }) => [record.name, feed.ranges.byFamily[4].length])).toEqual([
      ["page", 2],
      ["drop", 1],
    ]);
    const [page] = inUse;
    expect(page?.record).toMatchObject({ rows: 2, fetchedAt: earlier, value: page?.value.digest });
    expect(page?.record.lastError).toMatchObject({
      at: NOW,
      reason: expect.stringMatching(/a page/),
    });
    expect(records.find(({ name }) => name === "gone")).toMatchObject({ rows: 0, value: null });
  });

  it("that were refused stay in use with their age, and the others come into force", async () => {
    const earlier = NOW - hour;
    await importFeeds([{ name: "page", kind: "tor", lines: ["12.0.0.1"] }], earlier);
    serveLists();
    const store = dataStoreOf(env.IP_REPUTATION);
    const feeds = planFeeds([
      "page:tor=https://lists.example/page",
      "vpn=https://lists.example/vpn",
    ]);
    const { dataSet, refused } = await prepareDataSet({ feeds, geography: noTables }, store, NOW);
    expect(refused).toEqual(["page"]);
    await putInForce(store, dataSet, NOW, Number.POSITIVE_INFINITY, () => {});
    expect(await kindsOf("12.0.0.1", NOW)).toEqual(["tor"]);
    expect(await kindsOf("11.0.0.1", NOW)).toEqual(["vpn"]);
    expect(await readInForce()).toMatchObject({ builtAt: NOW, threatsAt: earlier });
    const { degraded } = await lookUp("12.0.0.1", NOW);
    expect(degraded).toEqual(dataKinds.filter((kind) => kind !== "tor" && kind !== "vpn"));
    expect(await readFeedRecord("page")).toMatchObject({
      fetchedAt: earlier,
      lastError: { at: NOW },
    });
  });

  it("would remove a stored list that they do not name", async () => {
    await importFeeds(
      [
        { name: "vpn", kind: "vpn", lines: ["12.0.0.1"] },
        { name: "own", kind: "proxy", lines: ["12.0.1.1"] },
      ],
      NOW - hour,
    );
    const store = dataStoreOf(env.IP_REPUTATION);
    const feeds = planFeeds(["vpn=https://lists.example/vpn"]);
    await expect(requireNoRemoval({ feeds, geography: noTables }, store)).rejects.toThrow(
      /would remove what it does not name:\n {2}own \(proxy, \d rows?\)\n.*add --replace/,
    );
    const all = planFeeds(["vpn=https://lists.example/vpn", "own:proxy=https://lists.example/own"]);
    await requireNoRemoval({ feeds: all, geography: noTables }, store);
    await requireNoRemoval({ feeds, geography: noTables }, undefined);
  });

  it("change nothing if all of them are refused", async () => {
    serveLists();
    const feeds = planFeeds([
      "page:threat=https://lists.example/page",
      "gone:threat=https://lists.example/gone",
    ]);
    const preparing = prepareDataSet({ feeds, geography: noTables }, undefined, NOW);
    await expect(preparing).rejects.toThrow("Every list was refused. Nothing was written.");
  });

  it("end the import when the command is at fault", async () => {
    const plans = planFeeds(["vpn=http://lists.example/vpn.txt"]);
    await expect(readFeeds(plans, noGeography, undefined, NOW)).rejects.toThrow(/only https/);
  });
});

describe("A table of an import", () => {
  it("ends the import when it is refused", async () => {
    vi.stubGlobal("fetch", async (url: string) => {
      const response = new Response("<html>\n1.0.0.0/24,64500\n");
      Object.defineProperty(response, "url", { value: url });
      return response;
    });
    const plan = { asn: ["https://lists.example/asn.csv"], country: [], packages: undefined };
    await expect(readGeography(plan, NOW)).rejects.toThrow(
      /table asn was refused: .*asn.csv: a page/,
    );
    vi.unstubAllGlobals();
  });
});
