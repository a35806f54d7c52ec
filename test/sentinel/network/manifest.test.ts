import { describe, expect, it } from "vitest";
import { buildShards, type Feed } from "../../../src/sentinel/network/build.ts";
import {
  parseDigests,
  planImport,
  serializeDigests,
} from "../../../src/sentinel/network/digests.ts";
import {
  createManifest,
  hasShard,
  parseManifest,
  serializeManifest,
} from "../../../src/sentinel/network/manifest.ts";
import type { ShardId } from "../../../src/sentinel/network/shard.ts";
import { feed, NOW } from "./support.ts";

const SHARDS: ShardId[] = [
  { family: 6, number: 0x2a026 },
  { family: 4, number: 0 },
  { family: 4, number: 0x011 },
  { family: 4, number: 0xfff },
  { family: 6, number: 0x20010 },
  { family: 6, number: 0x00001 },
];
const FEEDS = [{ name: "x", kind: "vpn" as const, source: "x.txt", rows: 3, skipped: 1 }];

describe("a manifest", () => {
  it("survives being written and read", () => {
    const manifest = createManifest(NOW, FEEDS, SHARDS);
    expect(parseManifest(serializeManifest(manifest))).toEqual(manifest);
  });

  it("knows exactly the shards it was made from", () => {
    const manifest = createManifest(NOW, FEEDS, SHARDS);
    for (const shard of SHARDS) expect(hasShard(manifest, shard)).toBe(true);
    for (const number of [1, 0x010, 0x012, 0xffe]) {
      expect(hasShard(manifest, { family: 4, number })).toBe(false);
    }
    for (const number of [0, 2, 0x2000f, 0x20011, 0x2a025, 0x2a027, 0xfffff]) {
      expect(hasShard(manifest, { family: 6, number })).toBe(false);
    }
  });

  it("of nothing has no shard", () => {
    const manifest = createManifest(NOW, [], []);
    expect(hasShard(manifest, { family: 6, number: 0 })).toBe(false);
    expect(hasShard(manifest, { family: 4, number: 0 })).toBe(false);
  });

  const good = serializeManifest(createManifest(NOW, FEEDS, SHARDS));
  it.each([
    ["nothing", ""],
    ["half of one", good.slice(0, 400)],
    ["another format", good.replace('"format":1', '"format":2')],
    ["a bitmap of the wrong size", good.replace(/"v4":"[^"]*"/, '"v4":"AAAA"')],
    ["a bitmap that is not base64", good.replace(/"v4":"[^"]*"/, '"v4":"A"')],
    ["a broken list of shards", good.replace('"v6":"0', '"v6":"')],
    ["a list of shards that is not hexadecimal", good.replace('"v6":"0', '"v6":"x')],
    ["an unknown kind of feed", good.replace('"kind":"vpn"', '"kind":"nice"')],
    ["other JSON", "[]"],
  ])("is refused when it is %s", (_, text) => {
    expect(text).not.toBe(good);
    expect(parseManifest(text)).toBeUndefined();
  });
});

describe("the plan of an import", () => {
  const before = [feed("vpn", "11.0.0.0/24", "12.0.0.0/24", "2a00::/32")];
  const after = [feed("vpn", "11.0.0.0/24", "13.0.0.0/24", "2a00::/33")];

  function build(feeds: readonly Feed[], seconds: number) {
    return buildShards(feeds, seconds);
  }

  const first = planImport(build(before, 1), new Set(), new Map());
  const stored = new Set(first.digestsAfter.keys());

  it("writes everything when nothing is stored", () => {
    expect(first.write.map(({ key }) => key)).toEqual([
      "net/v1/4/0b0",
      "net/v1/4/0c0",
      "net/v1/6/2a000",
    ]);
    expect(first.remove).toEqual([]);
  });

  it("writes nothing when only the time has passed", () => {
    const plan = planImport(build(before, 2), stored, first.digestsAfter);
    expect(plan).toMatchObject({ write: [], remove: [], unchanged: 3 });
  });

  it("writes what changed and removes what vanished", () => {
    const plan = planImport(build(after, 2), stored, first.digestsAfter);
    expect(plan.write.map(({ key }) => key)).toEqual(["net/v1/4/0d0", "net/v1/6/2a000"]);
    expect(plan.remove).toEqual(["net/v1/4/0c0"]);
    expect(plan.unchanged).toBe(1);
  });

  it("vouches during the import only for shards that it does not touch", () => {
    const plan = planImport(build(after, 2), stored, first.digestsAfter);
    expect([...plan.digestsDuring.keys()]).toEqual(["net/v1/4/0b0"]);
  });

  it("mends everything after an import that died half-way", () => {
    const dying = planImport(build(after, 2), stored, first.digestsAfter);
    const left = new Set([...stored, "net/v1/4/0d0"]);
    const plan = planImport(build(before, 3), left, dying.digestsDuring);
    expect(plan.write.map(({ key }) => key)).toEqual(["net/v1/4/0c0", "net/v1/6/2a000"]);
    expect(plan.remove).toEqual(["net/v1/4/0d0"]);
  });

  it("writes a shard again that has a digest but is gone", () => {
    const plan = planImport(build(before, 2), new Set(["net/v1/4/0b0"]), first.digestsAfter);
    expect(plan.write.map(({ key }) => key)).toEqual(["net/v1/4/0c0", "net/v1/6/2a000"]);
  });

  it("takes unreadable digests for none", () => {
    expect(parseDigests(undefined).size).toBe(0);
    expect(parseDigests("{").size).toBe(0);
    expect(parseDigests('{"format":2,"shards":{}}').size).toBe(0);
    expect(parseDigests(serializeDigests(first.digestsAfter))).toEqual(first.digestsAfter);
  });
});
