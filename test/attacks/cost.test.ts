/** Input: one request has a bounded cost for any tenant size, because tenants share databases. */
import { describe, expect, it } from "vitest";
import { type Answer, Tenant } from "../support/client.ts";
import { countCalls } from "../support/count-calls.ts";
import { sql } from "../support/trail.ts";

const userCount = 45_000;
const maxRowsRead = 41_000;

/** Inserts `userCount` users, all active except the last but one. */
async function insertUsers(tenant: Tenant, status: string, lockedUntil: string): Promise<void> {
  await sql(
    `INSERT INTO identities
       (tenant_id, id, external_id, status, locked_until, created_at, updated_at, version)
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${userCount})
     SELECT ?1, printf('%024x', i), 'user-' || i, CASE i WHEN ${userCount - 1} THEN ?2 ELSE 'active' END,
       CASE i WHEN ${userCount - 1} THEN ${lockedUntil} END, 0, 0, 1 FROM n`,
    tenant.id,
    status,
  );
}

describe("A directory search for the one user of 45,000 that is", () => {
  it.each([
    ["suspended", "suspended", "NULL"],
    ["locked", "active", "9999999999999"],
  ])(
    "%s reads a bounded number of rows per page and finds the user",
    async (status, stored, until) => {
      const tenant = await Tenant.create();
      await insertUsers(tenant, stored, until);
      const found: string[] = [];
      let pages = 0;
      for (let after = ""; ; pages += 1) {
        const path = `/v1/idp/users?status=${status}&limit=5${after}`;
        const { answer, counts } = await countCalls<Answer>(() => tenant.send("GET", path));
        expect(counts.d1RowsRead).toBeLessThan(maxRowsRead);
        const { users, has_more, next_after } = answer.body;
        found.push(...users.map(({ external_id }: { external_id: string }) => external_id));
        if (!has_more) break;
        after = `&after=${next_after}`;
      }
      expect(found).toEqual([`user-${userCount - 1}`]);
      expect(pages).toBeLessThan(4);
    },
  );
});
