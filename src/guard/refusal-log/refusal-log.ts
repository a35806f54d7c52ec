/**
 * The refusal log: one Durable Object for each tenant. It counts the requests that were refused before
 * they reached an identity, as a guard counts its own refusals: the first of a kind (reason, route, token)
 * is reported at once, the others together, with growing delays. It also counts the requests that read the
 * trail, and reports those of a token an hour after the first one.
 *
 * Counts and events are recorded in one synchronous step, and an alarm delivers the events to D1. Runs age
 * in real time, so the clock is read here; an event has the time of its request.
 */
import { DurableObject } from "cloudflare:workers";
import { auditEventSchema } from "../../audit/event.ts";
import { stampEvents } from "../../audit/stamp.ts";
import { insertEvents } from "../../audit/store.ts";
import { deliveryTimeoutMs, FencedTenantError, runBatch } from "../../db/client.ts";
import { isDeletedTenant } from "../../db/deleted-tenants.ts";
import { refuseIfLate } from "../../db/lateness.ts";
import { runInTenantDb } from "../../db/shards.ts";
import { Waker, type WokenTenant } from "../../destinations/waker.ts";
import { requireConfig } from "../../env.ts";
import { requireMatchingKeys } from "../../keys/key-check.ts";
import { causeOf, log } from "../../log.ts";
import { deliveryDelayMs } from "../../retry-alarm.ts";
import { SqlTable } from "../../sql-table.ts";
import {
  countRefusal,
  hasUnreported,
  markReported,
  type Refusal,
  reportDelayOf,
} from "../decisions/refusals.ts";
import { DeliveryAlarm } from "../delivery/delivery-alarm.ts";
import { type LoggedRun, type LogState, parseState, serializeState } from "./log-state.ts";
import { eventOf, type ReportEntry, refusalEntryOf } from "./report-event.ts";
import { buildReadEntry, countRead, readReportTimeOf, type TrailRead } from "./trail-read.ts";

/** From this number of runs on, a new token joins a run of the same kind. */
const maxRuns = 64;
/** A run without refusals is deleted after this time, which is longer than any report waits. */
const runLifetimeMs = 2 * 60 * 60 * 1000;
const maxEventsPerDelivery = 50;

function reportTimeOf(run: LoggedRun): number {
  return run.reportedAt + reportDelayOf(run);
}

export class RefusalLog extends DurableObject<Env> {
  readonly #stateTable = new SqlTable(
    this.ctx.storage.sql,
    "live",
    "(only INTEGER PRIMARY KEY CHECK (only = 1), state TEXT NOT NULL)",
  );
  readonly #outboxTable = new SqlTable(
    this.ctx.storage.sql,
    "outbox",
    "(seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL)",
  );
  /** Mirrors the table `live`: `undefined` until it was read, `null` when it is empty. */
  #state: LogState | null | undefined;
  readonly #alarm = new DeliveryAlarm(this.ctx, this.env, "refusal_log");
  readonly #waker = new Waker(this.env);

  /** Counts a refusal. Returns whether it was recorded. Nothing is awaited between read and write. */
  async count(tenantId: string, refusal: Refusal, tenant?: WokenTenant): Promise<boolean> {
    try {
      if (tenant !== undefined) this.#waker.note(tenant);
      const now = Date.now();
      const before = this.#readOrBegin(tenantId);
      const active = before.runs.filter(
        (run) => hasUnreported(run) || now - run.reportedAt < runLifetimeMs,
      );
      const { run, known, others } = countRefusal(active, refusal, maxRuns);
      const counted = { ...run, reportedAt: known?.reportedAt ?? now };
      const reports = known === undefined ? [refusalEntryOf(run, refusal.count)] : [];
      this.#write({ ...before, runs: [...others, counted] }, reports);
      await this.#alarm.arm(known === undefined ? deliveryDelayMs : reportTimeOf(counted) - now);
      return true;
    } catch (error) {
      log("error", "refusal_not_counted", { source: "refusal_log", cause: causeOf(error) });
      return false;
    }
  }

  /** Counts requests that read the trail. Returns whether they were recorded. */
  async countRead(tenantId: string, read: TrailRead, tenant?: WokenTenant): Promise<boolean> {
    try {
      if (tenant !== undefined) this.#waker.note(tenant);
      const now = Date.now();
      const before = this.#readOrBegin(tenantId);
      const reads = countRead(before.reads, read, now);
      this.#write({ ...before, reads }, []);
      await this.#alarm.arm(Math.max(0, Math.min(...reads.map(readReportTimeOf)) - now));
      return true;
    } catch (error) {
      log("error", "audit_read_not_counted", { tenant_id: tenantId, cause: causeOf(error) });
      return false;
    }
  }

  /**
   * Reports the counts that are due, and delivers the events. It fires again until that succeeds, and never
   * gives up.
   */
  override async alarm(): Promise<void> {
    await this.#alarm.runDelivery({
      findTenantId: () => this.#readState()?.tenantId,
      deliver: async () => {
        const now = Date.now();
        this.#reportDue(now, now);
        await this.#deliverOrClear();
      },
    });
    // After a failure an earlier alarm is already set, and stays set.
    await this.#armForNextReport();
  }

  /** Reports everything that was counted, delivers it, and then deletes everything. @returns whether that is done */
  async clear(): Promise<boolean> {
    try {
      this.#reportDue(Number.POSITIVE_INFINITY, Date.now());
      await this.#deliver();
      await this.#alarm.reset(() => this.#deleteAll());
      return true;
    } catch (error) {
      log("error", "refusal_log_not_cleared", { cause: causeOf(error) });
      return false;
    }
  }

  /** D1 accepts nothing of a deleted tenant any more, so what is left here must not wait for it. */
  async #deliverOrClear(): Promise<void> {
    try {
      await this.#deliver();
    } catch (error) {
      const tenantId = this.#readState()?.tenantId;
      const isFenced = error instanceof FencedTenantError && tenantId !== undefined;
      if (!isFenced || !(await isDeletedTenant(this.env, tenantId))) throw error;
      await this.#alarm.reset(() => this.#deleteAll());
    }
  }

  async #deleteAll(): Promise<void> {
    this.#state = undefined;
    await Promise.all([this.ctx.storage.deleteAll(), this.ctx.storage.deleteAlarm()]);
  }

  /** Reports the runs whose report is due at a time. @param now real time, Unix ms */
  #reportDue(until: number, now: number): void {
    const state = this.#readState();
    if (state === null) return;
    const due = state.runs.filter((run) => hasUnreported(run) && reportTimeOf(run) <= until);
    const dueReads = state.reads.filter((run) => readReportTimeOf(run) <= until);
    if (due.length === 0 && dueReads.length === 0) return;
    const runs = state.runs.map((run) =>
      due.includes(run) ? { ...markReported(run), reportedAt: now } : run,
    );
    const reads = state.reads.filter((run) => !dueReads.includes(run));
    this.#write({ ...state, runs, reads }, [
      ...due.map((run) => refusalEntryOf(run, run.unreported)),
      ...dueReads.map(buildReadEntry),
    ]);
  }

  async #deliver(): Promise<void> {
    const state = this.#readState();
    if (state === null) return;
    const { tenantId } = state;
    const config = requireConfig(this.env);
    await requireMatchingKeys(this.env, config, Date.now());
    for (;;) {
      const rows = this.#readOutbox();
      const last = rows.at(-1);
      if (last === undefined) return;
      const events = rows.map(({ event }) => auditEventSchema.parse(JSON.parse(event)));
      const stamped = await stampEvents(config.auditSigningKeys, events);
      await runInTenantDb(
        this.env,
        tenantId,
        (db) =>
          runBatch(
            db,
            [insertEvents(db, tenantId, stamped), refuseIfLate(db, Date.now())],
            deliveryTimeoutMs,
          ),
        deliveryTimeoutMs,
      );
      this.ctx.storage.sql.exec("DELETE FROM outbox WHERE seq <= ?", last.seq);
      this.#waker.wake();
    }
  }

  #readOutbox() {
    return this.ctx.storage.sql
      .exec<{ seq: number; event: string }>(
        "SELECT seq, event FROM outbox ORDER BY seq LIMIT ?",
        maxEventsPerDelivery,
      )
      .toArray();
  }

  #readOrBegin(tenantId: string): LogState {
    return this.#readState() ?? { tenantId, eventCount: 0, runs: [], reads: [] };
  }

  #readState(): LogState | null {
    if (this.#state === undefined) {
      this.#state = this.#stateTable.exists() ? this.#loadState() : null;
    }
    return this.#state;
  }

  #loadState(): LogState | null {
    const { sql } = this.ctx.storage;
    const [row] = sql.exec<{ state: string }>("SELECT state FROM live").toArray();
    return row === undefined ? null : parseState(row.state);
  }

  /** Records the counts together with the events that report them. */
  #write(state: LogState, reports: readonly ReportEntry[]): void {
    const { tenantId, eventCount } = state;
    const events = reports.map((entry, index) => eventOf(tenantId, eventCount + index, entry));
    const next = { ...state, eventCount: eventCount + events.length };
    const { sql } = this.ctx.storage;
    this.ctx.storage.transactionSync(() => {
      if (this.#readState() === null) {
        this.#stateTable.create();
        this.#outboxTable.create();
      }
      sql.exec(
        "INSERT INTO live (only, state) VALUES (1, ?) ON CONFLICT (only) DO UPDATE SET state = excluded.state",
        serializeState(next),
      );
      for (const event of events) {
        sql.exec("INSERT INTO outbox (event) VALUES (?)", JSON.stringify(event));
      }
    });
    this.#state = next;
  }

  async #armForNextReport(): Promise<void> {
    const { runs = [], reads = [] } = this.#readState() ?? {};
    const times = [...runs.filter(hasUnreported).map(reportTimeOf), ...reads.map(readReportTimeOf)];
    if (times.length > 0) await this.#alarm.arm(Math.min(...times) - Date.now());
  }
}
