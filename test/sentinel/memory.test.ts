/** Stored sessions stay correct under floods, late deliveries, erasures and restores. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { findTenantDb } from "../../src/db/shards.ts";
import { findSessions } from "../../src/sentinel/assessments/store.ts";
import { send, Tenant, User } from "../support/client.ts";
import { evict, guardOf, loseStorage } from "../support/guard.ts";
import { replaceNextBatchOf } from "../support/next-batch.ts";
import { keysFinderOf } from "../support/stored-evidence.ts";

const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1"));

async function createUser(): Promise<User> {
  return await User.withTotp(await Tenant.create("live"));
}

async function verdictOf(assessmentId: string): Promise<unknown> {
  return await env.DB.prepare("SELECT verdict FROM assessments WHERE id = ?")
    .bind(assessmentId)
    .first("verdict");
}

/** Inserts copies of an assessment, a minute later, with the given verdict. */
async function copyAssessment(
  count: number,
  assessmentId: string,
  verdict: string | null,
): Promise<void> {
  await env.DB.prepare(
    `WITH RECURSIVE copy(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copy WHERE n < ?)
    INSERT INTO assessments SELECT tenant_id,
      printf('%012x', at + 60000) || printf('%012x', n) || identity_id, identity_id, at + n, model,
      risk_score, recommendation, reasons, degraded, evidence, evidence_digest, policy,
      context_digest, ?, 'feedback', at
    FROM assessments, copy WHERE id = ?`,
  )
    .bind(count, verdict, assessmentId)
    .run();
}

/** Deletes the guard's sessions and keeps its identity. */
async function deleteSessions(user: User): Promise<void> {
  await runInDurableObject(guardOf(user), (_guard, { storage }) => {
    storage.sql.exec("DROP TABLE IF EXISTS sessions");
    storage.sql.exec("UPDATE live SET state = json_remove(state, '$.sessions')");
  });
  await evict(user);
  await user.profile();
}

/** Delays the next answer of D1 to a read until `release`. */
function holdNextRead() {
  const reached = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const real = statement.raw;
  vi.spyOn(statement, "raw").mockImplementationOnce(async function (
    this: unknown,
    ...args: unknown[]
  ) {
    const answer = await real.apply(this, args);
    reached.resolve();
    await gate.promise;
    return answer;
  });
  return { reached: reached.promise, release: gate.resolve };
}

/** Never answers the next batch of the tenant to D1; `applyLate` applies it later. */
function holdNextBatch({ id }: Tenant) {
  const held = Promise.withResolvers<void>();
  let late: () => Promise<unknown> = async () => {};
  replaceNextBatchOf(id, (real) => {
    late = real;
    held.resolve();
    return new Promise(() => {});
  });
  return { held: held.promise, applyLate: async () => await late() };
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("A restored guard", () => {
  it("loads reported and confirmed sessions, each up to its bound", async () => {
    const user = await createUser();
    const { assessment_id: id } = await user.assess();
    await user.sendFeedback(id, "fraud");
    await copyAssessment(150, id, "legitimate");
    const sessions = await findSessions(
      await findTenantDb(env, user.tenant.id),
      user.tenant.id,
      user.id,
      keysFinderOf(user.tenant.id),
    );
    expect(sessions.filter(({ verdict }) => verdict === "fraud")).toMatchObject([{ id }]);
    expect(sessions.filter(({ verdict }) => verdict === "legitimate")).toHaveLength(100);
    const times = sessions.map(({ at }) => at);
    expect(times).toEqual(times.toSorted((left, right) => left - right));
  });

  it("accepts its user's code when it cannot read a stored session", async () => {
    const user = await createUser();
    await user.sendFeedback((await user.assess()).assessment_id, "legitimate");
    await env.DB.prepare(`UPDATE assessments SET evidence = '{"context":{}}' WHERE identity_id = ?`)
      .bind(user.id)
      .run();
    await loseStorage(user);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
  });

  it("reads only the rows of its identity, not those of the whole tenant", async () => {
    const user = await createUser();
    const { assessment_id: id } = await user.assess();
    await user.events();
    await copyAssessment(20_000, id, null);
    const read: number[] = [];
    const real = statement.all;
    vi.spyOn(statement, "all").mockImplementation(async function (this: unknown, ...args) {
      const answer = await real.apply(this, args);
      read.push(answer.meta.rows_read);
      return answer;
    });
    const raw = statement.raw;
    vi.spyOn(statement, "raw").mockImplementation(async function (this: unknown, ...args) {
      read.push((await real.apply(this)).meta.rows_read);
      return await raw.apply(this, args);
    });
    const unknownUser = "abcdefabcdefabcdefabcdef";
    const db = await findTenantDb(env, user.tenant.id);
    await findSessions(db, user.tenant.id, unknownUser, keysFinderOf(user.tenant.id));
    const { assessments } = (
      await user.tenant.send("GET", "/v1/sentinel/assessments?externalUserId=unknown-user")
    ).body;
    expect(assessments).toEqual([]);
    expect(read.length).toBeGreaterThan(2);
    expect(Math.max(...read)).toBeLessThan(50);
  });
});

describe("A delivery that D1 applies late", () => {
  it("does not overwrite a newer verdict", async () => {
    const user = await createUser();
    const { assessment_id: id } = await user.assess();
    await user.events();
    const { applyLate } = holdNextBatch(user.tenant);
    await user.sendFeedback(id, "legitimate");
    await user.sendFeedback(id, "fraud");
    await user.events();
    expect(await verdictOf(id)).toBe("fraud");
    await applyLate();
    expect(await verdictOf(id)).toBe("fraud");
  });

  it("restores nothing of an erased user when the same external id is provisioned again", async () => {
    const user = await createUser();
    await user.events();
    const { held, applyLate } = holdNextBatch(user.tenant);
    await user.assess();
    await held;
    expect((await user.tenant.send("DELETE", user.path())).status).toBe(204);
    await User.provision(user.tenant, user.externalId);
    await applyLate();
    const { results } = await env.DB.prepare("SELECT id FROM assessments WHERE tenant_id = ?")
      .bind(user.tenant.id)
      .all();
    expect(results).toEqual([]);
  });
});

describe("Feedback during the erasure of its user", () => {
  it("finds no assessment when the erasure completes while the receipt is being sealed", async () => {
    const user = await createUser();
    const { assessment_id: id } = await user.assess();
    const erase = () => user.tenant.send("DELETE", user.path());
    const prototype = Object.getPrototypeOf(crypto.subtle);
    const real = prototype.encrypt;
    let sealed = 0;
    vi.spyOn(prototype, "encrypt").mockImplementation(async function (this: unknown, ...args) {
      // Deliveries seal personal parts too, whenever their alarms fire; only receipts count.
      const { additionalData } = Object(args[0]);
      const isReceipt = new TextDecoder().decode(additionalData).includes("receipt ");
      if (!isReceipt) return await real.apply(this, args);
      sealed += 1;
      // The first receipt belongs to the claim in D1, the second to the guard.
      if (sealed === 2) expect((await erase()).status).toBe(204);
      return await real.apply(this, args);
    });
    const { body } = await send("POST", "/v1/sentinel/feedback", {
      token: user.tenant.token,
      headers: { "Idempotency-Key": "feedback-during-erasure" },
      body: { feedback: { assessment_id: id, outcome: "legitimate" } },
    });
    expect(body.code).toBe("assessment_not_found");
  });

  it("finds no assessment, and leaves no session with the user's successor", async () => {
    const user = await createUser();
    const { assessment_id: id } = await user.assess();
    await user.events();
    await deleteSessions(user);
    const read = holdNextRead();
    const pendingFeedback = user.sendFeedback(id, "legitimate");
    await read.reached;
    expect((await user.tenant.send("DELETE", user.path())).status).toBe(204);
    const successor = await User.provision(user.tenant, user.externalId);
    read.release();
    expect((await pendingFeedback).body.code).toBe("assessment_not_found");
    const tables = await runInDurableObject(guardOf(successor), (_guard, { storage }) =>
      storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'sessions'").toArray(),
    );
    expect(tables).toEqual([]);
  });
});

describe("A flood of sessions", () => {
  it("does not displace a session that a code confirms later", async () => {
    const user = await createUser();
    const { assessment_id: id } = await user.assess();
    for (let n = 0; n < 51; n += 1) await user.discover({ ip: "9.9.9.9", ua: "curl/8.9" });
    await user.events();
    expect((await user.verify(user.code(Date.now()), undefined, id)).status).toBe(200);
    await user.events();
    expect(await verdictOf(id)).toBe("legitimate");
  });

  it("does not block a code whose session D1 cannot read", async () => {
    const user = await createUser();
    const unknown = `${"0".repeat(24)}${user.id}`;
    await user.profile();
    vi.spyOn(statement, "raw").mockRejectedValue(new Error("D1_ERROR: injected"));
    expect((await user.verify(user.code(Date.now()), undefined, unknown)).status).toBe(200);
  });
});
