import { createUnexpectedAnswer, IdpError } from "./idp-error.ts";
import { isJsonObject, type JsonObject } from "./json.ts";
import type { Device, DiscoverResult, Kinds, Reason } from "./types.ts";

export type Recommendation = "allow" | "challenge" | "deny";

/** The answer to an assessment, the same for each recommendation. */
export interface Assessment {
  /**
   * What to do with the session. One that a later service may add is read as `challenge`, because none but `allow`
   * lets a session pass.
   */
  readonly recommendation: Recommendation;
  /** From 0 to 1. */
  readonly risk_score: number;
  /** Send it with the code to `otp.verify`, so that an accepted code confirms the session. */
  readonly assessment_id: string;
  /** The name of the model, which fixes the signals and their weights. */
  readonly model: string;
  /** The reasons for the score, the strongest first. */
  readonly reasons: readonly Reason[];
  /** The probability of each kind of attacker, and of the real user; null if the service did not compute it. */
  readonly kinds: Kinds | null;
  /** Kinds of data that were missing or stale, and gave no evidence. */
  readonly degraded: readonly string[];
  readonly user: DiscoverResult["user"];
  /** What the user can be challenged with now, such as `totp`; empty if with nothing. */
  readonly factors: readonly string[];
  /** The device, if its token was sent or the user has known devices. */
  readonly device?: Device;
}

function isAssessed(
  body: JsonObject,
): body is JsonObject & Omit<Assessment, "recommendation" | "kinds"> & { kinds?: Kinds | null } {
  const { risk_score, assessment_id, model, reasons, degraded, user, factors } = body;
  return (
    typeof risk_score === "number" &&
    [assessment_id, model].every((text) => typeof text === "string") &&
    [reasons, degraded, factors].every((list) => Array.isArray(list)) &&
    isJsonObject(user)
  );
}

/** Reads the body of a success. @throws IdpError `unexpected_answer` */
export function readAssessment(body: JsonObject): Assessment {
  if (!isAssessed(body)) {
    throw createUnexpectedAnswer("The answer has no assessment; check the URL.", body);
  }
  const { recommendation } = body;
  const isKnown = recommendation === "allow" || recommendation === "deny";
  const { kinds = null } = body;
  return { ...body, kinds, recommendation: isKnown ? recommendation : "challenge" };
}

/**
 * Reads a denial: a 403 with an assessment, because of the score or of a suspension.
 *
 * @throws the error if it is something else
 */
export function readDenial(error: unknown): Assessment {
  if (!(error instanceof IdpError) || error.status !== 403 || !isAssessed(error.fields)) {
    throw error;
  }
  const { kinds = null } = error.fields;
  return { ...error.fields, kinds, recommendation: "deny" };
}
