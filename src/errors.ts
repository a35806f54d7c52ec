/**
 * The closed set of errors a client can see. `code` is the API: stable, snake_case, one meaning
 * each. The sentence says what is wrong and what to do about it, and never holds input values,
 * SQL or the text of a library.
 */
const catalogue = {
  invalid_request: { status: 400, sentence: "The request is not valid; see issues." },
  invalid_json: {
    status: 400,
    sentence: "The body is not valid JSON in UTF-8; send one JSON object.",
  },
  missing_token: {
    status: 401,
    sentence: "No API token was sent; send it as 'Authorization: Bearer <token>'.",
  },
  invalid_token: {
    status: 401,
    sentence: "The API token is unknown, revoked, expired or mistyped; use a current one.",
  },
  insufficient_scope: {
    status: 403,
    sentence: "The API token lacks a permission; use a token that carries it.",
  },
  user_suspended: {
    status: 403,
    sentence: "The user is suspended; reactivate the user first.",
  },
  high_risk: { status: 403, sentence: "High risk detection" },
  user_not_found: {
    status: 404,
    sentence: "No user with this identifier exists; provision the user first.",
  },
  assessment_not_found: {
    status: 404,
    sentence: "No assessment with this id is kept; send the id that discover answered.",
  },
  not_found: { status: 404, sentence: "There is nothing at this address; check path and id." },
  method_not_allowed: {
    status: 405,
    sentence: "This address does not answer that method; see the Allow header.",
  },
  user_exists: {
    status: 409,
    sentence: "User with this external_id already exists for this company",
  },
  idempotency_in_progress: {
    status: 409,
    sentence:
      "A request with this Idempotency-Key is under way; send it again in a moment for its answer.",
  },
  otp_not_configured: {
    status: 409,
    sentence: "The user has no TOTP secret; configure one first.",
  },
  body_too_large: { status: 413, sentence: "The body is over 16 KiB; send less." },
  unsupported_media_type: {
    status: 415,
    sentence: "The body is not JSON; send it with 'Content-Type: application/json'.",
  },
  invalid_code: {
    status: 422,
    sentence: "The code was not accepted; ask the user for a new one.",
  },
  idempotency_mismatch: {
    status: 422,
    sentence:
      "This Idempotency-Key was sent with another request; take a new key for a new request.",
  },
  user_locked: {
    status: 423,
    sentence: "The user is locked after too many failed codes; wait until locked_until or unlock.",
  },
  otp_disabled: {
    status: 423,
    sentence: "TOTP is disabled after too many failed codes; configure a new secret.",
  },
  rate_limited: {
    status: 429,
    sentence: "Too many requests; wait as Retry-After says.",
  },
  internal_error: {
    status: 500,
    sentence: "The request failed on our side; report the request_id.",
  },
  unavailable: {
    status: 503,
    sentence: "A part of the service is out of reach; whether this was done is open, try again.",
  },
} as const;

export type ErrorCode = keyof typeof catalogue;
export type ErrorStatus = (typeof catalogue)[ErrorCode]["status"];

export function statusOf(code: ErrorCode): ErrorStatus {
  return catalogue[code].status;
}

export function messageOf(code: ErrorCode): string {
  return catalogue[code].sentence;
}

export interface Issue {
  /** Where in the request, in dots: `user.external_id`. Empty for the body as a whole. */
  readonly path: string;
  readonly message: string;
}

interface AppErrorOptions {
  /** Replaces the sentence of the catalogue where more can be said. */
  readonly message?: string;
  /** Further fields of the body: `attempts_remaining`, `locked_until`, `issues`, … */
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** The trail has it already, from who refused. */
  readonly isRecorded?: boolean;
}

/** An answer other than success. The HTTP layer turns it into the contract's error body. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly isRecorded: boolean;

  constructor(code: ErrorCode, options: AppErrorOptions = {}) {
    super(options.message ?? messageOf(code));
    this.name = "AppError";
    this.code = code;
    this.fields = options.fields ?? {};
    this.headers = options.headers ?? {};
    this.isRecorded = options.isRecorded ?? false;
  }

  get status(): ErrorStatus {
    return statusOf(this.code);
  }
}

/** A 400 that names the offending fields. */
export function invalidRequest(issues: readonly Issue[]): AppError {
  const first = issues[0];
  const where = first === undefined ? "" : `: ${first.path || "the body"} ${first.message}`;
  return new AppError("invalid_request", {
    message: `The request is not valid${where}; correct it and send it again.`,
    fields: { issues },
  });
}
