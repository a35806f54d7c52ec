/** A valid request to each route. A new route needs an entry here. */

import {
  exampleAuthentication,
  exampleLoginChallenge,
  exampleRegistration,
  exampleRegistrationChallenge,
} from "../../src/api/passkey-examples.ts";

/** The ids of the resources that a request names. */
export interface RequestTarget {
  readonly tenantId: string;
  readonly externalId: string;
  readonly id: string;
  readonly tokenId: string;
  readonly eventId: string;
  readonly assessmentId: string;
  readonly passkeyId: string;
  readonly authenticatorId: string;
  readonly deviceId: string;
  readonly webhookId: string;
  readonly streamId: string;
  /** Of an earlier request; an unknown one if absent. */
  readonly requestId?: string;
}

const session = { ip: "1.1.1.1", ua: "EnterpriseAgent/1.0" };
const aWeekAgo = new Date(Date.now() - 7 * 24 * 60 * 60 * 1000).toISOString();

/** A valid request to the named route that names the given resources. */
export function requestTo(name: string, target: RequestTarget) {
  const query = `?externalUserId=${encodeURIComponent(target.externalId)}`;
  const requests: Record<string, { path: string; body?: object; hasTarget?: boolean }> = {
    provisionUser: { path: "/v1/idp/users", body: { user: { external_id: "new" } } },
    listUsers: { path: "/v1/idp/users" },
    importUsers: {
      path: "/v1/idp/users/import",
      body: {
        users: [
          {
            external_id: "imported",
            authenticators: [{ secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP" }],
            backup_codes: ["7KQ2-XM4P-0RTZ"],
          },
        ],
      },
    },
    exportUsers: { path: "/v1/idp/users/export" },
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
      body: { otp: { id: target.externalId, code: "123456" } },
      hasTarget: true,
    },
    addAuthenticator: {
      path: `/v1/idp/user/authenticators${query}`,
      body: { authenticator: { issuer_name: "Acme", account_name: "alexander" } },
      hasTarget: true,
    },
    listAuthenticators: { path: `/v1/idp/user/authenticators${query}`, hasTarget: true },
    renameAuthenticator: {
      path: `/v1/idp/user/authenticators/${target.authenticatorId}${query}`,
      body: { authenticator: { name: "renamed" } },
      hasTarget: true,
    },
    removeAuthenticator: {
      path: `/v1/idp/user/authenticators/${target.authenticatorId}${query}`,
      hasTarget: true,
    },
    regenerateBackupCodes: { path: `/v1/idp/user/backup-codes${query}`, hasTarget: true },
    createPasskeyRegistrationOptions: {
      path: `/v1/idp/user/passkeys/options${query}`,
      body: { passkey: { user_name: "alexander" } },
      hasTarget: true,
    },
    registerPasskey: {
      path: `/v1/idp/user/passkeys${query}`,
      body: {
        passkey: { challenge: exampleRegistrationChallenge, credential: exampleRegistration },
      },
      hasTarget: true,
    },
    listPasskeys: { path: `/v1/idp/user/passkeys${query}`, hasTarget: true },
    renamePasskey: {
      path: `/v1/idp/user/passkeys/${target.passkeyId}${query}`,
      body: { passkey: { name: "renamed" } },
      hasTarget: true,
    },
    removePasskey: {
      path: `/v1/idp/user/passkeys/${target.passkeyId}${query}`,
      hasTarget: true,
    },
    createPasskeyAuthenticationOptions: {
      path: "/v1/idp/passkeys/options",
      body: { passkey: { id: target.externalId } },
      hasTarget: true,
    },
    verifyPasskey: {
      path: "/v1/idp/passkeys/verify",
      body: {
        passkey: {
          challenge: exampleLoginChallenge,
          credential: exampleAuthentication,
          id: target.externalId,
        },
      },
      hasTarget: true,
    },
    listDevices: { path: `/v1/idp/user/devices${query}`, hasTarget: true },
    removeDevices: { path: `/v1/idp/user/devices${query}`, hasTarget: true },
    removeDevice: { path: `/v1/idp/user/devices/${target.deviceId}${query}`, hasTarget: true },
    discover: {
      path: "/v1/sentinel/discover",
      body: { sentinel: { id: target.id, context: session } },
      hasTarget: true,
    },
    judgeSession: {
      path: "/v1/sentinel/feedback",
      body: { feedback: { assessment_id: target.assessmentId, outcome: "legitimate" } },
      hasTarget: true,
    },
    importSessions: {
      path: "/v1/sentinel/history",
      body: { sessions: [{ external_id: target.externalId, time: aWeekAgo, context: session }] },
    },
    listAssessments: { path: "/v1/sentinel/assessments" },
    getAssessment: { path: `/v1/sentinel/assessments/${target.assessmentId}`, hasTarget: true },
    simulatePolicy: { path: "/v1/sentinel/simulate", body: { simulation: { sentinel: {} } } },
    getHealth: { path: "/v1/health" },
    findRequest: { path: `/v1/requests/${target.requestId ?? "0".repeat(24)}` },
    listServiceFeeds: { path: "/v1/feeds" },
    listFeeds: { path: "/v1/sentinel/feeds" },
    listAuditEvents: { path: "/v1/audit/events" },
    exportAudit: { path: "/v1/audit/export" },
    getCheckpoint: { path: "/v1/audit/checkpoint" },
    listCheckpoints: { path: "/v1/audit/checkpoints" },
    proveAuditEvent: { path: `/v1/audit/events/${target.eventId}/proof`, hasTarget: true },
    getAuditEventBundle: {
      path: `/v1/audit/events/${target.eventId}/bundle`,
      hasTarget: true,
    },
    proveAuditConsistency: { path: "/v1/audit/consistency?from=1" },
    createWebhook: {
      path: "/v1/webhooks",
      body: { webhook: { url: "https://hooks.example.com/idp", events: ["tenant.deleted"] } },
    },
    listWebhooks: { path: "/v1/webhooks" },
    getWebhook: { path: `/v1/webhooks/${target.webhookId}`, hasTarget: true },
    changeWebhook: {
      path: `/v1/webhooks/${target.webhookId}`,
      body: { webhook: { description: "Changed" } },
      hasTarget: true,
    },
    removeWebhook: { path: `/v1/webhooks/${target.webhookId}`, hasTarget: true },
    testWebhook: { path: `/v1/webhooks/${target.webhookId}/test`, hasTarget: true },
    rotateWebhookSecret: {
      path: `/v1/webhooks/${target.webhookId}/rotate`,
      body: { overlap_seconds: 60 },
      hasTarget: true,
    },
    replayWebhook: {
      path: `/v1/webhooks/${target.webhookId}/replay`,
      body: { from: 0 },
      hasTarget: true,
    },
    listWebhookAttempts: { path: `/v1/webhooks/${target.webhookId}/attempts`, hasTarget: true },
    replayWebhookEvent: {
      path: `/v1/webhooks/${target.webhookId}/attempts/${target.eventId}/replay`,
      hasTarget: true,
    },
    createStream: {
      path: "/v1/audit/streams",
      body: { stream: { type: "http", url: "https://siem.example.com/idp" } },
    },
    listStreams: { path: "/v1/audit/streams" },
    getStream: { path: `/v1/audit/streams/${target.streamId}`, hasTarget: true },
    changeStream: {
      path: `/v1/audit/streams/${target.streamId}`,
      body: { stream: { format: "ocsf" } },
      hasTarget: true,
    },
    removeStream: { path: `/v1/audit/streams/${target.streamId}`, hasTarget: true },
    testStream: { path: `/v1/audit/streams/${target.streamId}/test`, hasTarget: true },
    replayStream: {
      path: `/v1/audit/streams/${target.streamId}/replay`,
      body: { from: 0 },
      hasTarget: true,
    },
    listStreamAttempts: { path: `/v1/audit/streams/${target.streamId}/attempts`, hasTarget: true },
    getStatistics: { path: "/v1/stats?metric=verifications" },
    getUsage: { path: `/v1/tenants/${target.tenantId}/usage` },
    rebuildStatistics: {
      path: `/v1/tenants/${target.tenantId}/statistics`,
      body: { rebuild: { restart: true, limit: 5 } },
    },
    createTenant: { path: "/v1/tenants", body: { tenant: { name: "Other", mode: "test" } } },
    deleteTenant: {
      path: `/v1/tenants/${target.tenantId}`,
      body: { tenant: { name: "Acme" } },
    },
    listTenants: { path: "/v1/tenants" },
    getTenant: { path: `/v1/tenants/${target.tenantId}` },
    changeTenant: {
      path: `/v1/tenants/${target.tenantId}`,
      body: { tenant: { name: "Renamed" } },
    },
    createTenantToken: {
      path: `/v1/tenants/${target.tenantId}/tokens`,
      body: { token: { name: "t", permissions: ["idp:read"] } },
    },
    listTenantTokens: { path: `/v1/tenants/${target.tenantId}/tokens` },
    revokeTenantToken: { path: `/v1/tenants/${target.tenantId}/tokens/${target.tokenId}` },
    eraseTenantUser: { path: `/v1/tenants/${target.tenantId}/user${query}` },
    relocateTenant: {
      path: `/v1/tenants/${target.tenantId}/relocation`,
      body: { relocation: { shard: 1, limit: 100 } },
    },
    createToken: { path: "/v1/tokens", body: { token: { name: "t", permissions: ["idp:read"] } } },
    getOwnToken: { path: "/v1/token" },
    listTokens: { path: "/v1/tokens" },
    rotateToken: {
      path: `/v1/tokens/${target.tokenId}/rotate`,
      body: { token: { overlap_seconds: 60 } },
      hasTarget: true,
    },
    revokeToken: { path: `/v1/tokens/${target.tokenId}`, hasTarget: true },
    listKeys: { path: "/v1/keys" },
    reEncrypt: { path: "/v1/keys/re-encryption", body: { re_encryption: { limit: 5 } } },
    getSettings: { path: "/v1/settings" },
    changeSettings: {
      path: "/v1/settings",
      body: { settings: { lockout: {}, otp: {}, sentinel: {}, audit: {}, location: {} } },
    },
  };
  const request = requests[name];
  if (request === undefined) throw new Error(`requests.ts has no request for the route ${name}`);
  return request;
}

/** Ids that no tenant has. */
export const unknownUser = {
  tenantId: "0".repeat(24),
  externalId: "unknown-user",
  id: "0".repeat(24),
  tokenId: "0".repeat(24),
  eventId: "0".repeat(24),
  assessmentId: "0".repeat(48),
  passkeyId: "0".repeat(24),
  authenticatorId: "0".repeat(24),
  deviceId: "0".repeat(24),
  webhookId: "0".repeat(24),
  streamId: "0".repeat(24),
};
