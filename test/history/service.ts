/** Sends the calls of a history over HTTP and converts the answers to the notation of the model. */
import { type Answer, send } from "../support/client.ts";
import { answers } from "./model.ts";

export interface ClientRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
}

/** Sends a request of a test tenant that runs at the time `at`, Unix ms. */
export async function sendAt(token: string, at: number, { method, path, body }: ClientRequest) {
  const headers = { "Test-Clock": new Date(at).toISOString() };
  return await send(method, path, { token, headers, ...(body === undefined ? {} : { body }) });
}

function parseTime(text: unknown): number | null {
  return typeof text === "string" ? Date.parse(text) : null;
}

function profileLineOf(body: Answer["body"]): string {
  if (body.is_locked !== (body.locked_until !== null)) return JSON.stringify(body);
  return answers.profile({
    status: body.status,
    failed: body.failed_attempts,
    lockedUntil: parseTime(body.locked_until),
    codes: body.backup_codes_remaining,
    lastVerifiedAt: parseTime(body.last_verified_at),
  });
}

/** One line for the answer. Null for a 503, after which the outcome is unknown. */
export function answerOf({ status, body }: Answer): string | null {
  switch (status) {
    case 503:
      return null;
    case 422:
      if (body.code === "invalid_passkey") return `422 invalid_passkey ${body.reason}`;
      return body.code === "invalid_code"
        ? answers.wrong(body.attempts_remaining, parseTime(body.locked_until))
        : answers.alreadyUsed(body.attempts_remaining);
    case 423:
      return body.code === "user_locked"
        ? answers.locked(parseTime(body.locked_until) ?? Number.NaN, body.retry_after_seconds)
        : `423 ${body.code}`;
    case 201:
      return answers.added;
    case 204:
      return answers.removed;
    case 200:
      if (body.method !== undefined)
        return answers.accepted(body.method, body.backup_codes_remaining, body.device?.status);
      return body.user === undefined ? profileLineOf(body) : answers.created;
    default:
      return `${status} ${body.code}`;
  }
}

/** Counts the events of a trail as the model does: refused attempts add their `count`. */
export function countTrail(events: readonly Answer["body"][]): string {
  const counts: Record<string, number> = {};
  for (const { action, outcome, reason, details } of events) {
    const event = [action, outcome, reason ?? ""].join(" ").trim();
    counts[event] = (counts[event] ?? 0) + (outcome === "refused" ? details.count : 1);
  }
  return answers.trail(counts);
}
