/** Judges what `GET /v1/health` has measured (pure). */
import type { ServiceHealth } from "@edge-idp/sdk";
import { type Finding, fail, levelOf, ok, warn, worseOf } from "./finding.ts";
import { describeSeconds } from "./time-text.ts";

type Database = ServiceHealth["databases"][number];

const minuteSeconds = 60;
const hourSeconds = 60 * minuteSeconds;

/** From here on a part needs attention (`warnFrom`) or is broken (`failFrom`). docs/alerts.json uses the same. */
export const limits = {
  /** Two missed passes of the integration, and ten minutes. */
  eventSeconds: { warnFrom: 2 * minuteSeconds, failFrom: 10 * minuteSeconds },
  deliverySeconds: { warnFrom: minuteSeconds, failFrom: 15 * minuteSeconds },
  /** Tree heads are sent once an hour. */
  witnessSeconds: { warnFrom: 2 * hourSeconds, failFrom: 6 * hourSeconds },
  usedPercent: { warnFrom: 80, failFrom: 95 },
  everyMinuteSeconds: { warnFrom: 3 * minuteSeconds, failFrom: 10 * minuteSeconds },
  hourlySeconds: { warnFrom: 2.5 * hourSeconds, failFrom: 26 * hourSeconds },
  destinationSeconds: { warnFrom: 5 * minuteSeconds, failFrom: Number.POSITIVE_INFINITY },
} as const;

/** As few wrong clocks say nothing about the service's own. */
const minClocksOff = 10;

export const databaseName = (shard: number) => (shard === 0 ? "DB" : `DB_${shard}`);

/** @param now the service's time, Unix ms */
function secondsSince(since: string | null, now: number): number {
  return since === null ? 0 : Math.max(0, (now - Date.parse(since)) / 1000);
}

/** The worst finding about any database. */
function judgeEach(health: ServiceHealth, judge: (database: Database) => Finding): Finding {
  return health.databases.map(judge).reduce(worseOf);
}

function unmeasured(part: string, shard?: number): Finding {
  const where = shard === undefined ? "" : ` of ${databaseName(shard)}`;
  return fail(
    part,
    `The service could not measure this part${where}.`,
    "Look at `problems` in GET /v1/health, and at health_not_measured in the log; most often D1 does not answer.",
  );
}

function judgeBindings({ bindings }: ServiceHealth): Finding {
  const { databases, queue, archive, witness_webhook, step_up_tokens } = bindings;
  const optional = [
    [queue, "queue"],
    [archive, "archive"],
    [witness_webhook, "witness webhook"],
    [step_up_tokens, "step-up tokens"],
  ] as const;
  const used = optional.flatMap(([isUsed, name]) => (isUsed ? [name] : []));
  const unused = optional.flatMap(([isUsed, name]) => (isUsed ? [] : [name]));
  const list = (names: readonly string[]) => (names.length === 0 ? "none" : names.join(", "));
  return ok(
    "bindings",
    `${databases} database(s); in use: ${list(used)}; not set up: ${list(unused)}.`,
  );
}

function judgeMigrations(health: ServiceHealth): Finding {
  return judgeEach(health, ({ shard, migrations }) => {
    if (migrations === null) return unmeasured("migrations", shard);
    const { applied, wanted } = migrations;
    const text = `${databaseName(shard)} has ${applied} of ${wanted} migrations.`;
    if (applied >= wanted) return ok("migrations", text);
    return fail(
      "migrations",
      text,
      `npx wrangler d1 migrations apply ${databaseName(shard)} --remote (local: restart \`npm run dev\`)`,
    );
  });
}

function judgeSize(health: ServiceHealth): Finding {
  return judgeEach(health, ({ shard, used_percent, size_bytes }) => {
    if (used_percent === null || size_bytes === null) return unmeasured("size", shard);
    const megabytes = (size_bytes / 1e6).toFixed(size_bytes < 1e7 ? 1 : 0);
    const text = `${databaseName(shard)} uses ${used_percent} % of its limit (${megabytes} MB).`;
    const level = levelOf(used_percent, limits.usedPercent);
    if (level === "ok") return ok("size", text);
    const advice = 'Make room: docs/operations.md, "A database is nearly full".';
    return level === "warn" ? warn("size", text, advice) : fail("size", text, advice);
  });
}

function judgeEvents(health: ServiceHealth, now: number): Finding {
  return judgeEach(health, ({ shard, events_waiting: waiting }) => {
    if (waiting === null) return unmeasured("events", shard);
    const age = secondsSince(waiting.since, now);
    if (waiting.count === 0) return ok("events", "Every event is integrated into its trail.");
    const text = `${waiting.count} events of ${databaseName(shard)} are not integrated; the first has waited ${describeSeconds(age)}.`;
    const level = levelOf(age, limits.eventSeconds);
    if (level === "ok") return ok("events", text);
    const advice =
      "See the line `cron`; then look for audit_seal_failed and audit_tree_damaged in the log.";
    return level === "warn" ? warn("events", text, advice) : fail("events", text, advice);
  });
}

function judgeDeliveries(health: ServiceHealth, now: number): Finding {
  return judgeEach(health, ({ shard, deliveries_waiting: waiting }) => {
    if (waiting === null) return unmeasured("delivery", shard);
    if (waiting.count === 0) return ok("delivery", "No guard's delivery to D1 is late.");
    const age = secondsSince(waiting.since, now);
    const text = `${waiting.count} guards or refusal logs cannot deliver to ${databaseName(shard)}; the first has failed for ${describeSeconds(age)}.`;
    const level = levelOf(age, limits.deliverySeconds);
    if (level === "ok") return ok("delivery", text);
    const advice =
      "No event is lost. Check D1 and its size, and whether a relocation has stopped: `cause` of outbox_delivery_failed in the log.";
    return level === "warn" ? warn("delivery", text, advice) : fail("delivery", text, advice);
  });
}

function judgeWitness(health: ServiceHealth, now: number): Finding {
  return judgeEach(health, ({ shard, witness }) => {
    if (witness === null) return unmeasured("witness", shard);
    const { bindings } = health;
    const refused =
      (bindings.archive ? witness.refused_by_bucket : 0) +
      (bindings.witness_webhook ? witness.refused_by_webhook : 0);
    if (refused > 0) {
      return fail(
        "witness",
        `A witness did not accept the tree heads of ${refused} logs of ${databaseName(shard)}.`,
        "Look for audit_head_refused in the log, and ask the operator of the witness what it has seen.",
      );
    }
    const age = secondsSince(witness.unwitnessed_since, now);
    const text =
      witness.unwitnessed_since === null
        ? "The witness has the newest tree head of every log."
        : `The oldest event without a witnessed tree head in ${databaseName(shard)} is ${describeSeconds(age)} old.`;
    const level = levelOf(age, limits.witnessSeconds);
    if (level === "ok") return ok("witness", text);
    const advice =
      "See the line `cron`; then look for audit_witness_failed and audit_tree_rewritten in the log.";
    return level === "warn" ? warn("witness", text, advice) : fail("witness", text, advice);
  });
}

function judgeQueue({ bindings }: ServiceHealth): Finding {
  return bindings.queue
    ? ok(
        "queue",
        "Guards deliver through the queue; what it gives up is in the log only (deliveries_dead_lettered).",
      )
    : ok("queue", "None: each guard delivers to D1 itself.");
}

function judgeCron({ runs }: ServiceHealth, now: number): Finding {
  if (runs === null) return unmeasured("cron");
  return runs
    .map(({ trigger, last_ended_at: endedAt }): Finding => {
      const isOften = trigger === "every_minute";
      const advice =
        "Compare `triggers.crons` in wrangler.toml with the Worker's triggers in the dashboard, and look for run_ended in the log.";
      if (endedAt === null) {
        const text = `The trigger ${trigger} has never run.`;
        return isOften
          ? fail("cron", text, `A new deployment needs two minutes. ${advice}`)
          : warn("cron", text, `A new deployment needs an hour. ${advice}`);
      }
      const age = secondsSince(endedAt, now);
      const text = `The trigger ${trigger} last ended ${describeSeconds(age)} ago.`;
      const level = levelOf(age, isOften ? limits.everyMinuteSeconds : limits.hourlySeconds);
      if (level === "ok") return ok("cron", text);
      return level === "warn" ? warn("cron", text, advice) : fail("cron", text, advice);
    })
    .reduce(worseOf);
}

function judgeUsersClocks({ clocks }: ServiceHealth): Finding {
  if (clocks === null) return unmeasured("drift");
  const { rejected, off, median_off_by_seconds: median } = clocks;
  const text = `${off} of ${rejected} codes that were rejected in the last hour belong to another time${median === null ? "" : `, typically ${Math.abs(median)} s ${median > 0 ? "ahead" : "behind"}`}.`;
  if (off < minClocksOff || off * 2 < rejected) return ok("drift", text);
  return warn(
    "drift",
    text,
    'If the line `clock` is ok, the phones are off: docs/operations.md, "Codes are refused for many users".',
  );
}

function judgeDestinations({ destinations }: ServiceHealth): Finding {
  if (destinations === null) return unmeasured("destinations");
  const { enabled, measured, behind, failing, unreachable, oldest_seconds } = destinations;
  if (enabled === 0) return ok("destinations", "No tenant has a webhook or stream.");
  const text = `Of ${enabled} webhooks and streams, ${measured} were looked at: ${behind} behind, by up to ${describeSeconds(oldest_seconds)}; ${failing} failing; ${unreachable} without an answer.`;
  const isLate = levelOf(oldest_seconds, limits.destinationSeconds) !== "ok";
  if (failing + unreachable === 0 && !isLate) return ok("destinations", text);
  return warn(
    "destinations",
    text,
    "The tenant's receiver most often does not answer: GET /v1/webhooks/{id}/attempts shows why. For followers see follower_failed in the log.",
  );
}

/** @param now the service's time, Unix ms */
export function judgeHealth(health: ServiceHealth, now: number): Finding[] {
  const guard = health.guard
    ? ok("guard", "A guard answers.")
    : fail(
        "guard",
        "No guard answers.",
        "Look at the state of Durable Objects at cloudflarestatus.com, and at the log.",
      );
  return [
    judgeBindings(health),
    judgeMigrations(health),
    judgeSize(health),
    guard,
    judgeQueue(health),
    judgeCron(health, now),
    judgeDeliveries(health, now),
    judgeEvents(health, now),
    judgeWitness(health, now),
    judgeDestinations(health),
    judgeUsersClocks(health),
  ];
}
