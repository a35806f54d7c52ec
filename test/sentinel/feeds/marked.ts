/** A list that marks one network in each of many shards, so that a reader would see a partial change. */
import { expect } from "vitest";
import { geographyOf, importFeeds, lookUp, Publisher } from "./publisher.ts";

/** One network in each of `count` shards, all in the given part of their shard. */
export function listNetworks(count: number, part: number): string[] {
  return Array.from(
    { length: count },
    (_, index) => `${1 + (index >> 4)}.${(index % 16) * 16}.${part}.0/24`,
  );
}

export const geography = geographyOf(["1.0.0.0/8", 64500, "DE"], ["2.0.0.0/8", 64501, "FR"]);
export const feedNames = "x4b-vpn-v4,tor-exits";

export async function importMarked(count: number, at: number): Promise<void> {
  const lines = listNetworks(count, 0);
  await importFeeds(
    [
      { name: "x4b-vpn-v4", kind: "vpn", lines },
      { name: "own-threats", kind: "threat", lines: ["9.9.9.9"] },
    ],
    at,
    geography,
  );
}

export function publisherOf(count: number, part: number, exit: string): Publisher {
  return new Publisher()
    .publish("x4b-vpn-v4", listNetworks(count, part).join("\n"))
    .publish("tor-exits", `${exit}\n`);
}

/** The part that a reader finds marked; it must be the same in all shards. */
export async function findMarkedPart(
  count: number,
  parts: readonly number[],
  at: number,
): Promise<number> {
  const found = new Set<number>();
  for (const part of parts) {
    for (const network of listNetworks(count, part)) {
      const { facts, reason } = await lookUp(network.replace(".0/24", ".1"), at);
      expect(reason).toBeUndefined();
      expect(facts?.asn).toBe(network.startsWith("1.") ? 64500 : 64501);
      if (facts?.kinds.includes("vpn")) found.add(part);
    }
  }
  expect(found.size).toBe(1);
  return [...found][0] ?? -1;
}
