/** The data set states which kinds it has and how old each is. */
import { expect, it } from "vitest";
import { currentKey, encodeCurrent } from "../../../src/sentinel/network/current-data-set.ts";
import { lookupNetwork } from "../../../src/sentinel/network/lookup.ts";
import { dataKinds, type ListTimes } from "../../../src/sentinel/network/network-facts.ts";
import { buildThreatTable } from "../../../src/sentinel/network/threats.ts";
import { DAY_MS, THREAT } from "./sample.ts";
import { feedOf, NOW, WatchedStore } from "./support.ts";

async function findWith(lists: ListTimes) {
  const threats = buildThreatTable([feedOf("threat", "99.0.0.9 2"), feedOf("tor", "99.0.0.9")]);
  const current = encodeCurrent({ builtAt: NOW, threatsAt: NOW, lists }, [], threats);
  const store = new WatchedStore(new Map([[currentKey, current]]));
  const { facts, degraded, reason } = await lookupNetwork(store, THREAT, NOW);
  return { kinds: facts?.kinds, degraded, reason };
}

it("a data set with one list lacks every other kind", async () => {
  expect(await findWith({ tor: NOW })).toEqual({
    kinds: ["tor"],
    degraded: dataKinds.filter((kind) => kind !== "tor"),
    reason: undefined,
  });
});

it("a kind whose lists are too old does not count, and the others do", async () => {
  const { kinds, degraded, reason } = await findWith({ tor: NOW, threat: NOW - 15 * DAY_MS });
  expect(kinds).toEqual(["tor"]);
  expect(degraded).toContain("threat");
  expect(reason).toBe("stale");
});

it("geography needs both of its tables", async () => {
  expect((await findWith({ asn: NOW })).degraded).toContain("geography");
  expect((await findWith({ asn: NOW, country: NOW })).degraded).not.toContain("geography");
});
