/** Creates a tenant with a long trail: people with records in the directory, and events about them. */

import { setImmediate as yieldToTimers } from "node:timers/promises";
import { z } from "zod";
import type {
  Actor,
  AuditEntry,
  AuditEvent,
  PersonalParts,
  StampedEvent,
} from "../../src/audit/event.ts";
import { createAuditKey, type OpenAuditKey, openAuditKey } from "../../src/audit/personal.ts";
import { saveRecord } from "../../src/audit/record-store.ts";
import { stampEvents } from "../../src/audit/stamp.ts";
import { insertEvents } from "../../src/audit/store.ts";
import { createId, deriveId, identityIdOf } from "../../src/crypto/id.ts";
import { runBatch } from "../../src/db/client.ts";
import { findTenantDb } from "../../src/db/shards.ts";
import { create } from "../../src/guard/decisions/lifecycle.ts";
import type { IdentityState } from "../../src/guard/decisions/state.ts";
import type { Service } from "./service.ts";

const people = 1_000;
const recordsPerBatch = 100;
/** A statement holds its rows in one parameter of at most 2 MB. */
const eventsPerStatement = 1_000;
const dayMs = 24 * 60 * 60 * 1000;
const trailDays = 90;

const tenantAnswer = z.object({
  tenant: z.object({ id: z.string() }),
  token: z.object({ id: z.string(), secret: z.string() }),
});

interface Person {
  readonly id: string;
  readonly externalId: string;
  readonly key: OpenAuditKey;
}

export interface Tenant {
  readonly id: string;
  readonly token: string;
  readonly tokenId: string;
  /** The time of its first event, Unix ms. */
  readonly since: number;
  readonly people: readonly Person[];
}

async function createPerson(service: Service, tenantId: string, since: number, n: number) {
  const externalId = `ORG_USR_${String(n).padStart(5, "0")}`;
  const identityId = await identityIdOf(tenantId, externalId);
  const owner = { tenantId, identityId };
  const auditKey = await createAuditKey(service.config.sealingKeys, owner);
  const actor: Actor = { type: "system", id: null };
  const call = { ...owner, now: since, requestId: "", actor, jurisdiction: null, requestKey: null };
  const state: IdentityState = { ...create(call, externalId).state, auditKey };
  const key = await openAuditKey(service.config.sealingKeys, owner, auditKey);
  const person: Person = { id: identityId, externalId, key };
  return { person, state };
}

/** Creates a tenant through the API, and writes its people into the directory. */
export async function createTenant(service: Service): Promise<Tenant> {
  const answer = await fetch(`${service.url}/v1/tenants`, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${service.operatorToken}`,
      "Content-Type": "application/json",
    },
    body: JSON.stringify({ tenant: { name: "Bench", mode: "live" } }),
  });
  const { tenant, token } = tenantAnswer.parse(await answer.json());
  const since = Date.now() - trailDays * dayMs;
  const created = await Promise.all(
    Array.from({ length: people }, (_, n) => createPerson(service, tenant.id, since, n)),
  );
  const db = await findTenantDb(service.env, tenant.id);
  for (let from = 0; from < people; from += recordsPerBatch) {
    const statements = created.slice(from, from + recordsPerBatch).map(({ state }) =>
      saveRecord(db, {
        tenantId: tenant.id,
        id: state.identityId,
        externalId: state.externalId,
        status: "active",
        lockedUntil: null,
        createdAt: since,
        updatedAt: since,
        version: 1,
        needsVersion: true,
        state: JSON.stringify(state),
      }),
    );
    await runBatch(db, statements);
  }
  return {
    id: tenant.id,
    token: token.secret,
    tokenId: token.id,
    since,
    people: created.map(({ person }) => person),
  };
}

/** The events of logins in rough proportions, without erasures. */
function entryOf(n: number): AuditEntry {
  const kind = n % 20;
  if (kind < 8) {
    const details = { assessment_id: createId(n), risk_score: (n % 97) / 100 };
    return { action: "session.assessed", outcome: "success", details };
  }
  if (kind < 15) return { action: "otp.verified", outcome: "success", details: { method: "totp" } };
  if (kind < 18) {
    const details = { method: "totp", failed_attempts: (n % 5) + 1 };
    return { action: "otp.verified", outcome: "failure", reason: "invalid_code", details };
  }
  if (kind < 19) {
    const details = { count: (n % 7) + 1 };
    return { action: "otp.verified", outcome: "refused", reason: "user_locked", details };
  }
  return { action: "otp.configured", outcome: "success" };
}

const agent =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";

function personalOf({ externalId }: Person, entry: AuditEntry, n: number): PersonalParts {
  if (entry.action !== "session.assessed") return { external_id: externalId };
  const address = `203.0.${Math.floor(n / 251) % 251}.${n % 251}`;
  return { external_id: externalId, address, agent };
}

/** Creates event `n` of `total`, about this person. */
function eventOf(tenant: Tenant, person: Person, n: number, total: number): AuditEvent {
  const at = tenant.since + Math.floor((n / total) * trailDays * dayMs);
  const actor: Actor = { type: "api_token", id: tenant.tokenId };
  const entry = entryOf(n);
  return {
    id: deriveId(at, n, tenant.id, String(n)),
    tenantId: tenant.id,
    at,
    actor,
    action: entry.action,
    target: { type: "identity", id: person.id },
    personal: personalOf(person, entry, n),
    outcome: entry.outcome,
    reason: entry.reason ?? null,
    requestId: createId(at),
    details: entry.details ?? {},
  };
}

async function createEvents(
  { config }: Service,
  tenant: Tenant,
  range: { readonly from: number; readonly below: number },
  total: number,
): Promise<StampedEvent[]> {
  const numbers = Array.from({ length: range.below - range.from }, (_, n) => range.from + n);
  const each = numbers.map(async (n) => {
    const person = tenant.people[n % tenant.people.length];
    if (person === undefined) throw new RangeError("A tenant without people");
    const event = eventOf(tenant, person, n, total);
    return await stampEvents(config.auditSigningKeys, [event], person.key);
  });
  return (await Promise.all(each)).flat();
}

export interface Inserted {
  /** Time to seal and stamp the events, outside the service in one thread. */
  readonly createdMs: number;
  /** Time to wait for D1. */
  readonly insertedMs: number;
  readonly statements: number;
}

/** Adds the events of a range to the trail by the service's own statement. */
export async function insertTrail(
  service: Service,
  tenant: Tenant,
  range: { readonly from: number; readonly below: number },
  total: number,
  before: Inserted,
  onProgress: (done: number) => void,
): Promise<Inserted> {
  const db = await findTenantDb(service.env, tenant.id);
  let { createdMs, insertedMs, statements } = before;
  for (let from = range.from; from < range.below; from += eventsPerStatement) {
    const startedAt = performance.now();
    const below = Math.min(from + eventsPerStatement, range.below);
    const events = await createEvents(service, tenant, { from, below }, total);
    const createdAt = performance.now();
    await runBatch(db, [insertEvents(db, tenant.id, events)]);
    createdMs += createdAt - startedAt;
    insertedMs += performance.now() - createdAt;
    statements += 1;
    onProgress(below);
    await yieldToTimers();
  }
  return { createdMs, insertedMs, statements };
}
