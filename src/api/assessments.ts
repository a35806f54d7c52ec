/** `/v1/sentinel/assessments` and `/v1/sentinel/simulate`. */
import { z } from "zod";
import { findDayKeys, type KeysOwner } from "../audit/personal-keys/client.ts";
import { identityIdOf } from "../crypto/id.ts";
import { findTenantDb } from "../db/shards.ts";
import { AppError } from "../errors.ts";
import { requirePermission } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import {
  assessmentId,
  cursorText,
  externalId,
  id,
  instant,
  limit,
  requestInstant,
  sha256,
  toRfc3339,
  toRfc3339OrNull,
} from "../http/schemas.ts";
import { verdictSources } from "../sentinel/assessment.ts";
import { listAssessments, type StoredAssessment } from "../sentinel/assessments/store.ts";
import { sessionEvidenceSchema } from "../sentinel/evidence.ts";
import { explainAssessment } from "../sentinel/explanation/explain-assessment.ts";
import { verdicts } from "../sentinel/history.ts";
import { recommendations } from "../sentinel/score.ts";
import type { FindDayKeys } from "../sentinel/sealed-evidence.ts";
import { kindSettings, kindSettingsOf } from "../tenancy/kind-settings.ts";
import { sentinelPatchSchema } from "../tenancy/settings.ts";
import { assessmentFields, boundsOf, showAssessment } from "./assessment-schemas.ts";
import { explanationSchema, showExplanation } from "./explanation-schemas.ts";
import { maxReplayedPerRequest, simulate } from "./simulate.ts";

/** A number as JSON writes it, and so as clients of any language write it. */
const decimal = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

const score = z
  .string()
  .refine(
    (text) => decimal.test(text) && Number(text) >= 0 && Number(text) <= 1,
    "must be a number from 0 to 1",
  )
  .meta({ type: "number", minimum: 0, maximum: 1, examples: [0.5] })
  .transform(Number);

const storedAssessmentSchema = z
  .object({
    ...assessmentFields,
    at: instant,
    user_id: id.meta({ description: "Id of the identity." }),
    recommendation: z.enum(recommendations),
    policy: z
      .object({
        challenge_at: z.number().meta({ examples: [0.5] }),
        deny_at: z.number().meta({ examples: [0.8] }),
        signals_off: z.array(z.string().meta({ examples: ["hour_of_week"] })),
        kinds: kindSettings,
      })
      .nullable()
      .meta({ description: "The policy that turned the score into the recommendation." }),
    outcome: z
      .enum(verdicts)
      .nullable()
      .meta({ description: "The verdict on the session; null as long as there is none." }),
    outcome_source: z.enum(verdictSources).nullable(),
    outcome_at: instant.nullable(),
    inputs: sessionEvidenceSchema.nullable().meta({
      description:
        "The evidence from which the score was computed; null for models before sentinel-2.",
    }),
    inputs_digest: sha256
      .nullable()
      .meta({ description: "SHA-256 over `inputs` in canonical JSON (RFC 8785), hex." }),
  })
  .meta({ id: "Assessment" });

const explainedAssessmentSchema = z
  .object({
    ...storedAssessmentSchema.shape,
    explanation: explanationSchema.nullable().meta({
      description:
        "How each contribution came about, in numbers. Null if another model computed the score, or if the numbers of this version do not lead to it.",
    }),
  })
  .meta({ id: "ExplainedAssessment" });

function keysFinderOf(env: Env, owner: KeysOwner): FindDayKeys {
  return (days) => findDayKeys(env, owner, days);
}

function showStored(row: StoredAssessment): z.input<typeof storedAssessmentSchema> {
  const { policy } = row;
  return {
    ...showAssessment(row),
    at: toRfc3339(row.at),
    user_id: row.identityId,
    recommendation: row.recommendation,
    policy:
      policy === null
        ? null
        : {
            challenge_at: policy.challengeAt,
            deny_at: policy.denyAt,
            signals_off: [...policy.signalsOff],
            kinds: kindSettingsOf(policy.kinds),
          },
    outcome: row.verdict,
    outcome_source: row.verdictSource,
    outcome_at: toRfc3339OrNull(row.verdictAt),
    inputs: row.evidence,
    inputs_digest: row.evidenceDigest,
  };
}

const outcome = z.object({
  risk_score: z.number().min(0).max(1),
  recommendation: z.enum(recommendations),
});

const countsByRecommendation = z
  .record(z.enum(recommendations), z.int().min(0))
  .meta({ examples: [{ allow: 90, challenge: 8, deny: 2 }] });

const simulationBody = z.strictObject({
  simulation: z.strictObject({
    sentinel: sentinelPatchSchema.meta({
      description:
        "The draft policy. Fields that it omits have the values of the tenant's settings.",
    }),
    from: requestInstant.optional().meta({ description: "Assessments at or after this time." }),
    to: requestInstant.optional().meta({ description: "Assessments before this time." }),
    after: assessmentId.optional().meta({ description: cursorText }),
  }),
});

export const assessmentRoutes = [
  defineRoute(
    {
      method: "get",
      path: "/v1/sentinel/assessments",
      name: "listAssessments",
      summary: "List assessments with their inputs, the newest first",
      description: "Lists stored assessments, newest first, with the evidence of each score.",
      tag: "Sentinel",
      access: requirePermission("sentinel:read"),
      body: none,
      query: z.strictObject({
        limit,
        after: assessmentId.optional().meta({ description: cursorText }),
        from: requestInstant.optional().meta({ description: "Assessments at or after this time." }),
        to: requestInstant.optional().meta({ description: "Assessments before this time." }),
        recommendation: z
          .enum(recommendations)
          .optional()
          .meta({ description: "Assessments with this recommendation." }),
        outcome: z
          .enum([...verdicts, "none"])
          .optional()
          .meta({ description: "Assessments with this verdict; `none`: without one." }),
        min_score: score
          .optional()
          .meta({ description: "Assessments with this risk score or a higher one." }),
        externalUserId: externalId.optional().meta({ description: "Assessments of this user." }),
      }),
      responses: {
        200: {
          description:
            "A page of assessments. With filters a page may be short although `has_more` is true.",
          body: z.object({
            assessments: z.array(storedAssessmentSchema),
            has_more: z.boolean(),
            next_after: assessmentId.nullable(),
          }),
        },
      },
    },
    async ({ env, caller, query }) => {
      const { tenantId, mode } = caller;
      const filter = {
        identityId:
          query.externalUserId === undefined
            ? undefined
            : await identityIdOf(tenantId, query.externalUserId),
        recommendation: query.recommendation,
        verdict: query.outcome,
        minScore: query.min_score,
        ...boundsOf(mode, { after: query.after, from: query.from, to: query.to }),
      };
      const db = await findTenantDb(env, tenantId);
      const findKeys = keysFinderOf(env, caller);
      const page = await listAssessments(db, tenantId, filter, query.limit, findKeys);
      const { rows, nextAfter } = page;
      return respond(200, {
        assessments: rows.map(showStored),
        has_more: nextAfter !== null,
        next_after: nextAfter,
      });
    },
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/sentinel/assessments/:assessmentId",
      name: "getAssessment",
      summary: "Get an assessment with the numbers behind its score",
      description:
        "Returns a stored assessment with its explanation: how each contribution to the score came about. An assessment is there a moment after discover has answered.",
      tag: "Sentinel",
      access: requirePermission("sentinel:read"),
      body: none,
      query: none,
      responses: {
        200: {
          description: "The assessment.",
          body: z.object({ assessment: explainedAssessmentSchema }),
        },
      },
      errors: ["assessment_not_found"],
    },
    async (request) => {
      const { env, caller } = request;
      const db = await findTenantDb(env, caller.tenantId);
      const filter = { id: request.param("assessmentId"), belowIds: [] };
      const findKeys = keysFinderOf(env, caller);
      const [row] = (await listAssessments(db, caller.tenantId, filter, 1, findKeys)).rows;
      if (row === undefined) throw new AppError("assessment_not_found");
      const explanation = explainAssessment(row);
      return respond(200, {
        assessment: {
          ...showStored(row),
          explanation: explanation === null ? null : showExplanation(explanation),
        },
      });
    },
  ),
  defineRoute(
    {
      method: "post",
      path: "/v1/sentinel/simulate",
      name: "simulatePolicy",
      summary: "Replay stored assessments under a draft policy",
      description:
        "Applies other thresholds to the stored assessments of the tenant and compares the recommendations. It changes nothing.",
      tag: "Sentinel",
      access: requirePermission("sentinel:read"),
      body: simulationBody,
      query: none,
      responses: {
        200: {
          description: `The result for at most ${maxReplayedPerRequest} assessments, the newest first.`,
          body: z.object({
            simulation: z.object({
              replayed: z.int().min(0),
              other_model: z.int().min(0).meta({
                description:
                  "Number of assessments that were not replayed because they are of another model.",
              }),
              recommendations: z.object({
                before: countsByRecommendation,
                after: countsByRecommendation,
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
                .meta({ description: "The assessments whose recommendation would change." }),
              not_replayable: z.array(z.string().meta({ examples: ["8.0.0.0/8"] })).meta({
                description:
                  "Entries of the draft's lists that cannot be compared with hashed addresses.",
              }),
              has_more: z.boolean(),
              next_after: assessmentId.nullable(),
            }),
          }),
        },
      },
    },
    async (request) => respond(200, { simulation: await simulate(request) }),
  ),
];
