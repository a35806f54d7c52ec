/** A plain model of the statistics over the exported trail, and reads of what the service counted. */
import { env } from "cloudflare:workers";
import type { Answer, Tenant } from "./client.ts";
import { send } from "./client.ts";
import { fetchExport } from "./trail.ts";

export const metrics = [
  ...["verifications", "enrolments", "locks", "assessments", "passkeys"],
  ...["requests_refused", "active_users"],
] as const;

/** Counts by bucket and value: `2026-08-15T09:00:00.000Z success`. Zeros are left out. */
export type Counts = Readonly<Record<string, number>>;

type Event = Answer["body"];

/** The value under which a metric counts an event; undefined if it does not. */
function findValue(metric: string, { action, outcome, reason }: Event): string | undefined {
  const values: Record<string, Record<string, string>> = {
    verifications: { "otp.verified": outcome },
    enrolments: {
      "otp.configured": outcome === "refused" ? "refused" : "configured",
      "authenticator.added": outcome === "refused" ? "refused" : "configured",
      "otp.confirmed": "confirmed",
      ...(outcome === "success"
        ? { "otp.removed": "removed", "authenticator.removed": "removed" }
        : {}),
    },
    locks: { "user.locked": "locked", "user.unlocked": "unlocked", "otp.disabled": "disabled" },
    assessments: { "session.assessed": outcome === "refused" ? "refused" : reason },
    passkeys: {
      "passkey.verified": outcome,
      ...(outcome === "success"
        ? { "passkey.registered": "registered", "passkey.removed": "removed" }
        : {}),
    },
    requests_refused: outcome === "refused" ? { [action]: reason } : {},
  };
  return values[metric]?.[action];
}

/** What a plain reading of the trail counts. @param length of the time that names a bucket, in characters */
function countPlainly(events: readonly Event[], metric: string, length: number): Counts {
  const counts: Record<string, number> = {};
  const add = (at: string, value: string, weight: number) => {
    const key = `${at.slice(0, length)} ${value}`;
    counts[key] = (counts[key] ?? 0) + weight;
  };
  const active = new Set<string>();
  for (const event of events) {
    const value = findValue(metric, event);
    if (value !== undefined) add(event.at, value, event.details.count ?? 1);
    if (!/^(otp|passkey)\.verified$/.test(event.action) || event.outcome !== "success") continue;
    active.add(`${event.at.slice(0, length)} ${event.target.id}`);
  }
  if (metric === "active_users") for (const one of active) add(one, "users", 1);
  return counts;
}

const charactersOf = { hour: "2026-08-15T09".length, day: "2026-08-15".length };

export async function fetchStatistics(tenant: Tenant, query: string): Promise<Answer> {
  return await tenant.send("GET", `/v1/stats?${query}`);
}

async function readCounts(
  tenant: Tenant,
  metric: string,
  step: "hour" | "day",
  range: string,
): Promise<Counts> {
  const { status, body } = await fetchStatistics(tenant, `metric=${metric}&step=${step}&${range}`);
  if (status !== 200) throw new Error(`No statistics: ${status} ${JSON.stringify(body)}`);
  const counts: Record<string, number> = {};
  for (const { at, values } of body.points) {
    for (const [value, count] of Object.entries(values)) {
      if (count !== 0) counts[`${at.slice(0, charactersOf[step])} ${value}`] = Number(count);
    }
  }
  return counts;
}

/** What the service counted, by metric and step. @param range a query with `from` and `to` */
export async function readAllCounts(
  tenant: Tenant,
  range: string,
): Promise<Record<string, Counts>> {
  const all: Record<string, Counts> = {};
  for (const metric of metrics) {
    for (const step of ["hour", "day"] as const) {
      all[`${metric} ${step}`] = await readCounts(tenant, metric, step, range);
    }
  }
  return all;
}

/** What the exported trail has, by metric and step. */
export async function countTrail(tenant: Tenant): Promise<Record<string, Counts>> {
  const events = await fetchExport(tenant);
  const all: Record<string, Counts> = {};
  for (const metric of metrics) {
    for (const step of ["hour", "day"] as const) {
      all[`${metric} ${step}`] = countPlainly(events, metric, charactersOf[step]);
    }
  }
  return all;
}

/** Counts users with an accepted verification, each once in a month. */
export async function countMonthlyUsers(tenant: Tenant): Promise<number> {
  const events = await fetchExport(tenant);
  const counts = countPlainly(events, "active_users", "2026-08".length);
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

export async function fetchUsage(tenant: Tenant, range: string): Promise<Answer["body"]> {
  const call = { token: env.OPERATOR_TOKEN };
  const { status, body } = await send("GET", `/v1/tenants/${tenant.id}/usage?${range}`, call);
  if (status !== 200) throw new Error(`No usage: ${status} ${JSON.stringify(body)}`);
  return body.usage;
}

/** Requests one part of a rebuild. */
export async function rebuild(tenant: Tenant, restart: boolean, limit = 100): Promise<Answer> {
  return await send("POST", `/v1/tenants/${tenant.id}/statistics`, {
    token: env.OPERATOR_TOKEN,
    body: { rebuild: { restart, limit } },
  });
}
