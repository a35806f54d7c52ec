/** The step-up token that a verification may ask for: `token` inside `otp` and `passkey`. */
import { z } from "zod";
import { AppError } from "../errors.ts";
import type { GuardCaller } from "../guard/client.ts";
import type { RequestContext } from "../http/request-context.ts";
import type { FirstRequest } from "../idempotency/request-key.ts";
import {
  defaultLifetimeSeconds,
  maxLifetimeSeconds,
  minLifetimeSeconds,
  type Proof,
} from "../step-up/claims.ts";
import { prepareIssuing } from "../step-up/issue.ts";
import type { TenantCaller } from "../tenancy/caller.ts";

const maxTextLength = 255;
/** A text with a colon must be a URI (RFC 7519 §2). */
const audiencePattern = /^(?:[!-9;-~]+|[A-Za-z][A-Za-z0-9+.-]*:[!-~]+)$/;
const noncePattern = /^[!-~]+$/;

export const stepUpRequest = z
  .strictObject({
    audience: z
      .string()
      .min(1)
      .max(maxTextLength)
      .refine(
        (text) => audiencePattern.test(text),
        "must be a URI, or a name of visible ASCII characters without a colon",
      )
      .meta({
        pattern: audiencePattern.source,
        description:
          "The service that is to accept the token: a URI, or a name of visible ASCII characters without a colon. It becomes `aud`.",
        examples: ["https://api.example.com"],
      }),
    nonce: z
      .string()
      .min(1)
      .max(maxTextLength)
      .refine((text) => noncePattern.test(text), "must be visible ASCII characters")
      .meta({ pattern: noncePattern.source })
      .optional()
      .meta({
        description:
          "A value from the service that is to accept the token, which binds the token to its request. It becomes `nonce`.",
        examples: ["n-0S6_WzA2Mj"],
      }),
    lifetime_seconds: z
      .int()
      .min(minLifetimeSeconds)
      .max(maxLifetimeSeconds)
      .default(defaultLifetimeSeconds)
      .meta({ description: "How long the token holds from the verification on." }),
  })
  .meta({
    id: "StepUpRequest",
    description:
      "Asks for a step-up token: a JWT that proves this verification to another service.",
  });

export const shownToken = z.string().meta({
  description:
    "The step-up token, if the request asked for one: a JWT, signed with EdDSA. It is a credential; the service keeps no copy. A repeated request with the same `Idempotency-Key` gets the same claims again.",
  examples: ["eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlLmNvbSJ9.c2lnbmF0dXJl"],
});

type VerifyingRequest = Pick<
  RequestContext<TenantCaller, unknown, unknown>,
  keyof GuardCaller | "config"
> & { readonly caller: TenantCaller };

interface StepUp {
  /** For the call of the guard. */
  readonly caller: GuardCaller;
  /** Issues the token, as a field of the answer. Called after a success alone; without a request there is no field. */
  readonly issue: (
    verified: Pick<Proof, "externalId" | "factor" | "risk">,
  ) => Promise<{ token?: string }>;
}

/**
 * Prepares the token that a verification asks for. An answer from a key (`Idempotency-Key`) is that of the first
 * request, and so the token has the time and the id of that request: a repetition proves nothing new.
 * @throws AppError `step_up_tokens_not_set_up`, before the code is spent
 */
export async function prepareStepUp(
  request: VerifyingRequest,
  asked: z.output<typeof stepUpRequest> | undefined,
): Promise<StepUp> {
  if (asked === undefined) return { caller: request, issue: async () => ({}) };
  const { audience, nonce, lifetime_seconds: lifetimeSeconds } = asked;
  const issueToken = await prepareIssuing(request.config, { audience, nonce, lifetimeSeconds });
  if (issueToken === undefined) throw new AppError("step_up_tokens_not_set_up");
  let decided: FirstRequest = { requestId: request.requestId, at: request.now };
  const onGuardNotice: GuardCaller["onGuardNotice"] = (notice) => {
    decided = notice.first ?? decided;
    request.onGuardNotice(notice);
  };
  const { tenantId } = request.caller;
  return {
    caller: { ...request, onGuardNotice },
    issue: async (verified) => ({
      token: await issueToken({ tenantId, ...decided, ...verified }),
    }),
  };
}
