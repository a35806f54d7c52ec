/** `/v1/sentinel`: how risky a session is. */
import { z } from "zod";
import { controlDb } from "../db/shards.ts";
import { AppError } from "../errors.ts";
import { askGuard } from "../guard/client.ts";
import { tenantWith } from "../http/access.ts";
import { none, reply, route } from "../http/route.ts";
import { externalId, id, plainText } from "../http/schemas.ts";
import { claimRequestKey } from "../idempotency/run-once.ts";
import { identityOfAssessment } from "../sentinel/assessment.ts";
import { verdicts } from "../sentinel/history.ts";
import { type Address, parseAddress } from "../sentinel/network/address.ts";
import { prefetchNetwork } from "../sentinel/network/lookup.ts";
import { assessed, assessmentId, showAssessment } from "./assessment-schemas.ts";
import { discover } from "./discover.ts";

const longestAgent = 1024;

const address = z
  .string()
  .transform((text, context): Address => {
    const parsed = parseAddress(text);
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: "custom", message: "must be an IPv4 or IPv6 address" });
    return z.NEVER;
  })
  .meta({ examples: ["1.1.1.1", "2606:4700:4700::1111"] });

export const sentinelRoutes = [
  route(
    {
      method: "post",
      path: "/v1/sentinel/discover",
      name: "discover",
      summary: "Analyse the integrity of a session",
      tag: "Sentinel",
      access: tenantWith("sentinel:write"),
      body: z.strictObject({
        sentinel: z.strictObject({
          id: id.meta({ description: "Our identity id." }),
          context: z.strictObject({
            ip: address,
            ua: plainText(0, longestAgent),
            user_id: externalId.optional(),
          }),
        }),
      }),
      query: none,
      prepare: (env, arrivedAt) => prefetchNetwork(env.IP_REPUTATION, arrivedAt),
      answers: {
        200: {
          description: "The session may go on, or should be asked for a second factor.",
          body: z.object({
            status: z.enum(["authorized", "step_up_required"]),
            recommendation: z.enum(["allow", "challenge"]),
            ...assessed,
          }),
        },
      },
      errors: ["user_not_found", "user_suspended", "high_risk"],
      errorFields: { high_risk: { ...assessed, recommendation: z.literal("deny") } },
    },
    async (exchange) => {
      const { id: identityId, context } = exchange.body.sentinel;
      const assessment = await discover(exchange, identityId, {
        address: context.ip,
        agent: context.ua,
        userId: context.user_id ?? null,
      });
      const { recommendation } = assessment;
      const told = showAssessment(assessment);
      if (recommendation === "deny") {
        throw new AppError("high_risk", { fields: { ...told, recommendation } });
      }
      return reply(200, {
        status:
          recommendation === "allow" ? ("authorized" as const) : ("step_up_required" as const),
        ...told,
        recommendation,
      });
    },
  ),
  route(
    {
      method: "post",
      path: "/v1/sentinel/feedback",
      name: "judgeSession",
      summary: "Say what an assessed session was; Sentinel learns from it",
      tag: "Sentinel",
      access: tenantWith("sentinel:write"),
      body: z.strictObject({
        feedback: z.strictObject({
          assessment_id: assessmentId,
          outcome: z.enum(verdicts),
        }),
      }),
      query: none,
      answers: { 204: { description: "Taken." } },
      errors: ["assessment_not_found"],
    },
    async (exchange) => {
      const { assessment_id: given, outcome } = exchange.body.feedback;
      const { tenantId } = exchange.caller;
      await claimRequestKey(exchange, tenantId, controlDb(exchange.env));
      await askGuard(exchange, identityOfAssessment(given), (guard, call) =>
        guard.recordFeedback(call, given, outcome),
      );
      return reply(204, null);
    },
  ),
];
