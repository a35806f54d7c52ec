/**
 * The work of `/v1/sentinel/simulate`: replays stored assessments under a draft policy. It computes in slices, so
 * that other requests of the isolate do not wait for it.
 */
import type { z } from "zod";
import { findDayKeys } from "../audit/personal-keys/client.ts";
import { findTenantDb } from "../db/shards.ts";
import type { Config } from "../env.ts";
import { toRfc3339 } from "../http/schemas.ts";
import { WorkLimit } from "../http/work-limit.ts";
import {
  createDraft,
  type DraftEntry,
  type Outcome,
  prepareEntry,
  replay,
} from "../sentinel/assessments/simulate.ts";
import { listAssessments, type StoredAssessment } from "../sentinel/assessments/store.ts";
import type { Recommendation } from "../sentinel/score.ts";
import { cacheDayKeys } from "../sentinel/sealed-evidence.ts";
import { model } from "../sentinel/weights.ts";
import { mapInSlices, yieldToOthers } from "../slices.ts";
import type { TenantCaller } from "../tenancy/caller.ts";
import { buildDraftPolicy } from "../tenancy/change-settings.ts";
import type { sentinelPatchSchema } from "../tenancy/settings.ts";
import { boundsOf } from "./assessment-schemas.ts";

/** The maximum number of assessments that one request replays. */
export const maxReplayedPerRequest = 500;
/** A tenth of them. Reading and replaying a page takes about 3 ms of computing. */
const maxAssessmentsPerPage = 50;
/** Each entry is hashed twice; a slice takes about 1 ms of computing. */
const maxEntriesPerSlice = 100;

/** A simulation waits for at most eleven queries of 2 s, and ten times for day keys, 4 s each. */
const limit = new WorkLimit({ maxPerTenant: 2, maxInAll: 8, maxWorkMs: 70_000 });

interface SimulationCall {
  readonly env: Env;
  readonly config: Config;
  readonly caller: Pick<TenantCaller, "tenantId" | "mode" | "location">;
  readonly body: {
    readonly simulation: {
      readonly sentinel: z.output<typeof sentinelPatchSchema>;
      /** Unix ms. */
      readonly from?: number | undefined;
      readonly to?: number | undefined;
      readonly after?: string | undefined;
    };
  };
}

function showChange(
  { id, identityId, at, riskScore, recommendation }: StoredAssessment,
  after: Outcome,
) {
  return {
    assessment_id: id,
    user_id: identityId,
    at: toRfc3339(at),
    before: { risk_score: riskScore, recommendation },
    after: { risk_score: after.riskScore, recommendation: after.recommendation },
  };
}

async function prepareDraft({ env, config, caller, body }: SimulationCall) {
  const { tenantId } = caller;
  const { sentinel } = body.simulation;
  const policy = await buildDraftPolicy(env, tenantId, { sentinel }, "simulation");
  const prepare = async (texts: readonly string[]): Promise<DraftEntry[]> => {
    const preparing = await mapInSlices(texts, maxEntriesPerSlice, (text) =>
      prepareEntry(config.addressHashKey, tenantId, text),
    );
    const entries = await Promise.all(preparing);
    return entries.filter((entry) => entry !== undefined);
  };
  const { allow, deny } = policy.sentinel;
  return createDraft(policy.sentinel, { allow: await prepare(allow), deny: await prepare(deny) });
}

async function replayAssessments(call: SimulationCall) {
  const { env, caller, body } = call;
  const { tenantId } = caller;
  const { from, to, after } = body.simulation;
  const draft = await prepareDraft(call);
  const db = await findTenantDb(env, tenantId);
  const findKeys = cacheDayKeys((days) => findDayKeys(env, caller, days));
  const before: Record<Recommendation, number> = { allow: 0, challenge: 0, deny: 0 };
  const then = { ...before };
  const changed: ReturnType<typeof showChange>[] = [];
  let read = 0;
  let replayed = 0;
  let nextAfter: string | null = after ?? null;
  do {
    const bounds = boundsOf(caller.mode, { after: nextAfter ?? undefined, from, to });
    const page = await listAssessments(db, tenantId, bounds, maxAssessmentsPerPage, findKeys);
    for (const row of page.rows) {
      if (row.model !== model || row.evidence === null) continue;
      const outcome = replay(draft, row.evidence);
      replayed += 1;
      before[row.recommendation] += 1;
      then[outcome.recommendation] += 1;
      if (outcome.recommendation !== row.recommendation) changed.push(showChange(row, outcome));
    }
    read += page.rows.length;
    nextAfter = page.nextAfter;
    if (nextAfter !== null) await yieldToOthers();
  } while (nextAfter !== null && read < maxReplayedPerRequest);
  return {
    replayed,
    other_model: read - replayed,
    recommendations: { before, after: then },
    changed,
    not_replayable: [...draft.notReplayable],
    has_more: nextAfter !== null,
    next_after: nextAfter,
  };
}

/**
 * Replays a page of stored assessments under the draft.
 * @throws AppError `invalid_request`; `rate_limited` if too many simulations are in progress
 */
export async function simulate(call: SimulationCall) {
  return await limit.run(call.caller.tenantId, () => replayAssessments(call));
}
