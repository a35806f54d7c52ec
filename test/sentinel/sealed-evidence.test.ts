/** The evidence of a stored assessment opens with the key of its day alone, and older forms stay as they are. */
import { describe, expect, it, vi } from "vitest";
import { openEvidence, sealEvidence } from "../../src/sentinel/sealed-evidence.ts";

const tenantId = "6908bffd1c2e4a5b9d7f0a31";
const identityId = "a".repeat(24);
const owner = { tenantId, identityId };
const dayKey = { day: 20_000, key: new Uint8Array(32).fill(7) };
const keys = new Map([[dayKey.day, dayKey.key]]);
const findKeys = async () => ({ keys });

async function open(evidence: string, given = { tenantId, identityId, keys }): Promise<string> {
  const row = { identityId: given.identityId, evidence };
  const found = await openEvidence(given.tenantId, [row], async () => ({ keys: given.keys }));
  return found.map((one) => one.evidence).join();
}

describe("Sealed evidence", () => {
  it.each(["1.AAECAw", "2._-8", '{"context":{}}', "1.A", "1.not base64", ""])(
    "opens as it was: %s",
    async (text) => {
      const sealed = await sealEvidence(dayKey, owner, text);
      expect(sealed).toMatch(/^d20000\.1\./);
      expect(await open(sealed)).toBe(text);
    },
  );

  it("is about 50 bytes longer than the compact form", async () => {
    const text = `1.${"A".repeat(400)}`;
    expect((await sealEvidence(dayKey, owner, text)).length - text.length).toBeLessThan(50);
  });

  it("is empty for another identity or tenant, with another key, without one, and if it was altered", async () => {
    const sealed = await sealEvidence(dayKey, owner, "1.AAECAw");
    const given = { tenantId, identityId, keys };
    const otherKeys = new Map([[dayKey.day, new Uint8Array(32)]]);
    expect(await open(sealed, { ...given, identityId: "b".repeat(24) })).toBe("");
    expect(await open(sealed, { ...given, tenantId: "other" })).toBe("");
    expect(await open(sealed, { ...given, keys: otherKeys })).toBe("");
    expect(await open(sealed, { ...given, keys: new Map() })).toBe("");
    expect(await open(sealed.replace("d20000", "d20001"))).toBe("");
    expect(await open(`${sealed.slice(0, -2)}AA`)).toBe("");
  });

  it("takes one call for all days of a page, and none if nothing is sealed", async () => {
    const find = vi.fn(findKeys);
    const older = ["1.AAECAw", '{"context":{}}', null];
    const rows = older.map((evidence) => ({ identityId, evidence }));
    expect(await openEvidence(tenantId, rows, find)).toEqual(rows);
    expect(find).not.toHaveBeenCalled();
    const sealed = { identityId, evidence: await sealEvidence(dayKey, owner, "1.AAAA") };
    const opened = await openEvidence(tenantId, [...rows, sealed, sealed], find);
    expect(opened.slice(3).map(({ evidence }) => evidence)).toEqual(["1.AAAA", "1.AAAA"]);
    expect(find.mock.calls).toEqual([[[dayKey.day]]]);
  });
});
