/** `/v1/sentinel/discover` and `/v1/sentinel/feedback`: the assessment of a session, and the verdict on it. */
import { z } from "zod";
import { firstIdOf, identityIdOf } from "../crypto/id.ts";
import { idPattern } from "../crypto/id-time.ts";
import type { Config } from "../env.ts";
import { AppError } from "../errors.ts";
import { askGuard } from "../guard/client.ts";
import type { JudgedSession } from "../guard/decisions/feedback.ts";
import type { Standing } from "../guard/decisions/standing.ts";
import { requirePermission } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { assessmentId, externalId, instant, toRfc3339OrNull } from "../http/schemas.ts";
import {
  reportFraud,
  type TenantWatchCaller,
  withdrawFraud,
} from "../sentinel/activity/tenant-client.ts";
import { assessedIdentityOf } from "../sentinel/assessment.ts";
import { type Verdict, verdicts } from "../sentinel/history.ts";
import { prefetchNetwork } from "../sentinel/network/lookup.ts";
import { hashSessionPart } from "../sentinel/session-hashes.ts";
import { claimTenantRequestKey } from "../tenancy/claim-request-key.ts";
import { assessmentFields, showAssessment } from "./assessment-schemas.ts";
import { deviceToken, showDevice, shownDevice } from "./device-schemas.ts";
import { discover } from "./discover.ts";
import { address, agent, optionalClientFields, readClientFields } from "./session-schemas.ts";
import { otpStatus } from "./users.ts";

const dayMs = 24 * 60 * 60 * 1000;

const userId = z
  .string()
  .refine(
    (text) => idPattern.test(text),
    "must be the id that the service gave the user, 24 lower-case hex digits, not the external_id",
  )
  .meta({
    description:
      "The id that the service gave the user (`user.id`), not the `external_id`, which may be sent in its place.",
    pattern: idPattern.source,
    examples: ["6908bffd1c2e4a5b9d7f0a31"],
  });

/** Exactly one of `id` and `external_id`; for the document this follows from the number of fields. */
const sentinelSchema = z
  .strictObject({
    id: userId.optional(),
    external_id: externalId.optional(),
    context: z.strictObject({
      ip: address,
      ua: agent,
      user_id: externalId.optional(),
      device_token: deviceToken.optional(),
      ...optionalClientFields,
    }),
  })
  .refine(({ id, external_id }) => (id === undefined) !== (external_id === undefined), {
    error: "must have exactly one of id and external_id",
  })
  .meta({
    description: "Exactly one of `id` and `external_id`, and the context.",
    minProperties: 2,
    maxProperties: 2,
    examples: [
      {
        external_id: "ORG_USR_9921_AFG",
        context: { ip: "1.1.1.1", ua: "EnterpriseAgent/1.0", user_id: "ORG_USR_9921_AFG" },
      },
    ],
  });

const standingFields = {
  user: z
    .object({
      status: z.enum(["active", "locked", "suspended"]),
      locked_until: instant.nullable().meta({ examples: [null] }),
      otp_status: otpStatus,
    })
    .meta({
      description:
        "The state of the user. The recommendation is never `allow` while the user is locked, and is `deny` while the user is suspended.",
      examples: [{ status: "active", locked_until: null, otp_status: "active" }],
    }),
  factors: z.array(z.enum(["totp", "backup_code", "passkey"])).meta({
    description:
      "What the user can be challenged with now; of passkeys, those count that the tenant's present `rp_id` and `user_verification` accept. A lock (except on a known device) and a disabled TOTP leave only `passkey`. It is empty if nobody can be challenged, such as a suspended user.",
    examples: [["totp", "backup_code"]],
  }),
  device: shownDevice.optional(),
};

function showStanding({ user, factors, device }: Standing) {
  return {
    user: {
      status: user.status,
      locked_until: toRfc3339OrNull(user.lockedUntil),
      otp_status: user.otpStatus,
    },
    factors: [...factors],
    ...(device === undefined ? {} : { device: showDevice(device) }),
  };
}

const deniedKinds = {
  stuffing: 0.61,
  proxy: 0.2,
  targeted: 0.06,
  neighbour: 0.01,
  housemate: 0.01,
  phisher: 0.06,
  real: 0.05,
};

const deniedFields = {
  ...assessmentFields,
  risk_score: assessmentFields.risk_score.meta({ examples: [0.95] }),
  kinds: assessmentFields.kinds.meta({ examples: [deniedKinds] }),
  recommendation: z.literal("deny"),
  ...standingFields,
};

/** A session that is reported later is no news about the networks of today. */
const maxReportedAgeMs = 7 * dayMs;

/**
 * Tells the tenant's watch of a session that was reported as fraud, or no longer is. Never throws.
 * @param judged undefined in the answer that an older build kept for the same request
 */
async function tellTenant(
  caller: TenantWatchCaller & { readonly config: Pick<Config, "addressHashKey"> },
  assessmentId: string,
  verdict: Verdict,
  judged: JudgedSession | undefined,
): Promise<void> {
  if (judged === undefined) return;
  const { at, context, verdict: before } = judged;
  const { tenantId } = caller.caller;
  const key = caller.config.addressHashKey;
  if (verdict === "fraud" && at > caller.now - maxReportedAgeMs) {
    const id = await hashSessionPart(key, tenantId, "assessment", assessmentId);
    const { address, prefix, agent } = context;
    await reportFraud(caller, { id, address, prefix, agent });
  } else if (verdict === "legitimate" && before === "fraud") {
    await withdrawFraud(caller, await hashSessionPart(key, tenantId, "assessment", assessmentId));
  }
}

export const sentinelRoutes = [
  defineRoute(
    {
      method: "post",
      path: "/v1/sentinel/discover",
      name: "discover",
      summary: "Analyse the integrity of a session",
      description:
        "Scores a session from its address, its user agent and the user's history, and recommends whether to allow it, to ask for a factor, or to deny it. A denial is a 403 with the code `high_risk`, or with `user_suspended` for a suspended user; both have the fields of an assessment. In a test tenant the addresses 192.0.2.1, 192.0.2.2 and 192.0.2.3 have the fixed results allow, challenge and deny.",
      tag: "Sentinel",
      access: requirePermission("sentinel:write"),
      body: z.strictObject({
        sentinel: sentinelSchema,
      }),
      query: none,
      prepare: (env, arrivedAt) => prefetchNetwork(env.IP_REPUTATION, arrivedAt),
      responses: {
        200: {
          description: "The session may continue, or should require a second factor.",
          body: z.object({
            status: z.enum(["authorized", "step_up_required"]),
            recommendation: z.enum(["allow", "challenge"]),
            ...assessmentFields,
            ...standingFields,
          }),
        },
      },
      errors: ["user_not_found", "user_suspended", "high_risk"],
      errorFields: { high_risk: deniedFields, user_suspended: deniedFields },
    },
    async (request) => {
      const { id, external_id = "", context } = request.body.sentinel;
      const identityId = id ?? (await identityIdOf(request.caller.tenantId, external_id));
      const assessment = await discover(request, identityId, {
        address: context.ip,
        agent: context.ua,
        userId: context.user_id ?? null,
        deviceToken: context.device_token,
        client: readClientFields(context),
      });
      const { recommendation, user } = assessment;
      const shown = { ...showAssessment(assessment), ...showStanding(assessment) };
      if (recommendation === "deny") {
        const code = user.status === "suspended" ? "user_suspended" : "high_risk";
        throw new AppError(code, { fields: { ...shown, recommendation } });
      }
      return respond(200, {
        status:
          recommendation === "allow" ? ("authorized" as const) : ("step_up_required" as const),
        ...shown,
        recommendation,
      });
    },
  ),
  defineRoute(
    {
      method: "post",
      path: "/v1/sentinel/feedback",
      name: "judgeSession",
      summary: "Send the verdict on an assessed session, from which Sentinel learns",
      description:
        "Reports whether an assessed session was the user's own or fraud, from which later scores learn. Report `legitimate` only after a second factor or an equal proof in that session: if sessions that were merely allowed are confirmed, Sentinel learns the habits of attackers.",
      tag: "Sentinel",
      access: requirePermission("sentinel:write"),
      body: z.strictObject({
        feedback: z.strictObject({
          assessment_id: assessmentId,
          outcome: z.enum(verdicts),
        }),
      }),
      query: none,
      responses: { 204: { description: "The verdict is recorded." } },
      errors: ["assessment_not_found"],
    },
    async (request) => {
      const { assessment_id: id, outcome } = request.body.feedback;
      await claimTenantRequestKey(request);
      const { assessmentDays } = request.caller.policy.retention;
      const oldestId = firstIdOf(request.arrivedAt - assessmentDays * dayMs);
      const judged = await askGuard(request, assessedIdentityOf(id), (guard, call) =>
        guard.recordFeedback(call, id, outcome, oldestId),
      );
      request.waitUntil(tellTenant(request, id, outcome, judged));
      return respond(204, null);
    },
  ),
];
