/**
 * The work of `POST /v1/sentinel/history`: past sessions become history of their users. Each row has its own result,
 * and each user is one call of a guard. A session has an id that follows from its row, so a row that is sent again is
 * found in the history.
 */
import { z } from "zod";
import { mapConcurrently } from "../concurrent.ts";
import { deriveId, identityIdOf } from "../crypto/id.ts";
import type { Config } from "../env.ts";
import { AppError } from "../errors.ts";
import { askGuard, type GuardCaller } from "../guard/client.ts";
import type { ImportOutcome } from "../guard/decisions/import-sessions.ts";
import { externalId, requestInstant } from "../http/schemas.ts";
import { agentFactsOf } from "../sentinel/agent.ts";
import { cleanAgent } from "../sentinel/agent-text.ts";
import { assessmentIdOf } from "../sentinel/assessment.ts";
import { buildContext } from "../sentinel/assessments/build-context.ts";
import { hashClientFields } from "../sentinel/client-fields.ts";
import { type KnownSession, maxSessionAgeMs, maxUnconfirmedAgeMs } from "../sentinel/history.ts";
import { type Address, isReserved } from "../sentinel/network/address.ts";
import { lookupNetwork } from "../sentinel/network/lookup.ts";
import { hashSession } from "../sentinel/session-hashes.ts";
import { priorProbability } from "../sentinel/weights.ts";
import { address, agent, optionalClientFields, readClientFields } from "./session-schemas.ts";

/** A Worker has six connections at once, to KV among others. */
const maxConcurrent = 6;

export interface SentSession {
  readonly external_id: string;
  readonly time: string;
  readonly context: object;
}

const rowSchema = z.object({
  external_id: externalId,
  time: requestInstant,
  context: z.object({ ip: address, ua: agent, ...optionalClientFields }),
});

export interface RowResult {
  readonly external_id: string;
  readonly outcome: "imported" | "skipped" | "failed";
  readonly code?: string;
  readonly message?: string;
}

interface ImportCall extends GuardCaller {
  readonly config: Config;
  /** Real time, Unix ms. */
  readonly arrivedAt: number;
}

interface ValidRow {
  readonly index: number;
  readonly row: z.output<typeof rowSchema>;
}

type Result = Omit<RowResult, "external_id">;

function skip(code: string, message: string): Result {
  return { outcome: "skipped", code, message };
}

function fail(code: string, message: string): Result {
  return { outcome: "failed", code, message };
}

const results: Readonly<Record<ImportOutcome, Result>> = {
  imported: { outcome: "imported" },
  known: skip("already_imported", "The history has this session."),
  surplus: skip("not_kept", "The history keeps the first session of a day, and the newest days."),
};

/** The result of a row that needs no guard. */
function judgeTime(at: number, now: number): Result | undefined {
  if (at > now) return fail("invalid_request", "time must not be in the future");
  if (at > now - maxUnconfirmedAgeMs) {
    return skip("too_recent", "A session becomes history a day after it, when nobody reported it.");
  }
  return at > now - maxSessionAgeMs
    ? undefined
    : skip("too_old", "The history keeps sessions of half a year.");
}

/** Looks each address up once. */
class AddressFacts {
  readonly #call: ImportCall;
  readonly #found = new Map<string, ReturnType<typeof lookupNetwork>>();

  constructor(call: ImportCall) {
    this.#call = call;
  }

  async find(one: Address) {
    const { env, arrivedAt } = this.#call;
    const found = this.#found.get(one.text) ?? lookupNetwork(env.IP_REPUTATION, one, arrivedAt);
    this.#found.set(one.text, found);
    const reservedRange = isReserved(one) ? one.range : null;
    return { facts: (await found).facts ?? null, reservedRange };
  }
}

async function buildSession(
  { config, caller: { tenantId } }: ImportCall,
  identityId: string,
  facts: AddressFacts,
  { time: at, context: { ip, ua, ...client } }: ValidRow["row"],
): Promise<KnownSession> {
  const { addressHashKey: key } = config;
  const hashed = { address: ip, agent: cleanAgent(ua).text, identityId };
  const [network, hashes, clientHashes] = await Promise.all([
    facts.find(ip),
    hashSession(key, tenantId, hashed),
    hashClientFields(key, tenantId, readClientFields(client)),
  ]);
  const parts = [hashes.address, hashes.agent, ...Object.entries(clientHashes).flat()];
  return {
    id: assessmentIdOf(deriveId(at, 0, tenantId, identityId, ...parts), identityId),
    at,
    verdict: null,
    context: buildContext(network, hashes, agentFactsOf(ua), clientHashes),
    // The tenant let it pass, so it counts like an allowed session that nobody reported.
    risk: { score: priorProbability, recommendation: "allow" },
  };
}

/** Whether the error is about the request and not about one user. */
function concernsRequest({ code }: AppError): boolean {
  return code === "idempotency_in_progress" || code === "idempotency_mismatch";
}

/** The results of one user's rows, in their order. @throws AppError about the whole request */
async function importForUser(
  call: ImportCall,
  external: string,
  facts: AddressFacts,
  rows: readonly ValidRow[],
): Promise<readonly Result[]> {
  const identityId = await identityIdOf(call.caller.tenantId, external);
  try {
    const sessions = await Promise.all(
      rows.map(({ row }) => buildSession(call, identityId, facts, row)),
    );
    const outcomes = await askGuard(call, identityId, (guard, guardCall) =>
      guard.importSessions(guardCall, sessions),
    );
    return outcomes.map((outcome) => results[outcome]);
  } catch (error) {
    if (!(error instanceof AppError) || concernsRequest(error)) throw error;
    return rows.map(() => fail(error.code, error.message));
  }
}

function describeIssue({ issues: [issue] }: z.ZodError): string {
  return issue === undefined ? "" : `${issue.path.map(String).join(".")} ${issue.message}`;
}

/**
 * Imports each valid row. @returns the results in the order of the rows
 * @throws AppError `idempotency_mismatch`, `idempotency_in_progress`
 */
export async function importSessions(
  call: ImportCall,
  sent: readonly SentSession[],
): Promise<RowResult[]> {
  const found = new Map<number, Result>();
  const valid = sent.flatMap((one, index): ValidRow[] => {
    const { data: row, error } = rowSchema.safeParse(one);
    const early = error
      ? fail("invalid_request", describeIssue(error))
      : judgeTime(row.time, call.now);
    if (early !== undefined) found.set(index, early);
    return row === undefined || early !== undefined ? [] : [{ index, row }];
  });
  const byUser = [...Map.groupBy(valid, ({ row }) => row.external_id)];
  const facts = new AddressFacts(call);
  await mapConcurrently(byUser, maxConcurrent, async ([external, rows]) => {
    const ofUser = await importForUser(call, external, facts, rows);
    for (const [position, { index }] of rows.entries()) {
      const result = ofUser[position];
      if (result !== undefined) found.set(index, result);
    }
  });
  return sent.map(({ external_id }, index) => {
    const result = found.get(index) ?? fail("unavailable", new AppError("unavailable").message);
    return { external_id, ...result };
  });
}
