/** `/v1/sentinel/assessments` and the simulation: what was assessed, and what another policy makes of it. */
import { z } from "zod";
import { firstIdAt, identityIdOf } from "../crypto/id.ts";
import { runBatch } from "../db/client.ts";
import { controlDb, findTenantDb } from "../db/shards.ts";
import type { Config } from "../env.ts";
import { tenantWith } from "../http/access.ts";
import { none, reply, route } from "../http/route.ts";
import {
  externalId,
  id,
  instant,
  instantIn,
  limit,
  rfc3339,
  rfc3339OrNull,
  sha256,
} from "../http/schemas.ts";
import { runOnce } from "../idempotency/run-once.ts";
import { verdictSources } from "../sentinel/assessment.ts";
import { prepareDraft, replay } from "../sentinel/assessments/simulate.ts";
import { listAssessments, type StoredAssessment } from "../sentinel/assessments/store.ts";
import { sessionEvidenceSchema } from "../sentinel/evidence.ts";
import { verdicts } from "../sentinel/history.ts";
import { recommendations } from "../sentinel/score.ts";
import { model } from "../sentinel/weights.ts";
import { draftPolicy } from "../tenancy/change-settings.ts";
import { sentinelPatchSchema } from "../tenancy/settings.ts";
import { assessed, assessmentId, showAssessment } from "./assessment-schemas.ts";

/** Assessments replayed in one request; the rest in the next. */
const maxReplayed = 500;
/**
 * Characters of an answer that is kept for a request with a key. A longer one would fill a database that
 * tenants share, and a simulation that is computed again does no harm.
 */
const longestKept = 16 * 1024;

const score = z
  .string()
  .regex(/^(0|1|0\.\d{1,4}|1\.0{1,4})$/, "must be a number from 0 to 1, with four decimals at most")
  .meta({ type: "number", minimum: 0, maximum: 1 })
  .transform(Number);

/** Bounds by time as bounds of ids, which begin with the time. */
function belowIds(after: string | undefined, to: number | undefined): string[] {
  return [...(after === undefined ? [] : [after]), ...(to === undefined ? [] : [firstIdAt(to)])];
}

const storedAssessment = z
  .object({
    ...assessed,
    at: instant,
    user_id: id.meta({ description: "Our identity id." }),
    recommendation: z.enum(recommendations),
    policy: z
      .object({
        challenge_at: z.number(),
        deny_at: z.number(),
        signals_off: z.array(z.string()),
      })
      .nullable()
      .meta({ description: "What made the recommendation of the score." }),
    outcome: z
      .enum(verdicts)
      .nullable()
      .meta({ description: "What became of the session; null as long as nobody says." }),
    outcome_source: z.enum(verdictSources).nullable(),
    outcome_at: instant.nullable(),
    inputs: sessionEvidenceSchema
      .nullable()
      .meta({ description: "All the score was made from; null for models before sentinel-2." }),
    inputs_digest: sha256
      .nullable()
      .meta({ description: "SHA-256 over `inputs` in canonical JSON (RFC 8785), hex." }),
  })
  .meta({ id: "Assessment" });

/** The inputs, where the model at hand made them. */
function inputsOf({ evidence }: StoredAssessment) {
  const parsed = sessionEvidenceSchema.safeParse(evidence);
  return parsed.success ? parsed.data : null;
}

function showStored(row: StoredAssessment): z.input<typeof storedAssessment> {
  const { policy } = row;
  return {
    ...showAssessment(row),
    at: rfc3339(row.at),
    user_id: row.identityId,
    recommendation: row.recommendation,
    policy:
      policy === null
        ? null
        : {
            challenge_at: policy.challengeAt,
            deny_at: policy.denyAt,
            signals_off: [...policy.signalsOff],
          },
    outcome: row.verdict,
    outcome_source: row.verdictSource,
    outcome_at: rfc3339OrNull(row.verdictAt),
    inputs: inputsOf(row),
    inputs_digest: row.evidenceDigest,
  };
}

const outcome = z.object({
  risk_score: z.number().min(0).max(1),
  recommendation: z.enum(recommendations),
});

const simulationBody = z.strictObject({
  simulation: z.strictObject({
    sentinel: sentinelPatchSchema.meta({
      description: "The draft: what it leaves out is as the tenant's settings have it.",
    }),
    from: instantIn.optional(),
    to: instantIn.optional(),
    after: assessmentId.optional(),
  }),
});

interface SimulationCall {
  readonly env: Env;
  readonly config: Config;
  readonly caller: { readonly tenantId: string };
  readonly body: z.output<typeof simulationBody>;
}

/** Replays a page of stored assessments under the draft. */
async function simulate({ env, config, caller, body }: SimulationCall) {
  const { tenantId } = caller;
  const { from, to, after, sentinel } = body.simulation;
  const policy = await draftPolicy(env, tenantId, { sentinel }, "simulation");
  const draft = prepareDraft(config.addressHashKey, tenantId, policy.sentinel);
  const { rows, nextAfter } = await listAssessments(
    await findTenantDb(env, tenantId),
    tenantId,
    {
      fromId: from === undefined ? undefined : firstIdAt(from),
      belowIds: belowIds(after, to),
    },
    maxReplayed,
  );
  const replayed = rows.flatMap((row) => {
    const inputs = row.model === model ? inputsOf(row) : null;
    return inputs === null ? [] : [{ row, after: replay(draft, inputs) }];
  });
  const count = (of: (one: (typeof replayed)[number]) => string) => ({
    allow: replayed.filter((one) => of(one) === "allow").length,
    challenge: replayed.filter((one) => of(one) === "challenge").length,
    deny: replayed.filter((one) => of(one) === "deny").length,
  });
  return {
    replayed: replayed.length,
    other_model: rows.length - replayed.length,
    recommendations: {
      before: count(({ row }) => row.recommendation),
      after: count((one) => one.after.recommendation),
    },
    changed: replayed
      .filter((one) => one.after.recommendation !== one.row.recommendation)
      .map(({ row, after: then }) => ({
        assessment_id: row.id,
        user_id: row.identityId,
        at: rfc3339(row.at),
        before: { risk_score: row.riskScore, recommendation: row.recommendation },
        after: { risk_score: then.riskScore, recommendation: then.recommendation },
      })),
    not_replayable: [...draft.notReplayable],
    has_more: nextAfter !== null,
    next_after: nextAfter,
  };
}

interface Simulation {
  readonly simulation: Awaited<ReturnType<typeof simulate>>;
}

export const assessmentRoutes = [
  route(
    {
      method: "get",
      path: "/v1/sentinel/assessments",
      name: "listAssessments",
      summary: "List assessments with their inputs, the newest first",
      tag: "Sentinel",
      access: tenantWith("sentinel:read"),
      body: none,
      query: z.strictObject({
        limit,
        after: assessmentId.optional(),
        from: instantIn.optional(),
        to: instantIn.optional(),
        recommendation: z.enum(recommendations).optional(),
        outcome: z.enum([...verdicts, "none"]).optional(),
        min_score: score.optional(),
        externalUserId: externalId.optional(),
      }),
      answers: {
        200: {
          description: "A page, with filters perhaps a short one; `has_more` says whether it ends.",
          body: z.object({
            assessments: z.array(storedAssessment),
            has_more: z.boolean(),
            next_after: assessmentId.nullable(),
          }),
        },
      },
    },
    async ({ env, caller: { tenantId }, query }) => {
      const filter = {
        identityId:
          query.externalUserId === undefined
            ? undefined
            : identityIdOf(tenantId, query.externalUserId),
        recommendation: query.recommendation,
        verdict: query.outcome,
        minScore: query.min_score,
        fromId: query.from === undefined ? undefined : firstIdAt(query.from),
        belowIds: belowIds(query.after, query.to),
      };
      const db = await findTenantDb(env, tenantId);
      const { rows, nextAfter } = await listAssessments(db, tenantId, filter, query.limit);
      return reply(200, {
        assessments: rows.map(showStored),
        has_more: nextAfter !== null,
        next_after: nextAfter,
      });
    },
  ),
  route(
    {
      method: "post",
      path: "/v1/sentinel/simulate",
      name: "simulatePolicy",
      summary: "Replay stored assessments under a draft policy",
      tag: "Sentinel",
      access: tenantWith("sentinel:read"),
      body: simulationBody,
      query: none,
      answers: {
        200: {
          description: `Of up to ${maxReplayed} assessments, the newest first.`,
          body: z.object({
            simulation: z.object({
              replayed: z.int().min(0),
              other_model: z
                .int()
                .min(0)
                .meta({ description: "Assessments of another model, which are not replayed." }),
              recommendations: z.object({
                before: z.record(z.enum(recommendations), z.int().min(0)),
                after: z.record(z.enum(recommendations), z.int().min(0)),
              }),
              changed: z
                .array(
                  z.object({
                    assessment_id: assessmentId,
                    user_id: id,
                    at: instant,
                    before: outcome,
                    after: outcome,
                  }),
                )
                .meta({ description: "Those whose recommendation would be another." }),
              not_replayable: z.array(z.string()).meta({
                description: "Draft list entries that cannot be compared with hashed addresses.",
              }),
              has_more: z.boolean(),
              next_after: assessmentId.nullable(),
            }),
          }),
        },
      },
    },
    async (exchange) => {
      const { tenantId } = exchange.caller;
      const db = controlDb(exchange.env);
      const answer = await runOnce<Simulation>(exchange, tenantId, db, async (remember) => {
        const simulation = await simulate(exchange);
        const isLong = JSON.stringify(simulation).length > longestKept;
        await runBatch(db, await remember(isLong ? undefined : { simulation }));
        return { simulation };
      });
      return reply(200, answer);
    },
  ),
];
