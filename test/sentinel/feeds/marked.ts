/** A list that marks one network in each of many shards, so that a reader sees halves of a change. */
import { expect } from "vitest";
import { geography, importFeeds, lookup, Publisher } from "./publisher.ts";

/** One network in each of as many shards, all of them in the given part of it. */
export function networks(count: number, part: number): string[] {
  return Array.from(
    { length: count },
    (_, index) => `${1 + (index >> 4)}.${(index % 16) * 16}.${part}.0/24`,
  );
}

export const places = geography(["1.0.0.0/8", 64500, "DE"], ["2.0.0.0/8", 64501, "FR"]);
export const names = "x4b-vpn-v4,tor-exits";

export async function imported(count: number, at: number): Promise<void> {
  const lines = networks(count, 0);
  await importFeeds(
    [
      { name: "x4b-vpn-v4", kind: "vpn", lines },
      { name: "own-threats", kind: "threat", lines: ["9.9.9.9"] },
    ],
    at,
    places,
  );
}

export function publisherOf(count: number, part: number, exit: string): Publisher {
  return new Publisher()
    .publish("x4b-vpn-v4", networks(count, part).join("\n"))
    .publish("tor-exits", `${exit}\n`);
}

/** The part of each network that is marked, as a reader finds it; all must agree. */
export async function markedPart(
  count: number,
  parts: readonly number[],
  at: number,
): Promise<number> {
  const found = new Set<number>();
  for (const part of parts) {
    for (const network of networks(count, part)) {
      const { facts, degraded } = await lookup(network.replace(".0/24", ".1"), at);
      expect(degraded).toBe(false);
      expect(facts?.asn).toBe(network.startsWith("1.") ? 64500 : 64501);
      if (facts?.kinds.includes("vpn")) found.add(part);
    }
  }
  expect(found.size).toBe(1);
  return [...found][0] ?? -1;
}
