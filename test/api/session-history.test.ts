/** `POST /v1/sentinel/history`: past sessions become the history of their users. */
import { describe, expect, it, vi } from "vitest";
import { Tenant, User } from "../support/client.ts";
import { evict, replaceState } from "../support/guard.ts";
import { readTables } from "../support/guard-snapshot.ts";

const day = 24 * 60 * 60 * 1000;
const now = Date.parse("2026-06-30T12:00:00Z");
const desk = {
  ip: "84.208.20.110",
  ua: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
};
const thief = {
  ip: "177.38.4.9",
  ua: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
};

function timeOf(daysAgo: number): string {
  return new Date(now - daysAgo * day).toISOString();
}

function rowOf(user: { readonly externalId: string }, daysAgo: number, context: object = desk) {
  return { external_id: user.externalId, time: timeOf(daysAgo), context };
}

async function createTenant(): Promise<Tenant> {
  const tenant = await Tenant.create();
  tenant.clock = new Date(now).toISOString();
  return tenant;
}

async function importRows(tenant: Tenant, sessions: readonly object[]) {
  return await tenant.send("POST", "/v1/sentinel/history", { sessions });
}

async function outcomesOf(tenant: Tenant, sessions: readonly object[]): Promise<string[]> {
  const { status, body } = await importRows(tenant, sessions);
  expect(status).toBe(200);
  return body.results.map(({ outcome, code }: { outcome: string; code?: string }) =>
    code === undefined ? outcome : `${outcome} ${code}`,
  );
}

describe("Imported sessions", () => {
  it("are history that scores learn from at once", async () => {
    const tenant = await createTenant();
    const user = await User.provision(tenant);
    const before = (await user.discover(thief)).body.risk_score;
    const rows = Array.from({ length: 12 }, (_, n) => rowOf(user, n + 2));
    expect(await outcomesOf(tenant, rows)).toEqual(rows.map(() => "imported"));
    const usual = (await user.discover(desk)).body.risk_score;
    expect(usual).toBeLessThan(before);
    const { body } = await user.discover(thief);
    expect(body.risk_score).toBeGreaterThan(usual);
    const signals = body.reasons.map(({ signal }: { signal: string }) => signal);
    expect(signals).toContain("network_history");
  });

  it("are found again when a row is repeated, and each user that changed has one event", async () => {
    const tenant = await createTenant();
    const [alice, bob] = [await User.provision(tenant), await User.provision(tenant)];
    const rows = [rowOf(alice, 3), rowOf(bob, 4), rowOf(alice, 5)];
    expect(await outcomesOf(tenant, rows)).toEqual(["imported", "imported", "imported"]);
    const again = [...rows, rowOf(bob, 9)];
    const known = "skipped already_imported";
    expect(await outcomesOf(tenant, again)).toEqual([known, known, known, "imported"]);
    const counts = async (user: User) =>
      (await user.events())
        .filter(({ action }) => action === "session.imported")
        .map(({ details }) => details.sessions);
    expect(await counts(alice)).toEqual([2]);
    expect(await counts(bob)).toEqual([1, 1]);
    const elsewhere = { ...desk, ip: "84.208.20.111" };
    expect(await outcomesOf(tenant, [rowOf(alice, 3, elsewhere)])).not.toEqual([known]);
  });

  it("fail and are left out row by row, in the order sent", async () => {
    const tenant = await createTenant();
    const user = await User.provision(tenant);
    const stranger = await User.provision(await createTenant());
    const rows: readonly (readonly [object, string])[] = [
      [rowOf(user, 3), "imported"],
      [rowOf({ externalId: "nobody" }, 3), "failed user_not_found"],
      [rowOf(stranger, 3), "failed user_not_found"],
      [rowOf(user, 3, { ...desk, ip: "84.208.20.256" }), "failed invalid_request"],
      [{ ...rowOf(user, 3), time: "yesterday" }, "failed invalid_request"],
      [{ ...rowOf(user, 3), external_id: "" }, "failed invalid_request"],
      [rowOf(user, -1), "failed invalid_request"],
      [rowOf(user, 3, { ...desk, time_zone: "+02:00" }), "failed invalid_request"],
      [rowOf(user, 3, { ...desk, ja4: "x" }), "failed invalid_request"],
      [rowOf(user, 3, { ...desk, client_hints: { a: "x".repeat(257) } }), "failed invalid_request"],
      [rowOf(user, 0.5), "skipped too_recent"],
      [rowOf(user, 184), "skipped too_old"],
      [rowOf(user, 4, { ...desk, ua: null }), "imported"],
    ];
    const { body } = await importRows(
      tenant,
      rows.map(([row]) => row),
    );
    expect(body.results[3]).toMatchObject({
      external_id: user.externalId,
      message: "context.ip must be an IPv4 or IPv6 address",
    });
    const outcomes = rows.map(([, outcome]) =>
      outcome.replace("imported", "skipped already_imported"),
    );
    expect(
      await outcomesOf(
        tenant,
        rows.map(([row]) => row),
      ),
    ).toEqual(outcomes);
    expect(body.results.map(({ outcome }: { outcome: string }) => outcome)).toEqual(
      rows.map(([, outcome]) => outcome.split(" ")[0]),
    );
  });

  it("fail for a user whose guard cannot answer, and are imported for the others", async () => {
    const tenant = await createTenant();
    const [alice, bob] = [await User.provision(tenant), await User.provision(tenant)];
    await replaceState(bob, "'damaged'");
    await evict(bob);
    const rows = [rowOf(bob, 3), rowOf(alice, 3), rowOf(bob, 4)];
    const failed = "failed unavailable";
    expect(await outcomesOf(tenant, rows)).toEqual([failed, "imported", failed]);
  });

  it("are replayed with the first answer to a request that is sent again with its key", async () => {
    const tenant = await createTenant();
    const user = await User.provision(tenant);
    tenant.requestKey = "import-1";
    expect(await outcomesOf(tenant, [rowOf(user, 3)])).toEqual(["imported"]);
    expect(await outcomesOf(tenant, [rowOf(user, 3)])).toEqual(["imported"]);
    const other = await importRows(tenant, [rowOf(user, 4)]);
    expect([other.status, other.body.code]).toEqual([422, "idempotency_mismatch"]);
    tenant.requestKey = undefined;
    const events = (await user.events()).filter(({ action }) => action === "session.imported");
    expect(events).toHaveLength(1);
  });

  it("may be a hundred in a body of 128 KiB, and are kept as keyed hashes alone", async () => {
    const tenant = await createTenant();
    const user = await User.provision(tenant);
    const hints = { "sec-ch-ua-model": "Secret-Model", padding: "x".repeat(200) };
    const context = { ...desk, time_zone: "Europe/Oslo", client_hints: hints };
    const rows = Array.from({ length: 100 }, (_, n) => rowOf(user, 2 + n, context));
    const logged = vi.spyOn(console, "log");
    const outcomes = await outcomesOf(tenant, rows);
    expect(outcomes.filter((outcome) => outcome === "imported").length).toBeGreaterThan(5);
    expect(new Set(outcomes)).toEqual(new Set(["imported", "skipped not_kept"]));
    const kept = `${JSON.stringify(await readTables(user))}${JSON.stringify(logged.mock.calls)}`;
    expect(kept).not.toMatch(/84\.208|Oslo|Secret-Model|AppleWebKit/i);
    const oneMore = [...rows, rowOf(user, 2)];
    expect((await importRows(tenant, oneMore)).body.issues).toMatchObject([{ path: "sessions" }]);
    expect((await importRows(tenant, [])).status).toBe(400);
    const long = { ...desk, accept_language: "x".repeat(128 * 1024) };
    const { status, body } = await importRows(tenant, [rowOf(user, 2, long)]);
    expect([status, body.code, body.error]).toEqual([
      ...[413, "body_too_large"],
      "The body exceeds 128 KiB; send a smaller one.",
    ]);
  });

  it("can be reported as nothing, and do not show in the list of assessments", async () => {
    const tenant = await createTenant();
    const user = await User.provision(tenant);
    await importRows(tenant, [rowOf(user, 3)]);
    await user.events();
    expect((await tenant.send("GET", "/v1/sentinel/assessments")).body.assessments).toEqual([]);
  });
});
