/**
 * The closed set of errors that a client can receive. Codes are part of the API and stable. A message
 * states what is wrong and what to do about it, and never contains input values, SQL or a library's text.
 */
const catalogue = {
  invalid_request: { status: 400, sentence: "The request is not valid; see issues." },
  invalid_json: {
    status: 400,
    sentence: "The body is not valid JSON in UTF-8; send one JSON object.",
  },
  missing_token: {
    status: 401,
    sentence: "No API token was sent; send one as 'Authorization: Bearer <token>'.",
  },
  invalid_token: {
    status: 401,
    sentence: "The API token is unknown, revoked, expired or mistyped; use a valid one.",
  },
  insufficient_scope: {
    status: 403,
    sentence: "The API token lacks a permission; use a token that has it.",
  },
  export_not_allowed: {
    status: 403,
    sentence: "The tenant's settings do not allow an export; set export.secrets to true first.",
  },
  user_suspended: {
    status: 403,
    sentence: "The user is suspended; reactivate the user first.",
  },
  verification_required: {
    status: 403,
    sentence:
      "The user has a factor and was not verified recently; verify the user first, within passkeys.recent_verification_seconds.",
  },
  tenant_suspended: {
    status: 403,
    sentence: "The tenant is suspended; ask the operator of the service to reactivate it.",
  },
  high_risk: { status: 403, sentence: "High risk detection" },
  user_not_found: {
    status: 404,
    sentence: "No user with this identifier exists; provision the user first.",
  },
  authenticator_not_found: {
    status: 404,
    sentence: "The user has no authenticator with this id; list the user's authenticators.",
  },
  passkey_not_found: {
    status: 404,
    sentence: "The user has no passkey with this id; list the user's passkeys.",
  },
  device_not_found: {
    status: 404,
    sentence: "The user has no known device with this id; list the user's devices.",
  },
  assessment_not_found: {
    status: 404,
    sentence: "No assessment with this id exists; send the id from the discover response.",
  },
  not_found: { status: 404, sentence: "Nothing exists at this URL; check the path and the id." },
  method_not_allowed: {
    status: 405,
    sentence: "This URL does not support the method; see the Allow header.",
  },
  user_exists: {
    status: 409,
    sentence: "User with this external_id already exists for this company",
  },
  idempotency_in_progress: {
    status: 409,
    sentence:
      "A request with this Idempotency-Key is in progress; retry in a moment to receive its response.",
  },
  too_many: {
    status: 409,
    sentence:
      "A tenant has at most 1,000 API tokens that have not ended, ten webhooks and five streams, a webhook at most 1,000 deliveries that wait, and a user at most ten passkeys and five authenticators; revoke or remove one first.",
  },
  last_token: {
    status: 409,
    sentence:
      "This is the tenant's last API token with the permission tokens:write; rotate it, or make another first.",
  },
  relocation_in_progress: {
    status: 409,
    sentence: "A tenant is moving to another database; finish its relocation first.",
  },
  tenant_active: {
    status: 409,
    sentence:
      "A tenant can be deleted once it has been suspended for 24 hours (a test tenant for a minute); suspend it and wait.",
  },
  tenant_deleting: {
    status: 409,
    sentence: "The tenant is being deleted, so it cannot be changed any more; create a new one.",
  },
  otp_not_configured: {
    status: 409,
    sentence: "The user has no TOTP secret; configure one first.",
  },
  no_pending_enrolment: {
    status: 409,
    sentence:
      "The user has no new secret that waits for its first code; configure one, and confirm it within 10 minutes.",
  },
  step_up_tokens_not_set_up: {
    status: 409,
    sentence:
      "This service issues no step-up tokens; verify without token, or ask its operator to set TOKEN_SIGNING_KEYS and PUBLIC_URL.",
  },
  passkeys_not_set_up: {
    status: 409,
    sentence: "The tenant has not set up passkeys; set passkeys.rp_id and passkeys.origins first.",
  },
  passkey_not_configured: {
    status: 409,
    sentence:
      "The user has no passkey that the tenant's rp_id and user_verification accept; register one first.",
  },
  passkey_exists: {
    status: 409,
    sentence: "This passkey is registered already; use it, or create another one.",
  },
  body_too_large: { status: 413, sentence: "The body is too large; send a smaller one." },
  unsupported_media_type: {
    status: 415,
    sentence: "The body is not JSON; send it with 'Content-Type: application/json'.",
  },
  invalid_code: {
    status: 422,
    sentence: "The code was not accepted; ask the user for a new one.",
  },
  code_already_used: {
    status: 422,
    sentence: "The code was accepted already and works once; wait for the next code.",
  },
  passkey_unknown: {
    status: 422,
    sentence:
      "No user has this passkey; have the browser delete it (signalUnknownCredential), and sign the user in another way.",
  },
  invalid_passkey: {
    status: 422,
    sentence: "The passkey was not accepted, for the given reason; start again with new options.",
  },
  idempotency_mismatch: {
    status: 422,
    sentence:
      "This Idempotency-Key was used for a different request; use a new key for each new request.",
  },
  user_locked: {
    status: 423,
    sentence:
      "The user is locked after too many failed codes; wait until locked_until or unlock the user.",
  },
  otp_disabled: {
    status: 423,
    sentence:
      "TOTP is disabled after too many failed codes; configure a new secret, because neither an unlock nor a backup code helps.",
  },
  rate_limited: {
    status: 429,
    sentence: "Too many requests were sent; wait as long as Retry-After states.",
  },
  internal_error: {
    status: 500,
    sentence: "The service failed to process the request; report the request_id to its operator.",
  },
  unavailable: {
    status: 503,
    sentence:
      "Temporarily unavailable. The request may have been applied; retry it with the same Idempotency-Key.",
  },
} as const;

export type ErrorCode = keyof typeof catalogue;
export type ErrorStatus = (typeof catalogue)[ErrorCode]["status"];

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(catalogue, text);
}

export const errorCodes: readonly ErrorCode[] = Object.keys(catalogue).filter(isErrorCode);

/** The challenges of RFC 6750 §3. */
const challenges: Partial<Record<ErrorCode, string>> = {
  missing_token: "Bearer",
  invalid_token: 'Bearer error="invalid_token"',
};

export function statusOf(code: ErrorCode): ErrorStatus {
  return catalogue[code].status;
}

export function messageOf(code: ErrorCode): string {
  return catalogue[code].sentence;
}

export interface Issue {
  /** Path of the field, such as `user.external_id`. Empty for the body as a whole. */
  readonly path: string;
  readonly message: string;
}

interface AppErrorOptions {
  /** Replaces the catalogue's message with a more specific one. */
  readonly message?: string;
  /** Further fields of the body: `attempts_remaining`, `locked_until`, `issues`, … */
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Why the service cannot serve the request, as the log names it. Only the operator's requests show it. */
  readonly causeName?: string;
  /** The audit trail already has an event of this refusal. */
  readonly isRecorded?: boolean;
}

/** An error response. The HTTP layer converts it to the contract's error body. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly causeName: string | undefined;
  readonly isRecorded: boolean;

  constructor(code: ErrorCode, options: AppErrorOptions = {}) {
    super(options.message ?? messageOf(code));
    this.name = "AppError";
    this.code = code;
    this.fields = options.fields ?? {};
    const challenge = challenges[code];
    this.headers = {
      ...(challenge === undefined ? {} : { "WWW-Authenticate": challenge }),
      ...options.headers,
    };
    this.causeName = options.causeName;
    this.isRecorded = options.isRecorded ?? false;
  }

  get status(): ErrorStatus {
    return statusOf(this.code);
  }
}

/** A 400 that names the offending fields. */
export function createInvalidRequest(issues: readonly Issue[]): AppError {
  const first = issues[0];
  const where = first === undefined ? "" : `: ${first.path || "the body"} ${first.message}`;
  return new AppError("invalid_request", {
    message: `The request is not valid${where}; correct it and send it again.`,
    fields: { issues },
  });
}
