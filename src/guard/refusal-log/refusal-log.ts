/**
 * The refusal log: one Durable Object for each tenant, which counts the requests that were refused
 * before they reached an identity, as a guard counts what it refuses: the first of a kind (reason,
 * route, token) is told at once, the others together, ever more rarely.
 *
 * Counts and events are recorded in one synchronous step and reach D1 by an alarm that comes back
 * until that succeeds. Runs age in real time, so the clock is read here; the events have the time of
 * their request.
 */
import { DurableObject } from "cloudflare:workers";
import { type AuditEvent, auditEventSchema } from "../../audit/event.ts";
import { stampEvents } from "../../audit/stamp.ts";
import { insertEvents } from "../../audit/store.ts";
import { derivedId } from "../../crypto/id.ts";
import { runBatch } from "../../db/client.ts";
import { inTenantDb } from "../../db/shards.ts";
import { configNow } from "../../env.ts";
import { requireMatchingKeys } from "../../keys/key-check.ts";
import { causeOf, log } from "../../log.ts";
import {
  countRefusal,
  buildRefusalEntry,
  hasUnreported,
  type Refusal,
  reportDelayOf,
  markReported,
} from "../decisions/refusals.ts";
import type { RefusalRun } from "../decisions/state.ts";
import type { EventEntry } from "../decisions/transition.ts";
import { RetryAlarm, deliveryDelayMs } from "../delivery/retry-alarm.ts";

/** From here on a token joins a run of the same kind; kinds are as many as routes and reasons. */
const maxRuns = 64;
/** A run that saw nothing for so long is forgotten; longer than any report waits. */
const runLifetimeMs = 2 * 60 * 60 * 1000;
const eventsPerDelivery = 50;

interface LoggedRun extends RefusalRun {
  /** Real time at which it was last told, Unix ms: what it counts is told a delay after that. */
  readonly toldAt: number;
}

interface LogState {
  readonly tenantId: string;
  /** Events told so far: puts them in order and makes their ids. */
  readonly told: number;
  readonly runs: readonly LoggedRun[];
}

function reportTimeOf(run: LoggedRun): number {
  return run.toldAt + reportDelayOf(run);
}

function eventOf(tenantId: string, order: number, entry: EventEntry, run: RefusalRun): AuditEvent {
  const { lastAt: at, lastActor: actor, lastRequestId: requestId } = run;
  return {
    id: derivedId(at, order, tenantId, "refusals", String(order), requestId),
    tenantId,
    at,
    actor,
    action: entry.action,
    target: { type: "api_token", id: actor.id ?? "" },
    // Never the external_id that was asked for: nobody of that name may exist.
    personal: null,
    outcome: entry.outcome,
    reason: run.reason,
    requestId,
    details: entry.details ?? {},
  };
}

export class RefusalLog extends DurableObject<Env> {
  /** Mirrors the table; `undefined` until it was read, `null` when there is none. */
  #live: LogState | null | undefined;
  readonly #alarm: RetryAlarm;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#alarm = new RetryAlarm(ctx, "refusal_log");
  }

  /** Counts a refusal; whether that is recorded. Nothing is awaited between read and write. */
  async count(tenantId: string, refusal: Refusal): Promise<boolean> {
    try {
      const now = Date.now();
      const before = this.#state() ?? { tenantId, told: 0, runs: [] };
      const remembered = before.runs.filter(
        (run) => hasUnreported(run) || now - run.toldAt < runLifetimeMs,
      );
      const { run, known, others } = countRefusal(remembered, refusal, maxRuns);
      const counting = { ...run, toldAt: known?.toldAt ?? now };
      const first = known === undefined ? [{ run, count: refusal.count }] : [];
      this.#write({ ...before, runs: [...others, counting] }, first);
      await this.#alarm.arm(known === undefined ? deliveryDelayMs : reportTimeOf(counting) - now);
      return true;
    } catch (error) {
      log("error", "refusal_not_counted", { source: "refusal_log", cause: causeOf(error) });
      return false;
    }
  }

  /** Tells what is due, delivers, and comes back until that succeeds. Never gives up. */
  override async alarm(): Promise<void> {
    await this.#alarm.run(async () => {
      this.#reportDue(Date.now());
      await this.#deliver();
    });
    // Where that failed, an earlier alarm is set already, and stands.
    await this.#armForCounts();
  }

  #reportDue(now: number): void {
    const state = this.#state();
    if (state === null) return;
    const due = state.runs.filter((run) => hasUnreported(run) && reportTimeOf(run) <= now);
    if (due.length === 0) return;
    const runs = state.runs.map((run) =>
      due.includes(run) ? { ...markReported(run), toldAt: now } : run,
    );
    this.#write(
      { ...state, runs },
      due.map((run) => ({ run, count: run.unreported })),
    );
  }

  async #deliver(): Promise<void> {
    const state = this.#state();
    if (state === null) return;
    const { tenantId } = state;
    const config = configNow(this.env);
    await requireMatchingKeys(this.env, config, Date.now());
    for (;;) {
      const rows = this.#waitingEvents();
      const last = rows.at(-1);
      if (last === undefined) return;
      const events = rows.map(({ event }) => auditEventSchema.parse(JSON.parse(event)));
      const stamped = await stampEvents(config.auditSigningKeys, events);
      await inTenantDb(this.env, tenantId, (db) =>
        runBatch(db, [insertEvents(db, tenantId, stamped)]),
      );
      this.ctx.storage.sql.exec("DELETE FROM outbox WHERE seq <= ?", last.seq);
    }
  }

  #waitingEvents() {
    return this.ctx.storage.sql
      .exec<{ seq: number; event: string }>(
        "SELECT seq, event FROM outbox ORDER BY seq LIMIT ?",
        eventsPerDelivery,
      )
      .toArray();
  }

  #state(): LogState | null {
    if (this.#live === undefined) this.#live = this.#read();
    return this.#live;
  }

  #read(): LogState | null {
    const { sql } = this.ctx.storage;
    if (sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'live'").toArray().length === 0) {
      return null;
    }
    const [row] = sql.exec<{ state: string }>("SELECT state FROM live").toArray();
    return row === undefined ? null : JSON.parse(row.state);
  }

  /** Records the counts and what is told of them together. */
  #write(
    state: LogState,
    telling: readonly { readonly run: RefusalRun; readonly count: number }[],
  ): void {
    const { tenantId, told } = state;
    const events = telling.map(({ run, count }, index) =>
      eventOf(tenantId, told + index, buildRefusalEntry(run, count), run),
    );
    const next = { ...state, told: told + events.length };
    const { sql } = this.ctx.storage;
    this.ctx.storage.transactionSync(() => {
      if (this.#state() === null) {
        sql.exec(
          "CREATE TABLE IF NOT EXISTS live (only INTEGER PRIMARY KEY CHECK (only = 1), state TEXT NOT NULL)",
        );
        sql.exec(
          "CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL)",
        );
      }
      sql.exec(
        "INSERT INTO live (only, state) VALUES (1, ?) ON CONFLICT (only) DO UPDATE SET state = excluded.state",
        JSON.stringify(next),
      );
      for (const event of events) {
        sql.exec("INSERT INTO outbox (event) VALUES (?)", JSON.stringify(event));
      }
    });
    this.#live = next;
  }

  /** For what is counted and not due yet. */
  async #armForCounts(): Promise<void> {
    const due = (this.#state()?.runs ?? []).filter(hasUnreported).map(reportTimeOf);
    if (due.length > 0) await this.#alarm.arm(Math.min(...due) - Date.now());
  }
}
