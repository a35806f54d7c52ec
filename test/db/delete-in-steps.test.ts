/** Deletions of more rows than one statement of D1 can delete in its time limit. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { deleteExpired } from "../../src/housekeeping.ts";

const tenantId = "many-request-keys";

describe("The hourly housekeeping", () => {
  it("deletes a bounded number of rows of a table, and the next run continues", async () => {
    const now = Date.now();
    await env.DB.prepare(
      `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 26001)
       INSERT INTO request_keys (tenant_id, key, box, at, forget_at)
       SELECT ?1, n, '', 0, iif(n = 26001, ?2 + 60000, ?2) FROM numbers`,
    )
      .bind(tenantId, now)
      .run();
    const countRows = async () =>
      await env.DB.prepare("SELECT count(*) AS n FROM request_keys WHERE tenant_id = ?")
        .bind(tenantId)
        .first("n");
    await deleteExpired(env, now);
    expect(await countRows()).toBe(1_001);
    await deleteExpired(env, now);
    expect(await countRows()).toBe(1);
  });
});
