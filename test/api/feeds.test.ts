/** `GET /v1/sentinel/feeds` over HTTP. */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { feedListKey } from "../../src/sentinel/feeds/feed-record.ts";
import {
  dataKinds,
  type NetworkKind,
  networkKinds,
} from "../../src/sentinel/network/network-facts.ts";
import {
  addressOf,
  emptyStore,
  hour,
  importFeeds,
  now,
  Publisher,
} from "../sentinel/feeds/publisher.ts";
import { Tenant } from "../support/client.ts";

const path = "/v1/sentinel/feeds";

afterEach(() => {
  vi.useRealTimers();
});

beforeEach(async () => {
  vi.restoreAllMocks();
  vi.spyOn(console, "error").mockImplementation(() => {});
  vi.spyOn(console, "info").mockImplementation(() => {});
  await emptyStore();
});

function coverageOf(kind: NetworkKind, lists: number, addresses: number | null) {
  const networks = addresses === null ? null : 0;
  return { kind, lists, ipv4_addresses: addresses, ipv6_networks: networks };
}

describe("GET /v1/sentinel/feeds", () => {
  it("is empty before the first import", async () => {
    const tenant = await Tenant.create("live");
    const { status, body } = await tenant.send("GET", path);
    expect(status).toBe(200);
    expect(body).toEqual({
      feeds: [],
      built_at: null,
      version: null,
      coverage: networkKinds.map((kind) => coverageOf(kind, 0, 0)),
      degraded: dataKinds,
    });
  });

  it("shows the source, licence, dates, rows and last error of each feed", async () => {
    await importFeeds([{ name: "own", kind: "vpn", lines: ["9.9.0.0/16"] }], now - hour);
    const publisher = new Publisher().publish("ipsum", "9.9.9.9\t3\nnonsense\n9.9.9.8\t1\n");
    await publisher.refresh("ipsum,tor-exits", now);
    vi.useFakeTimers({ toFake: ["Date"], now });
    const tenant = await Tenant.create("live");
    const { status, body } = await tenant.send("GET", path);
    expect(status).toBe(200);
    const at = new Date(now).toISOString();
    expect(body).toEqual({
      built_at: at,
      version: now,
      coverage: networkKinds.map((kind) => {
        if (kind === "vpn") return coverageOf(kind, 1, null);
        return kind === "threat" ? coverageOf(kind, 1, 2) : coverageOf(kind, 0, 0);
      }),
      degraded: dataKinds.filter((kind) => kind !== "vpn" && kind !== "threat"),
      feeds: [
        {
          name: "own",
          kind: "vpn",
          source: "own.txt",
          licence: null,
          format: null,
          fetched_at: new Date(now - hour).toISOString(),
          changed_at: new Date(now - hour).toISOString(),
          rows: 1,
          ipv4_addresses: null,
          ipv6_networks: null,
          skipped_lines: 0,
          last_error: null,
        },
        {
          name: "tor-exits",
          kind: "tor",
          source: addressOf("tor-exits"),
          licence: "CC0-1.0",
          format: "addresses",
          fetched_at: null,
          changed_at: null,
          rows: 0,
          ipv4_addresses: null,
          ipv6_networks: null,
          skipped_lines: 0,
          last_error: { at, reason: "the answer was 404" },
        },
        {
          name: "ipsum",
          kind: "threat",
          source: addressOf("ipsum"),
          licence: "Unlicense",
          format: "addresses with the number of lists",
          fetched_at: at,
          changed_at: at,
          rows: 2,
          ipv4_addresses: 2,
          ipv6_networks: 0,
          skipped_lines: 1,
          last_error: null,
        },
      ],
    });
  });

  it("requires the permission to read", async () => {
    const tenant = await Tenant.create("live");
    const token = await tenant.tokenWith(["idp:read", "sentinel:write"]);
    const { status, body } = await tenant.send("GET", path, undefined, token);
    expect(status).toBe(403);
    expect(body.code).toBe("insufficient_scope");
  });

  it.each(["fails", "hangs"])("is unavailable when KV %s", async (fault) => {
    const tenant = await Tenant.create("live");
    const kv = Object.getPrototypeOf(env.IP_REPUTATION);
    const never = new Promise<never>(() => {});
    const answer = () => (fault === "hangs" ? never : Promise.reject(new Error("KV GET failed")));
    vi.spyOn(kv, "get").mockImplementation(answer);
    const { status, body } = await tenant.send("GET", path);
    expect(status).toBe(503);
    expect(body.code).toBe("unavailable");
  });

  it.each(["{", "[]", '{"builtAt":1,"feeds":[{"name":"x"}]}'])(
    "is unavailable when the list is damaged: %s",
    async (text) => {
      await env.IP_REPUTATION.put(feedListKey, text);
      const tenant = await Tenant.create("live");
      const { status, body } = await tenant.send("GET", path);
      expect(status).toBe(503);
      expect(body.code).toBe("unavailable");
    },
  );
});
