/**
 * Every failure of a call is an `IdpError`, except that of a caller who aborts it, and of an argument that no request can
 * carry, such as an id with half a character.
 */
import type { ErrorCode } from "./error-code.ts";
import { isJsonObject, type JsonObject, parseJsonObject } from "./json.ts";
import type { Issue } from "./types.ts";

export interface IdpErrorDetails {
  readonly code: ErrorCode;
  readonly message: string;
  readonly status?: number;
  readonly requestId?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
  readonly fields?: JsonObject;
  readonly cause?: unknown;
}

/**
 * An answer that is not a success, or no answer. `message` is the service's sentence: what is wrong, and what to do.
 * It contains no token, code or secret.
 */
export class IdpError extends Error {
  override readonly name = "IdpError";
  /** A stable name of the error. Decide by it, not by the message. */
  readonly code: ErrorCode;
  /** The HTTP status; 0 if there was no answer. */
  readonly status: number;
  /** The id under which the service's log and the audit trail have the request, if the service answered. */
  readonly requestId: string | undefined;
  /** Seconds to wait before the request makes sense again: until a lock ends, or until a limit resets. */
  readonly retryAfterSeconds: number | undefined;
  /** The whole body of the error, with fields that this version does not know. Empty without one. */
  readonly fields: JsonObject;

  constructor(details: IdpErrorDetails) {
    super(details.message, details.cause === undefined ? {} : { cause: details.cause });
    this.code = details.code;
    this.status = details.status ?? 0;
    this.requestId = details.requestId;
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.fields = details.fields ?? {};
  }

  /** With `invalid_code` and `code_already_used`: failures that remain until the user is locked. */
  get attemptsRemaining(): number | undefined {
    const { attempts_remaining: count } = this.fields;
    return typeof count === "number" ? count : undefined;
  }

  /** When the user's lock ends (RFC 3339); undefined without a lock. */
  get lockedUntil(): string | undefined {
    const { locked_until: time } = this.fields;
    return typeof time === "string" ? time : undefined;
  }

  /** With `invalid_passkey`: what was not accepted, such as `origin` or `user_verification`. */
  get reason(): string | undefined {
    const { reason } = this.fields;
    return typeof reason === "string" ? reason : undefined;
  }

  /** With `passkey_unknown`: the passkey that nobody has any more, for `signalUnknownPasskey` in the browser. */
  get credentialId(): string | undefined {
    const { credential_id: id } = this.fields;
    return typeof id === "string" ? id : undefined;
  }

  /** With `invalid_request`: the fields that are not valid. */
  get issues(): readonly Issue[] | undefined {
    const { issues } = this.fields;
    return Array.isArray(issues) ? issues.filter(isIssue) : undefined;
  }
}

/** @param fields the body of the answer, if it is an object */
export function createUnexpectedAnswer(message: string, fields: JsonObject = {}): IdpError {
  return new IdpError({ code: "unexpected_answer", message, fields });
}

function isIssue(value: unknown): value is Issue {
  return isJsonObject(value) && typeof value.path === "string" && typeof value.message === "string";
}

/** The error of a body that the service sent; undefined if the text is none. */
export function parseErrorBody(text: string, status: number): IdpError | undefined {
  const fields = parseJsonObject(text);
  if (typeof fields?.error !== "string" || typeof fields.code !== "string") return undefined;
  const { error: message, code, request_id: requestId, retry_after_seconds: seconds } = fields;
  return new IdpError({
    code,
    message,
    status,
    requestId: typeof requestId === "string" ? requestId : undefined,
    retryAfterSeconds: typeof seconds === "number" ? seconds : undefined,
    fields,
  });
}

/** The seconds of a `Retry-After`, which may be a number or a date (RFC 9110 §10.2.3); undefined without one. */
function parseRetryAfter(header: string | null): number | undefined {
  if (header === null) return undefined;
  if (/^\d+$/.test(header)) return Number(header);
  const time = Date.parse(header);
  return Number.isNaN(time) ? undefined : Math.max(0, Math.ceil((time - Date.now()) / 1000));
}

/** The error of an answer that is not a success. Its body is the service's, or that of a proxy before it. */
export function errorOfAnswer({ status, headers }: Response, text: string): IdpError {
  const error = parseErrorBody(text, status);
  return new IdpError({
    code: error?.code ?? "unexpected_answer",
    message:
      error?.message ??
      `Status ${status} came without an error body of the service; check the URL and the proxies before it.`,
    status,
    requestId: error?.requestId ?? headers.get("X-Request-Id") ?? undefined,
    retryAfterSeconds: parseRetryAfter(headers.get("Retry-After")) ?? error?.retryAfterSeconds,
    ...(error === undefined ? {} : { fields: error.fields }),
  });
}
