/**
 * Every change leaves its event, and so does every refusal that belongs to a tenant. The table covers all
 * routes: a new route, and a new error of a route, must state its events here.
 */
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import document from "../../docs/audit.md?raw";
import { apiRoutes } from "../../src/app.ts";
import { auditActions } from "../../src/audit/event.ts";
import { requireConfig } from "../../src/env.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { isPermitted, permissions } from "../../src/tenancy/permission.ts";
import { invalidateTenant } from "../../src/tenancy/token-cache.ts";
import { sendManyRequests } from "../support/busy-tokens.ts";
import { type Answer, type Call, send, Tenant, User } from "../support/client.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { rememberDevice } from "../support/devices.ts";
import { loseStorage } from "../support/guard.ts";
import { holdLongWaits } from "../support/held-waits.ts";
import { addTokens } from "../support/many-tokens.ts";
import { PasskeyAuthenticator } from "../support/passkey-authenticator.ts";
import {
  createLoginBody,
  createRegistrationBody,
  givePasskey,
  listPasskeys,
  logIn,
  registerPasskey,
  setUpPasskeys,
} from "../support/passkeys.ts";
import { addWebhooks, createWebhook, fillWaiting, giveAttempt } from "../support/receiver.ts";
import { relocateUpTo } from "../support/relocation.ts";
import { expectRequestEvents } from "../support/request-events.ts";
import { type RequestTarget, requestTo, unknownUser } from "../support/requests.ts";
import { createStream } from "../support/stream-receiver.ts";
import { suspendSince } from "../support/tenant-deletion.ts";
import { sql } from "../support/trail.ts";

const hourMs = 60 * 60 * 1000;

interface World {
  readonly tenant: Tenant;
  readonly user: User;
}

interface Case {
  /** Prepares the state in which the request ends this way. */
  readonly given?: (world: World) => Promise<unknown>;
  /** The body, if it differs from that of the default request. */
  readonly body?: (world: World) => object | Promise<object>;
  /** Undoes `given`, so that the tenant can read its trail. */
  readonly after?: (world: World) => Promise<unknown>;
  /** What the request is about, if not the default target. */
  readonly target?: (world: World, target: RequestTarget) => Promise<RequestTarget>;
  /** The request is about a user and a tenant that do not exist. */
  readonly isAboutUnknownUser?: true;
  readonly expectedEvents: readonly string[];
}

interface Expectation {
  readonly success: Case;
  /** The errors of this route that are not the same for every route. */
  readonly errors?: Partial<Record<ErrorCode, Case>>;
}

/** A route that only reads: its success intentionally leaves no event. */
const onlyReads: Expectation = { success: { expectedEvents: [] } };

/** A route that reads the log. A log without any event is not found. */
const onlyReadsLog: Expectation = {
  ...onlyReads,
  errors: {
    not_found: {
      given: async ({ tenant, user }) => {
        // Otherwise the guard could file an event between the deletion and the request.
        await drainOutbox(user);
        await loseStorage(user);
        await sql("DELETE FROM audit_events WHERE tenant_id = ?", tenant.id);
      },
      expectedEvents: ["request.refused refused not_found"],
    },
  },
};

const tooManyTokens: Case = {
  given: async ({ tenant }) => void (await addTokens(tenant, 1_000)),
  expectedEvents: ["request.refused refused too_many"],
};

/** A tenant that does not exist has no trail. */
const unknownTenant: Case = { isAboutUnknownUser: true, expectedEvents: [] };

/** Its trail reports the deletion, and not what the operator tries meanwhile. */
const deletingTenant: Case = {
  given: async ({ tenant }) =>
    await sql("UPDATE tenants SET status = 'deleting' WHERE id = ?", tenant.id),
  after: async ({ tenant }) => {
    await sql("UPDATE tenants SET status = 'active' WHERE id = ?", tenant.id);
    invalidateTenant(tenant.id);
  },
  expectedEvents: [],
};

const onlyReadsTenant: Expectation = { ...onlyReads, errors: { not_found: unknownTenant } };

const allowExport = async ({ tenant }: World) => await tenant.allowExport();
const exportTokens = new Map<string, string>();
/** A token that may export secrets, which a tenant's first token may not. */
async function exportTokenOf(tenant: Tenant): Promise<string> {
  const token = exportTokens.get(tenant.id) ?? (await tenant.tokenWith(["idp:export"]));
  exportTokens.set(tenant.id, token);
  return token;
}
const configureOtp = async ({ user }: World) => await user.configure();
const suspendUser = async ({ tenant, user }: World) => {
  await user.configure();
  await tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
};
const failOnceWith = (lockout: object) => async (world: World) => {
  await configureOtp(world);
  await world.tenant.setSettings({ lockout });
  await world.user.verify(world.user.wrongCode(Date.now()));
};
const rightCodeOf = ({ user }: World) => ({
  otp: { id: user.externalId, code: user.code(Date.now()) },
});
const wrongCodeOf = ({ user }: World) => ({
  otp: { id: user.externalId, code: user.wrongCode(Date.now()) },
});

const ownAuthenticator: Case["target"] = async ({ user }, target) => ({
  ...target,
  authenticatorId: (await user.addAuthenticator()).id,
});
const fillAuthenticators = async ({ user }: World) => {
  for (let n = 1; n <= 5; n += 1) await user.addAuthenticator();
};
const setUp = async ({ tenant }: World) => await setUpPasskeys(tenant);
const setUpAndSuspend = async (world: World) => {
  await setUp(world);
  await suspendUser(world);
};
const setUpWithTotp = async (world: World) => {
  await setUp(world);
  await configureOtp(world);
};
const unknownUserOfPasskeys: Case = {
  given: setUp,
  isAboutUnknownUser: true,
  expectedEvents: ["request.refused refused user_not_found"],
};
/** Nothing was attempted yet. The end of the ceremony reports the refusal. */
const refusedStart = (given: (world: World) => Promise<unknown>): Case => ({
  given,
  expectedEvents: [],
});
const ownPasskey: Case["target"] = async ({ user }, target) => ({
  ...target,
  passkeyId: (await givePasskey(user)).passkeyId,
});
const fillPasskeys = async ({ user }: World) => {
  const { authenticator } = await givePasskey(user);
  await logIn(user.tenant, authenticator, user);
  for (let n = 1; n < 10; n += 1) await registerPasskey(user, new PasskeyAuthenticator());
};
const rememberOne = async (world: World): Promise<string> => {
  await configureOtp(world);
  return (await rememberDevice(world.user, Date.now())).id;
};
const ownDevice: Case["target"] = async (world, target) => ({
  ...target,
  deviceId: await rememberOne(world),
});
const ownWebhook: Case["target"] = async ({ tenant }, target) => ({
  ...target,
  webhookId: (await createWebhook(tenant, receiver, ["tenant.deleted"])).id,
});
const ownAttempt: Case["target"] = async ({ tenant }, target) => {
  const { webhookId, eventId } = await giveAttempt(tenant);
  return { ...target, webhookId, eventId };
};
const changesWebhook = (action: string): Expectation => ({
  success: { target: ownWebhook, expectedEvents: [`webhook.${action} success`] },
});
const readsWebhook: Expectation = { success: { target: ownWebhook, expectedEvents: [] } };
const ownStream: Case["target"] = async ({ tenant }, target) => ({
  ...target,
  streamId: (await createStream(tenant, receiver)).id,
});
const changesStream = (action: string): Expectation => ({
  success: { target: ownStream, expectedEvents: [`stream.${action} success`] },
});
const readsStream: Expectation = { success: { target: ownStream, expectedEvents: [] } };
const registrationOf = async ({ user }: World) => await createRegistrationBody(user);
const loginOf = async ({ user }: World) =>
  await createLoginBody(user, (await givePasskey(user)).authenticator);

/** A service that is not set up has decided nothing. */
function withoutPublicUrl(body: NonNullable<Case["body"]>): Case {
  const change = (publicUrl: string | undefined) => async () =>
    Object.assign(requireConfig(env), { publicUrl });
  return { given: change(undefined), body, after: change(env.PUBLIC_URL), expectedEvents: [] };
}

/** Nothing is sent there, or arrives there. */
const receiver = { url: "https://hooks.example.com/idp" };

const expectations: Readonly<Record<string, Expectation>> = {
  provisionUser: {
    success: { expectedEvents: ["user.provisioned success"] },
    errors: {
      user_exists: {
        body: ({ user }) => ({ user: { external_id: user.externalId } }),
        expectedEvents: ["user.provisioned refused user_exists"],
      },
    },
  },
  listUsers: onlyReads,
  getUser: onlyReads,
  setUserStatus: { success: { expectedEvents: ["user.suspended success"] } },
  unlockUser: { success: { expectedEvents: ["user.unlocked success"] } },
  eraseUser: { success: { expectedEvents: ["user.erased success"] } },
  configureOtp: {
    success: { expectedEvents: ["otp.configured success"] },
    errors: {
      user_suspended: {
        given: suspendUser,
        expectedEvents: ["otp.configured refused user_suspended"],
      },
      too_many: {
        given: fillAuthenticators,
        expectedEvents: ["otp.configured refused too_many"],
      },
    },
  },
  addAuthenticator: {
    success: { expectedEvents: ["authenticator.added success"] },
    errors: {
      user_suspended: {
        given: suspendUser,
        expectedEvents: ["authenticator.added refused user_suspended"],
      },
      too_many: {
        given: fillAuthenticators,
        expectedEvents: ["authenticator.added refused too_many"],
      },
    },
  },
  listAuthenticators: onlyReads,
  renameAuthenticator: {
    success: { target: ownAuthenticator, expectedEvents: ["authenticator.renamed success"] },
    errors: {
      authenticator_not_found: {
        expectedEvents: ["authenticator.renamed refused authenticator_not_found"],
      },
    },
  },
  removeAuthenticator: {
    success: { target: ownAuthenticator, expectedEvents: ["authenticator.removed success"] },
    errors: {
      authenticator_not_found: {
        expectedEvents: ["authenticator.removed refused authenticator_not_found"],
      },
    },
  },
  removeOtp: {
    success: { given: configureOtp, expectedEvents: ["otp.removed success"] },
    errors: { otp_not_configured: { expectedEvents: ["otp.removed refused otp_not_configured"] } },
  },
  verifyOtp: {
    success: { given: configureOtp, body: rightCodeOf, expectedEvents: ["otp.verified success"] },
    errors: {
      user_suspended: {
        given: suspendUser,
        expectedEvents: ["otp.verified refused user_suspended"],
      },
      otp_not_configured: { expectedEvents: ["otp.verified refused otp_not_configured"] },
      invalid_code: {
        given: configureOtp,
        body: wrongCodeOf,
        expectedEvents: ["otp.verified failure invalid_code"],
      },
      code_already_used: {
        given: async (world) => {
          await configureOtp(world);
          await world.user.verify(rightCodeOf(world).otp.code);
        },
        body: rightCodeOf,
        expectedEvents: ["otp.verified refused code_already_used"],
      },
      no_pending_enrolment: {
        given: configureOtp,
        body: (world) => ({ otp: { ...rightCodeOf(world).otp, purpose: "confirm" } }),
        expectedEvents: ["otp.verified refused no_pending_enrolment"],
      },
      user_locked: {
        given: failOnceWith({ max_failed_attempts: 1 }),
        expectedEvents: ["otp.verified refused user_locked"],
      },
      otp_disabled: {
        given: async (world) => {
          await failOnceWith({ max_failed_attempts: 1, disable_after: 1 })(world);
          await world.tenant.send("POST", world.user.path("/unlock"));
        },
        expectedEvents: ["otp.verified refused otp_disabled"],
      },
      step_up_tokens_not_set_up: withoutPublicUrl(({ user }) => ({
        otp: { id: user.externalId, code: "123456", token: { audience: "orders" } },
      })),
    },
  },
  regenerateBackupCodes: {
    success: { expectedEvents: ["backup_codes.generated success"] },
    errors: {
      user_suspended: {
        given: suspendUser,
        expectedEvents: ["backup_codes.generated refused user_suspended"],
      },
    },
  },
  createPasskeyRegistrationOptions: {
    success: { given: setUp, expectedEvents: [] },
    errors: {
      passkeys_not_set_up: { expectedEvents: [] },
      user_not_found: unknownUserOfPasskeys,
      user_suspended: refusedStart(setUpAndSuspend),
      verification_required: refusedStart(setUpWithTotp),
      too_many: refusedStart(fillPasskeys),
    },
  },
  registerPasskey: {
    success: {
      given: setUp,
      body: registrationOf,
      expectedEvents: ["passkey.registered success"],
    },
    errors: {
      passkeys_not_set_up: { expectedEvents: [] },
      user_not_found: unknownUserOfPasskeys,
      user_suspended: {
        given: setUpAndSuspend,
        expectedEvents: ["passkey.registered refused user_suspended"],
      },
      verification_required: {
        given: setUpWithTotp,
        expectedEvents: ["passkey.registered refused verification_required"],
      },
      too_many: {
        given: fillPasskeys,
        expectedEvents: ["passkey.registered refused too_many"],
      },
      passkey_exists: {
        body: async ({ user }) => {
          const { authenticator } = await givePasskey(user);
          await logIn(user.tenant, authenticator, user);
          const [{ credential_id: credentialId }] = await listPasskeys(user);
          return await createRegistrationBody(user, { credentialId });
        },
        expectedEvents: ["passkey.registered refused passkey_exists"],
      },
      invalid_passkey: {
        given: setUp,
        body: async ({ user }) => await createRegistrationBody(user, { rpId: "evil.example" }),
        expectedEvents: ["passkey.registered failure rp_id"],
      },
    },
  },
  listPasskeys: onlyReads,
  renamePasskey: {
    success: { target: ownPasskey, expectedEvents: ["passkey.renamed success"] },
    errors: {
      passkey_not_found: { expectedEvents: ["passkey.renamed refused passkey_not_found"] },
    },
  },
  removePasskey: {
    success: { target: ownPasskey, expectedEvents: ["passkey.removed success"] },
    errors: {
      passkey_not_found: { expectedEvents: ["passkey.removed refused passkey_not_found"] },
    },
  },
  listDevices: onlyReads,
  removeDevices: {
    success: { given: rememberOne, expectedEvents: ["device.removed success requested"] },
  },
  removeDevice: {
    success: { target: ownDevice, expectedEvents: ["device.removed success requested"] },
    errors: {
      device_not_found: { expectedEvents: ["device.removed refused device_not_found"] },
    },
  },
  createPasskeyAuthenticationOptions: {
    success: {
      given: async ({ user }) => await givePasskey(user),
      expectedEvents: [],
    },
    errors: {
      passkeys_not_set_up: { expectedEvents: [] },
      user_not_found: unknownUserOfPasskeys,
      user_suspended: refusedStart(setUpAndSuspend),
      passkey_not_configured: refusedStart(setUp),
    },
  },
  verifyPasskey: {
    success: { body: loginOf, expectedEvents: ["passkey.verified success"] },
    errors: {
      passkeys_not_set_up: { expectedEvents: [] },
      user_not_found: unknownUserOfPasskeys,
      user_suspended: {
        given: setUpAndSuspend,
        expectedEvents: ["passkey.verified refused user_suspended"],
      },
      passkey_unknown: {
        given: setUp,
        expectedEvents: ["passkey.verified refused passkey_unknown"],
      },
      invalid_passkey: {
        body: async ({ user }) => {
          const { authenticator } = await givePasskey(user);
          return await createLoginBody(user, authenticator, { rpId: "evil.example" });
        },
        expectedEvents: ["passkey.verified failure rp_id"],
      },
      step_up_tokens_not_set_up: withoutPublicUrl(async (world) => {
        const { passkey } = await loginOf(world);
        return { passkey: { ...passkey, token: { audience: "orders" } } };
      }),
    },
  },
  discover: {
    success: { expectedEvents: ["session.assessed success allow"] },
    errors: {
      user_suspended: {
        given: suspendUser,
        expectedEvents: ["session.assessed success deny"],
      },
      high_risk: {
        given: async ({ tenant }) => await tenant.setSettings({ sentinel: { deny: ["1.1.1.1"] } }),
        expectedEvents: ["session.assessed success deny"],
      },
    },
  },
  judgeSession: { success: { expectedEvents: ["session.judged success legitimate"] } },
  importUsers: { success: { expectedEvents: ["otp.imported success"] } },
  exportUsers: {
    success: {
      given: async (world) => {
        await configureOtp(world);
        await allowExport(world);
      },
      expectedEvents: ["secrets.exported success"],
    },
    errors: {
      export_not_allowed: { expectedEvents: ["request.refused refused export_not_allowed"] },
    },
  },
  importSessions: { success: { expectedEvents: ["session.imported success"] } },
  listAssessments: onlyReads,
  // The list of the user's events delivers the assessment.
  getAssessment: {
    success: { given: async ({ user }) => await user.events(), expectedEvents: [] },
  },
  simulatePolicy: onlyReads,
  listFeeds: onlyReads,
  listServiceFeeds: onlyReads,
  getHealth: onlyReads,
  findRequest: {
    success: {
      target: async ({ tenant }, usual) => {
        const user = { user: { external_id: "found by a request" } };
        const { headers } = await tenant.send("POST", "/v1/idp/users", user);
        return { ...usual, requestId: headers.get("X-Request-Id") ?? "" };
      },
      expectedEvents: [],
    },
    errors: { not_found: unknownTenant },
  },
  // Its answers are counted, and reported an hour later: test/guard/refusal-log/trail-read.test.ts.
  listAuditEvents: onlyReads,
  exportAudit: { ...onlyReadsLog, success: { expectedEvents: ["audit.exported success"] } },
  getCheckpoint: onlyReadsLog,
  listCheckpoints: onlyReads,
  proveAuditEvent: onlyReads,
  getAuditEventBundle: onlyReads,
  proveAuditConsistency: onlyReadsLog,
  listAuditKeys: onlyReads,
  listStepUpKeys: onlyReads,
  getStatistics: onlyReads,
  getUsage: onlyReadsTenant,
  // It counts again what the trail has.
  rebuildStatistics: onlyReadsTenant,
  createTenant: {
    success: { expectedEvents: ["tenant.created success", "token.created success"] },
  },
  relocateTenant: {
    success: { expectedEvents: ["tenant.relocated success"] },
    errors: { not_found: unknownTenant, tenant_deleting: deletingTenant },
  },
  deleteTenant: {
    success: {
      given: async ({ tenant }) => await suspendSince(tenant, hourMs),
      expectedEvents: ["tenant.deletion_started success"],
    },
    errors: {
      not_found: unknownTenant,
      tenant_active: { expectedEvents: [] },
      relocation_in_progress: {
        given: async ({ tenant }) => {
          // In this phase other tests are not affected.
          await relocateUpTo(tenant, 1, "cleaning");
          await suspendSince(tenant, hourMs);
        },
        expectedEvents: [],
      },
    },
  },
  listTenants: onlyReads,
  getTenant: onlyReadsTenant,
  changeTenant: {
    success: { expectedEvents: ["tenant.renamed success"] },
    errors: { not_found: unknownTenant, tenant_deleting: deletingTenant },
  },
  createTenantToken: {
    success: { expectedEvents: ["token.created success"] },
    errors: {
      not_found: unknownTenant,
      too_many: { ...tooManyTokens, expectedEvents: [] },
      tenant_deleting: deletingTenant,
    },
  },
  listTenantTokens: onlyReadsTenant,
  revokeTenantToken: {
    success: { expectedEvents: ["token.revoked success"] },
    errors: { not_found: unknownTenant },
  },
  eraseTenantUser: {
    success: { expectedEvents: ["user.erased success"] },
    errors: {
      not_found: unknownTenant,
      user_not_found: {
        given: async ({ tenant, user }) => void (await tenant.send("DELETE", user.path())),
        expectedEvents: [],
      },
    },
  },
  createToken: {
    success: { expectedEvents: ["token.created success"] },
    errors: { too_many: tooManyTokens },
  },
  getOwnToken: onlyReads,
  createWebhook: {
    success: { expectedEvents: ["webhook.created success"] },
    errors: {
      too_many: {
        given: async ({ tenant }) => await addWebhooks(tenant, 10),
        expectedEvents: ["request.refused refused too_many"],
      },
    },
  },
  listWebhooks: onlyReads,
  getWebhook: readsWebhook,
  changeWebhook: changesWebhook("changed"),
  removeWebhook: changesWebhook("removed"),
  testWebhook: readsWebhook,
  rotateWebhookSecret: changesWebhook("rotated"),
  replayWebhook: changesWebhook("replayed"),
  listWebhookAttempts: readsWebhook,
  replayWebhookEvent: {
    success: { target: ownAttempt, expectedEvents: ["webhook.replayed success"] },
    errors: {
      too_many: {
        target: async (world, target) => {
          const about = (await ownAttempt(world, target)) ?? target;
          await fillWaiting(world.tenant, about.webhookId);
          return about;
        },
        expectedEvents: ["request.refused refused too_many"],
      },
    },
  },
  createStream: {
    success: { expectedEvents: ["stream.created success"] },
    errors: {
      too_many: {
        given: async ({ tenant }) => {
          for (let n = 0; n < 5; n += 1) await createStream(tenant, receiver);
        },
        expectedEvents: ["request.refused refused too_many"],
      },
    },
  },
  listStreams: onlyReads,
  getStream: readsStream,
  changeStream: changesStream("changed"),
  removeStream: changesStream("removed"),
  testStream: readsStream,
  replayStream: changesStream("replayed"),
  listStreamAttempts: readsStream,
  listTokens: onlyReads,
  rotateToken: {
    success: { expectedEvents: ["token.rotated success"] },
    errors: { too_many: tooManyTokens },
  },
  revokeToken: {
    success: { expectedEvents: ["token.revoked success"] },
    errors: {
      last_token: {
        target: async ({ tenant }, target) => {
          const { tokens } = (await tenant.send("GET", "/v1/tokens")).body;
          return { ...target, tokenId: tokens[0].id };
        },
        expectedEvents: ["request.refused refused last_token"],
      },
    },
  },
  getSettings: onlyReads,
  changeSettings: { success: { expectedEvents: ["settings.changed success"] } },
  listKeys: onlyReads,
  // It seals existing data again, and changes no tenant's security state.
  reEncrypt: {
    ...onlyReads,
    errors: {
      relocation_in_progress: {
        given: async () => {
          await relocateUpTo(await Tenant.create(), 1, "copying");
          const request = { token: env.OPERATOR_TOKEN, body: { re_encryption: { limit: 500 } } };
          // It counts and seals first; the check at the end waits for the relocation.
          for (let n = 0; n < 12; n += 1) await send("POST", "/v1/keys/re-encryption", request);
        },
        expectedEvents: [],
      },
    },
  },
  liveness: onlyReads,
  readiness: onlyReads,
};

function expectationOf(name: string): Expectation {
  const expectation = expectations[name];
  if (expectation === undefined)
    throw new Error(`The table has no expectation for the route ${name}`);
  return expectation;
}

async function createWorld(): Promise<World> {
  const tenant = await Tenant.create();
  return { tenant, user: await User.provision(tenant) };
}

/** Creates what a request can be about: the user, a second token, an event and an assessment. */
async function createTarget({ tenant, user }: World): Promise<RequestTarget> {
  await tenant.tokenWith(["idp:read"]);
  const { tokens } = (await tenant.send("GET", "/v1/tokens")).body;
  const [{ id: eventId }] = await user.events();
  const { assessment_id: assessmentId } = await user.assess();
  const { externalId, id } = user;
  const { passkeyId, authenticatorId, deviceId, webhookId, streamId } = unknownUser;
  const ids = { tenantId: tenant.id, externalId, id, tokenId: tokens[1].id };
  const others = { passkeyId, authenticatorId, deviceId, webhookId, streamId };
  return { ...ids, eventId, assessmentId, ...others };
}

function requestIdOf({ headers }: Answer): string | null {
  return headers.get("X-Request-Id");
}

/** Creates tokens that are refused: revoked, expired an hour from now, and without the permission. */
async function createRefusedTokens(tenant: Tenant, needed: string) {
  const create = async (expires_at?: string) => {
    const token = { name: "n", permissions: [...permissions], expires_at };
    return (await tenant.send("POST", "/v1/tokens", { token })).body.token;
  };
  const revoked = await create();
  await tenant.send("DELETE", `/v1/tokens/${revoked.id}`);
  const expired = await create(new Date(Date.now() + hourMs).toISOString());
  const wanted = permissions.find((permission) => permission === needed);
  const others = permissions.filter(
    (permission) => wanted === undefined || !isPermitted([permission], wanted),
  );
  return {
    revoked: revoked.secret,
    expired: expired.secret,
    narrow: await tenant.tokenWith(others),
  };
}

/** The re-encryption calls every guard of the Worker, so it comes before the other routes make hundreds of them. */
const protectedRoutes = apiRoutes
  .map(({ definition }) => definition)
  .filter(({ access }) => access.kind !== "public")
  .toSorted(
    (left, right) => Number(right.name === "reEncrypt") - Number(left.name === "reEncrypt"),
  );

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(protectedRoutes)("$method $path ($name)", ({ name, method, access, errors = [] }) => {
  const isOperators = access.kind === "operator";
  const { success, errors: ownErrors = {} } = expectationOf(name);

  const ask = async ({ tenant }: World, target: RequestTarget, call: Call = {}) => {
    const { path, body } = requestTo(name, target);
    const ofTenant = access.kind === "idp:export" ? await exportTokenOf(tenant) : tenant.token;
    const token = isOperators ? env.OPERATOR_TOKEN : ofTenant;
    return await send(method.toUpperCase(), path, { token, body, ...call });
  };

  it(`reports a success: ${success.expectedEvents.join(" and ") || "no event, because it only reads"}`, async () => {
    const world = await createWorld();
    const usual = await createTarget(world);
    const target = (await success.target?.(world, usual)) ?? usual;
    await success.given?.(world);
    const answer = await ask(world, target, success.body && { body: await success.body(world) });
    expect(answer.status).toBeLessThan(300);
    // The events of a creation are in the trail of the new tenant.
    const { tenant, token } = answer.body;
    const owner =
      isOperators && tenant !== undefined && token !== undefined
        ? { tenant: { id: tenant.id, token: token.secret } }
        : world;
    await expectRequestEvents(owner, requestIdOf(answer), success.expectedEvents);
  });

  const commonErrors: Partial<Record<ErrorCode, Case>> = {
    user_not_found: { expectedEvents: ["request.refused refused user_not_found"] },
    not_found: { expectedEvents: ["request.refused refused not_found"] },
    assessment_not_found: { expectedEvents: ["request.refused refused assessment_not_found"] },
  };

  for (const code of errors) {
    const ending = ownErrors[code] ?? commonErrors[code];
    it(`reports ${code}: ${ending?.expectedEvents.join(" and ") || "no event"}`, async () => {
      if (ending === undefined)
        throw new Error(`The table has no expectation for ${code} of the route ${name}`);
      const world = await createWorld();
      const isAboutUnknownUser =
        ending === commonErrors[code] || ending.isAboutUnknownUser === true;
      const usual = isAboutUnknownUser ? unknownUser : await createTarget(world);
      const target = (await ending.target?.(world, usual)) ?? usual;
      await ending.given?.(world);
      const answer = await ask(world, target, ending.body && { body: await ending.body(world) });
      expect(answer.body.code).toBe(code);
      await ending.after?.(world);
      await expectRequestEvents(world, requestIdOf(answer), ending.expectedEvents);
    });
  }

  if (isOperators) {
    it("does not report a wrong operator token, because it belongs to no tenant", async () => {
      const world = await createWorld();
      // After a failed attempt the service counts further ones for some time before it logs them.
      const endLongWaits = holdLongWaits();
      const answer = await ask(world, unknownUser, { token: world.tenant.token });
      expect(answer.body.code).toBe("invalid_token");
      endLongWaits();
      await expectRequestEvents(world, requestIdOf(answer), []);
    });
    return;
  }

  it("reports every way in which its token is refused", async () => {
    const world = await createWorld();
    const { tenant } = world;
    const target = await createTarget(world);
    const { revoked, expired, narrow } = await createRefusedTokens(tenant, access.kind);
    const later = new Date(Date.now() + 2 * hourMs).toISOString();
    const isForAnyToken = access.kind === "any token";
    const answers = [
      ...(isForAnyToken ? [] : [await ask(world, target, { token: narrow })]),
      await ask(world, target, { token: revoked }),
      await ask(world, target, { token: expired, headers: { "Test-Clock": later } }),
    ];
    await sendManyRequests(tenant.id);
    const limiter = Object.getPrototypeOf(env.TOKEN_RATE_LIMIT);
    const limit = vi.spyOn(limiter, "limit").mockResolvedValue({ success: false });
    answers.push(await ask(world, target));
    limit.mockRestore();
    const setStatus = async (status: string) => {
      await sql("UPDATE tenants SET status = ? WHERE id = ?", status, tenant.id);
      invalidateTenant(tenant.id);
    };
    await setStatus("suspended");
    answers.push(await ask(world, target));
    await setStatus("active");
    const codes = answers.map(({ body }) => body.code);
    expect(codes).toEqual([
      ...(isForAnyToken ? [] : ["insufficient_scope"]),
      ...["invalid_token", "invalid_token", "rate_limited", "tenant_suspended"],
    ]);
    for (const answer of answers) {
      await expectRequestEvents(world, requestIdOf(answer), [
        `request.refused refused ${answer.body.code}`,
      ]);
    }
  });
});

describe("The table above", () => {
  it("lists every route and no other", () => {
    const names = apiRoutes.map(({ definition }) => definition.name);
    expect(Object.keys(expectations).toSorted()).toEqual(names.toSorted());
  });

  it("contains public routes only if they only read", () => {
    const open = apiRoutes.filter(({ definition }) => definition.access.kind === "public");
    for (const { definition } of open) expect(expectationOf(definition.name)).toBe(onlyReads);
  });

  it("contains no error that its route does not declare", () => {
    for (const { definition } of apiRoutes) {
      const own = Object.keys(expectationOf(definition.name).errors ?? {});
      expect(definition.errors ?? []).toEqual(expect.arrayContaining(own));
    }
  });
});

describe("docs/audit.md", () => {
  it("lists every action and no other", () => {
    const [, table = ""] = /^\| action \|.*\n\|.*\n((?:\|.*\n)+)/m.exec(document) ?? [];
    const firsts = table.split("\n").map((row) => row.split("|")[1] ?? "");
    const listed = firsts.flatMap((cell) =>
      [...cell.matchAll(/`([^`]+)`/g)].map(([, action]) => action),
    );
    expect(listed.toSorted()).toEqual([...auditActions].toSorted());
  });
});
