/** The calls of a history over HTTP, and their answers in the words of the model. */
import { type Answer, send } from "../support/client.ts";
import { answers } from "./model.ts";

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
}

/** A call of a test tenant at that time, Unix ms. */
export async function ask(token: string, at: number, { method, path, body }: Asked) {
  const headers = { "Test-Clock": new Date(at).toISOString() };
  return await send(method, path, { token, headers, ...(body === undefined ? {} : { body }) });
}

function ms(text: unknown): number | null {
  return typeof text === "string" ? Date.parse(text) : null;
}

function ofProfile(body: Answer["body"]): string {
  if (body.is_locked !== (body.locked_until !== null)) return JSON.stringify(body);
  return answers.profile({
    status: body.status,
    failed: body.failed_attempts,
    lockedUntil: ms(body.locked_until),
    codes: body.backup_codes_remaining,
    lastVerifiedAt: ms(body.last_verified_at),
  });
}

/** One line for the answer; null for a 503, after which nobody knows what happened. */
export function answerOf({ status, body }: Answer): string | null {
  switch (status) {
    case 503:
      return null;
    case 422:
      return body.code === "invalid_code"
        ? answers.wrong(body.attempts_remaining, ms(body.locked_until))
        : `422 ${body.code}`;
    case 423:
      return body.code === "user_locked"
        ? answers.locked(ms(body.locked_until) ?? Number.NaN, body.retry_after_seconds)
        : `423 ${body.code}`;
    case 200:
      if (body.method !== undefined)
        return answers.accepted(body.method, body.backup_codes_remaining);
      return body.user === undefined ? ofProfile(body) : answers.made;
    default:
      return `${status} ${body.code}`;
  }
}

/** The events of a trail, counted as the model counts them: refused attempts by their sum. */
export function trailOf(events: readonly Answer["body"][]): string {
  const told: Record<string, number> = {};
  for (const { action, outcome, reason, details } of events) {
    const event = [action, outcome, reason ?? ""].join(" ").trim();
    told[event] = (told[event] ?? 0) + (outcome === "refused" ? details.count : 1);
  }
  return answers.trail(told);
}
