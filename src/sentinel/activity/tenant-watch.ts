/**
 * The tenant watch: one Durable Object for each tenant. It counts, over the whole tenant, how many users were tried
 * from one network within ten minutes, and keeps the sessions that were reported as fraud for a day
 * (tenant-activity.ts). An isolate reads it at most twice a minute (tenant-client.ts).
 *
 * Only attempts from networks that are new to their users reach it, and only after the answer. So an ordinary login
 * costs it nothing, and the row of attempts is written when a quarter of it is new, as in a prefix watch (decision
 * 106). It stores keyed hashes, numbers of autonomous systems and /32 networks, and deletes everything when it no
 * longer counts. The windows follow the times of the requests; the deletion follows the real clock. An error gives
 * null.
 */
import { DurableObject } from "cloudflare:workers";
import { z } from "zod";
import { causeOf, log } from "../../log.ts";
import {
  addAttempt,
  addFraud,
  attemptWindowMs,
  type FraudReport,
  fraudReportSchema,
  fraudWindowMs,
  type NetworkAttempt,
  networkAttemptSchema,
  summarizeActivity,
  type TenantActivity,
  withoutFraud,
} from "./tenant-activity.ts";

/** The row is written when the memory has at least one new attempt for so many stored ones. */
const storedPerNew = 4;

/** The rows. `storedAt` is in real time, Unix ms. */
const attemptsRow = z.object({
  storedAt: z.number(),
  attempts: z.array(networkAttemptSchema).readonly(),
});
const fraudsRow = z.object({
  storedAt: z.number(),
  frauds: z.array(fraudReportSchema).readonly(),
});
const noAttempts: z.infer<typeof attemptsRow> = { storedAt: 0, attempts: [] };
const noFrauds: z.infer<typeof fraudsRow> = { storedAt: 0, frauds: [] };

export class TenantWatch extends DurableObject<Env> {
  #attempts: readonly NetworkAttempt[] | undefined;
  /** Attempts that were added since the row was written. */
  #unstored = 0;
  #hasAlarm = false;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.blockConcurrencyWhile(async () => {
      this.#hasAlarm = (await ctx.storage.getAlarm()) !== null;
    });
  }

  /** @param now Unix ms; the tenant's test clock if one was sent */
  async read(now: number): Promise<TenantActivity | null> {
    return this.#attempt(() => this.#summarize(now));
  }

  /** Counts an attempt of a user who exists. */
  async count(attempt: NetworkAttempt): Promise<TenantActivity | null> {
    return await this.#attempt(async () => {
      const before = this.#readAttempts();
      const after = addAttempt(before, attempt);
      const isNew = !before.some(({ identityId }) => identityId === attempt.identityId);
      this.#attempts = after;
      if (isNew) this.#unstored += 1;
      if (this.#unstored * storedPerNew >= after.length) {
        this.ctx.storage.kv.put("attempts", { storedAt: Date.now(), attempts: after });
        this.#unstored = 0;
        await this.#ensureAlarm(Date.now() + attemptWindowMs);
      }
      return this.#summarize(attempt.at);
    });
  }

  /** Keeps a report of fraud for a day. */
  async report(fraud: FraudReport): Promise<void> {
    await this.#attempt(async () => {
      const frauds = addFraud(this.#readFrauds().frauds, fraud);
      this.ctx.storage.kv.put("frauds", { storedAt: Date.now(), frauds });
      await this.#ensureAlarm(Date.now() + fraudWindowMs);
    });
  }

  /** Withdraws a report. @param id keyed hash of the assessment's id, hex */
  async withdraw(id: string): Promise<void> {
    await this.#attempt(() => {
      const { storedAt, frauds } = this.#readFrauds();
      const left = withoutFraud(frauds, id);
      if (left.length < frauds.length)
        this.ctx.storage.kv.put("frauds", { storedAt, frauds: left });
    });
  }

  /** Deletes everything, for a tenant that is deleted. @returns whether that is done */
  async clear(): Promise<boolean> {
    const cleared = await this.#attempt(async () => {
      await this.ctx.storage.deleteAlarm();
      await this.ctx.storage.deleteAll();
      this.#attempts = undefined;
      this.#unstored = 0;
      this.#hasAlarm = false;
      return true;
    });
    return cleared ?? false;
  }

  /** Deletes what no longer counts. */
  override async alarm(): Promise<void> {
    this.#hasAlarm = false;
    const now = Date.now();
    const attemptsUntil = this.#readStoredAttempts().storedAt + attemptWindowMs;
    const fraudsUntil = this.#readFrauds().storedAt + fraudWindowMs;
    if (attemptsUntil <= now) {
      this.ctx.storage.kv.delete("attempts");
    }
    const next = [attemptsUntil, fraudsUntil].filter((until) => until > now);
    if (next.length > 0) await this.#ensureAlarm(Math.min(...next));
    else await this.ctx.storage.deleteAll();
  }

  async #attempt<T>(work: () => T | Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      log("error", "tenant_watch_failed", { cause: causeOf(error) });
      return null;
    }
  }

  #summarize(now: number): TenantActivity {
    return summarizeActivity(this.#readAttempts(), this.#readFrauds().frauds, now);
  }

  #readAttempts(): readonly NetworkAttempt[] {
    this.#attempts ??= this.#readStoredAttempts().attempts;
    return this.#attempts;
  }

  #readStoredAttempts() {
    return attemptsRow.optional().parse(this.ctx.storage.kv.get("attempts")) ?? noAttempts;
  }

  #readFrauds() {
    return fraudsRow.optional().parse(this.ctx.storage.kv.get("frauds")) ?? noFrauds;
  }

  /** An alarm that is pending and too early sets the next one itself. */
  async #ensureAlarm(at: number): Promise<void> {
    if (this.#hasAlarm) return;
    this.#hasAlarm = true;
    await this.ctx.storage.setAlarm(at);
  }
}
