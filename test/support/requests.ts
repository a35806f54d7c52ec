/** What a good request to each route looks like: a route that is added must say so here. */

/** Whom and what a request is about. */
export interface RequestTarget {
  readonly tenantId: string;
  readonly externalId: string;
  readonly id: string;
  readonly tokenId: string;
  readonly eventId: string;
  readonly assessmentId: string;
}

const session = { ip: "1.1.1.1", ua: "EnterpriseAgent/1.0" };

/** A good request to each route, about the given user and token. */
export function requestTo(name: string, about: RequestTarget) {
  const query = `?externalUserId=${encodeURIComponent(about.externalId)}`;
  const requests: Record<string, { path: string; body?: object; hasTarget?: boolean }> = {
    provisionUser: { path: "/v1/idp/users", body: { user: { external_id: "new" } } },
    listUsers: { path: "/v1/idp/users" },
    getUser: { path: `/v1/idp/user${query}`, hasTarget: true },
    setUserStatus: {
      path: `/v1/idp/user${query}`,
      body: { user: { status: "suspended" } },
      hasTarget: true,
    },
    unlockUser: { path: `/v1/idp/user/unlock${query}`, hasTarget: true },
    eraseUser: { path: `/v1/idp/user${query}`, hasTarget: true },
    configureOtp: {
      path: `/v1/idp/user/otp${query}`,
      body: { otp: { issuer_name: "Acme", account_name: "alexander" } },
      hasTarget: true,
    },
    removeOtp: { path: `/v1/idp/user/otp${query}`, hasTarget: true },
    verifyOtp: {
      path: "/v1/idp/otp/verify",
      body: { otp: { id: about.externalId, code: "123456" } },
      hasTarget: true,
    },
    regenerateBackupCodes: { path: `/v1/idp/user/backup-codes${query}`, hasTarget: true },
    discover: {
      path: "/v1/sentinel/discover",
      body: { sentinel: { id: about.id, context: session } },
      hasTarget: true,
    },
    judgeSession: {
      path: "/v1/sentinel/feedback",
      body: { feedback: { assessment_id: about.assessmentId, outcome: "legitimate" } },
      hasTarget: true,
    },
    listAssessments: { path: "/v1/sentinel/assessments" },
    simulatePolicy: { path: "/v1/sentinel/simulate", body: { simulation: { sentinel: {} } } },
    listFeeds: { path: "/v1/sentinel/feeds" },
    listAuditEvents: { path: "/v1/audit/events" },
    exportAudit: { path: "/v1/audit/export" },
    getCheckpoint: { path: "/v1/audit/checkpoint" },
    listCheckpoints: { path: "/v1/audit/checkpoints" },
    proveAuditEvent: { path: `/v1/audit/events/${about.eventId}/proof`, hasTarget: true },
    proveAuditConsistency: { path: "/v1/audit/consistency?from=1" },
    createTenant: { path: "/v1/tenants", body: { tenant: { name: "Other", mode: "test" } } },
    relocateTenant: {
      path: `/v1/tenants/${about.tenantId}/relocation`,
      body: { relocation: { shard: 1, limit: 100 } },
    },
    createToken: { path: "/v1/tokens", body: { token: { name: "t", permissions: ["idp:read"] } } },
    listTokens: { path: "/v1/tokens" },
    rotateToken: {
      path: `/v1/tokens/${about.tokenId}/rotate`,
      body: { token: { overlap_seconds: 60 } },
      hasTarget: true,
    },
    revokeToken: { path: `/v1/tokens/${about.tokenId}`, hasTarget: true },
    listKeys: { path: "/v1/keys" },
    reEncrypt: { path: "/v1/keys/re-encryption", body: { re_encryption: { limit: 5 } } },
    getSettings: { path: "/v1/settings" },
    changeSettings: {
      path: "/v1/settings",
      body: { settings: { lockout: {}, otp: {}, sentinel: {}, audit: {}, location: {} } },
    },
  };
  const request = requests[name];
  if (request === undefined) throw new Error(`The suite has no request for the route ${name}`);
  return request;
}

export const unknownUser = {
  tenantId: "0".repeat(24),
  externalId: "nobody",
  id: "0".repeat(24),
  tokenId: "0".repeat(24),
  eventId: "0".repeat(24),
  assessmentId: "0".repeat(48),
};
