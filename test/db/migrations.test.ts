import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";

describe("The migrations", () => {
  it("create the wide tables WITHOUT ROWID, so that a row is written once", async () => {
    const { results } = await env.DB.prepare("PRAGMA table_list").all<{
      name: string;
      wr: number;
    }>();
    const tables = results.filter(({ name }) => !/^(sqlite|_cf|d1)_/i.test(name));
    const described = tables.map(({ name, wr }) => `${name}${wr === 1 ? " without rowid" : ""}`);
    expect(described.toSorted()).toEqual([
      "api_tokens",
      "assessments without rowid",
      "audit_events without rowid",
      "audit_tiles without rowid",
      "audit_trees without rowid",
      "control_outbox without rowid",
      "identities without rowid",
      "job_cursors without rowid",
      "key_versions",
      "populations without rowid",
      "re_encryptions",
      "relocations without rowid",
      "request_keys without rowid",
      "space_reserve",
      "tenant_fences without rowid",
      "tenants",
    ]);
  });
});
