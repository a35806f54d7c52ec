/**
 * Every change of security state has its audit event. This file lists the events of every method of
 * the guard, for a success and for each failure. A new method must be added here.
 */
import { describe, expect, it } from "vitest";
import { createId } from "../../src/crypto/id.ts";
import type { Purpose } from "../../src/guard/decisions/evaluation.ts";
import type { GuardCall, GuardResult } from "../../src/guard/decisions/transition.ts";
import { digestDeviceToken } from "../../src/guard/device-token.ts";
import { IdentityGuard } from "../../src/guard/identity-guard.ts";
import type { UserImport } from "../../src/guard/imports.ts";
import { streamArgument } from "../../src/guard/streamed-argument.ts";
import { normaliseBackupCode } from "../../src/otp/backup-codes.ts";
import { defaultParameters } from "../../src/otp/totp.ts";
import { type Assessment, assessmentIdOf } from "../../src/sentinel/assessment.ts";
import type { Surroundings } from "../../src/sentinel/assessments/surroundings.ts";
import { defaultPolicy } from "../../src/tenancy/policy.ts";
import { createSession, day, neutralEvidence, usualContext } from "../sentinel/example.ts";
import { Tenant, User } from "../support/client.ts";
import { listDevices, rememberDevice, verifyWith } from "../support/devices.ts";
import { guardOf } from "../support/guard.ts";
import { expectEvents } from "../support/request-events.ts";
import { unknownUser } from "../support/requests.ts";
import type { Case, Scene } from "./case.ts";
import { passkeyCases } from "./passkey-cases.ts";

/** The cases of a method that changes no security state and so has no event. */
const pastSession = (at: number) =>
  createSession({ at, verdict: null, risk: { score: 0.05, recommendation: "allow" } });
const noCases: readonly Case[] = [];

function importOf(externalId: string): UserImport {
  const secret = { ...defaultParameters, bytes: new Uint8Array(20).fill(7), name: null };
  const row = { status: "active" as const, secrets: [secret], codes: [] };
  return { externalId, rows: [row], onExisting: "add", isDryRun: false };
}

const configureUser = async ({ user }: Scene) => await user.configure();
const eraseUser = async ({ user }: Scene) => await user.tenant.send("DELETE", user.path());
const suspendUser = async ({ user }: Scene) => {
  await user.configure();
  await user.tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
};
const configureWith = (settings: object) => async (scene: Scene) => {
  await scene.user.tenant.setSettings(settings);
  await configureUser(scene);
};
const rememberTwo = async (scene: Scene) => {
  await configureUser(scene);
  const { user } = scene;
  const now = Date.now();
  await rememberDevice(user, now);
  await rememberDevice(user, now + 60_000);
  user.tenant.clock = undefined;
};
const unlockUser = async ({ user }: Scene) => await user.tenant.send("POST", user.path("/unlock"));

/** Cases of one act: one per state with its expected events, and one with an unknown user. */
function buildCases(
  act: Case["act"],
  expectedEvents: Readonly<Record<string, readonly string[]>>,
  before: Readonly<Record<string, Case["before"]>> = {},
): readonly Case[] {
  const inStates = Object.entries(expectedEvents).map(([title, events]) => ({
    title,
    before: before[title],
    act,
    expectedEvents: events,
  }));
  // The guard answers user_not_found, and the edge reports it: an unknown identity has no trail.
  return [
    ...inStates,
    { title: "for an unknown user", before: eraseUser, act, expectedEvents: [] },
  ];
}

function verifyCode(
  codeOf: (user: User) => string | Promise<string>,
  lockout: Partial<typeof defaultPolicy.lockout> = {},
  purpose: Purpose = "login",
): Case["act"] {
  return async ({ user, guard, call }) => {
    const code = await codeOf(user);
    const method = /^\d{6}$/.test(code) ? "totp" : "backup_code";
    const policy = { ...defaultPolicy.lockout, ...lockout };
    return await guard.verify(call, { method, code }, policy, purpose);
  };
}

const findAuthenticatorId = async (user: User) =>
  String((await user.authenticators())?.[0]?.id ?? unknownUser.authenticatorId);
const rememberWithCode: Case["act"] = async ({ user, guard, call }) => {
  const device = { digest: null, remember: { days: 30, name: null } };
  const attempt = { method: "totp", code: user.code(call.now) } as const;
  return await guard.verify({ ...call, device }, attempt, defaultPolicy.lockout, "login");
};
const failFifthTime: Case["act"] = async ({ user, guard, call }) => {
  const { token } = await rememberDevice(user, call.now);
  const code = user.wrongCode(call.now);
  for (let n = 0; n < 4; n += 1) await verifyWith(user, code, { device_token: token });
  user.tenant.clock = undefined;
  const device = { digest: digestDeviceToken(call, token), remember: null };
  const attempt = { method: "totp", code } as const;
  return await guard.verify({ ...call, device }, attempt, defaultPolicy.lockout, "login");
};
const rightCodeOf = (user: User) => user.code(Date.now());
const wrongCodeOf = (user: User) => user.wrongCode(Date.now());
const createBackupCode = async (user: User) =>
  normaliseBackupCode((await user.backupCodes())[0] ?? "") ?? "";
const spendBackupCode = async (user: User) => {
  const code = await createBackupCode(user);
  await user.verify(code);
  return code;
};
const failOnce = async (scene: Scene) => {
  await configureUser(scene);
  await scene.user.verify(wrongCodeOf(scene.user));
};

async function assess({ user, guard, call }: Scene): Promise<GuardResult<Assessment>> {
  const session = {
    assessmentId: assessmentIdOf(createId(call.now), user.id),
    agent: "application" as const,
    userId: null,
    passkeys: defaultPolicy.passkeys,
    shown: { address: "1.1.1.1", agent: "EnterpriseAgent/1.0" },
  };
  const surroundings: Surroundings = {
    context: usualContext,
    network: neutralEvidence.network,
    population: null,
    crowd: null,
    populationUnread: false,
    degraded: [],
  };
  const { body } = new Response(JSON.stringify(surroundings));
  if (body === null) throw new Error("No body");
  const { challengeAt, denyAt, signalsOff } = defaultPolicy.sentinel;
  return await guard.assess(call, session, body, { challengeAt, denyAt, signalsOff });
}

const verifyCases: readonly Case[] = (
  [
    ["with the right code", configureUser, verifyCode(rightCodeOf), ["otp.verified success"]],
    [
      "with the right code of a device to remember",
      configureUser,
      rememberWithCode,
      ["otp.verified success", "device.remembered success"],
    ],
    [
      "with the fifth wrong code from a known device",
      configureUser,
      failFifthTime,
      ["otp.verified failure invalid_code", "device.removed success failures"],
    ],
    ["with a backup code", configureUser, verifyCode(createBackupCode), ["otp.verified success"]],
    [
      "with the first code of a pending secret",
      configureWith({ otp: { enrolment: "confirm" } }),
      verifyCode(rightCodeOf),
      ["otp.verified success", "otp.confirmed success"],
    ],
    [
      "with a wrong code",
      configureUser,
      verifyCode(wrongCodeOf),
      ["otp.verified failure invalid_code"],
    ],
    [
      "with the code accepted last",
      async (scene: Scene) => {
        await configureUser(scene);
        await scene.user.verify(rightCodeOf(scene.user));
      },
      verifyCode(rightCodeOf),
      ["otp.verified refused code_already_used"],
    ],
    [
      "with the backup code accepted last",
      configureUser,
      verifyCode(spendBackupCode),
      ["otp.verified refused code_already_used"],
    ],
    [
      "with a replayed code",
      async (scene: Scene) => {
        await configureUser(scene);
        await scene.user.verify(rightCodeOf(scene.user));
        await spendBackupCode(scene.user);
      },
      verifyCode(rightCodeOf),
      ["otp.verified failure replayed_code"],
    ],
    [
      "with a spent backup code",
      configureUser,
      verifyCode(async (user) => {
        const code = await spendBackupCode(user);
        await user.verify(user.code(Date.now()));
        return code;
      }),
      ["otp.verified failure spent_code"],
    ],
    [
      "to confirm, without a pending secret",
      configureUser,
      verifyCode(rightCodeOf, {}, "confirm"),
      ["otp.verified refused no_pending_enrolment"],
    ],
    [
      "with a wrong code that locks",
      configureUser,
      verifyCode(wrongCodeOf, { maxFailedAttempts: 1 }),
      ["otp.verified failure invalid_code", "user.locked success too_many_failures"],
    ],
    [
      "with a wrong code that disables TOTP",
      configureUser,
      verifyCode(wrongCodeOf, { disableAfter: 1 }),
      ["otp.verified failure invalid_code", "otp.disabled success too_many_failures"],
    ],
    [
      "during a lock",
      async (scene: Scene) => {
        await configureWith({ lockout: { max_failed_attempts: 1 } })(scene);
        await scene.user.verify(wrongCodeOf(scene.user));
      },
      verifyCode(rightCodeOf),
      ["otp.verified refused user_locked"],
    ],
    [
      "with TOTP disabled",
      async (scene: Scene) => {
        await configureWith({ lockout: { max_failed_attempts: 1, disable_after: 1 } })(scene);
        await scene.user.verify(wrongCodeOf(scene.user));
        await unlockUser(scene);
      },
      verifyCode(rightCodeOf),
      ["otp.verified refused otp_disabled"],
    ],
    [
      "without a TOTP secret",
      undefined,
      verifyCode(() => "123456"),
      ["otp.verified refused otp_not_configured"],
    ],
    [
      "for a suspended user",
      suspendUser,
      verifyCode(rightCodeOf),
      ["otp.verified refused user_suspended"],
    ],
    ["for an unknown user", eraseUser, verifyCode(() => "123456"), []],
  ] satisfies readonly (readonly [string, Case["before"], Case["act"], readonly string[]])[]
).map(([title, before, act, expectedEvents]) => ({ title, before, act, expectedEvents }));

const casesByMethod: Readonly<Record<string, readonly Case[]>> = {
  ping: noCases,
  getProfile: noCases,
  deliver: noCases,
  deliverRecord: noCases,
  alarm: noCases,
  // `reseal` encrypts the same data under another key. It changes no security state.
  reseal: noCases,
  provision: [
    {
      title: "for a new user",
      before: eraseUser,
      act: async ({ guard, call, user }) =>
        await guard.provision(
          call,
          user.externalId,
          streamArgument(Promise.resolve({ record: null })),
        ),
      expectedEvents: ["user.provisioned success"],
    },
    {
      title: "for an existing user",
      act: async ({ guard, call, user }) =>
        await guard.provision(
          call,
          user.externalId,
          streamArgument(Promise.resolve({ record: null })),
        ),
      expectedEvents: ["user.provisioned refused user_exists"],
    },
  ],
  configureTotp: buildCases(
    async ({ guard, call }) => await guard.configureTotp(call, "immediate"),
    {
      "for a user": ["otp.configured success"],
      "for a suspended user": ["otp.configured refused user_suspended"],
    },
    { "for a suspended user": suspendUser },
  ),
  listAuthenticators: noCases,
  importUser: [
    {
      title: "for a new user",
      before: eraseUser,
      act: async ({ guard, call, user }) =>
        await guard.importUser(call, importOf(user.externalId), { record: null }),
      expectedEvents: ["otp.imported success"],
    },
    {
      title: "for a user that exists",
      act: async ({ guard, call, user }) =>
        await guard.importUser(call, importOf(user.externalId), { record: null }),
      expectedEvents: ["otp.imported success"],
    },
  ],
  // The edge reports a page of exported users.
  exportUser: noCases,
  addAuthenticator: buildCases(
    async ({ guard, call }) =>
      await guard.addAuthenticator(call, { ...defaultParameters, name: null }, "immediate"),
    {
      "for a user": ["authenticator.added success"],
      "for a suspended user": ["authenticator.added refused user_suspended"],
    },
    { "for a suspended user": suspendUser },
  ),
  renameAuthenticator: buildCases(
    async ({ user, guard, call }) =>
      await guard.renameAuthenticator(call, await findAuthenticatorId(user), "Work phone"),
    {
      "for a user with one": ["authenticator.renamed success"],
      "for a user without any": ["authenticator.renamed refused authenticator_not_found"],
    },
    { "for a user with one": configureUser },
  ),
  removeAuthenticator: buildCases(
    async ({ user, guard, call }) =>
      await guard.removeAuthenticator(call, await findAuthenticatorId(user)),
    {
      "for a user with one": ["authenticator.removed success"],
      "for a user without any": ["authenticator.removed refused authenticator_not_found"],
    },
    { "for a user with one": configureUser },
  ),
  removeTotp: buildCases(
    async ({ guard, call }) => await guard.removeTotp(call),
    {
      "for a user with TOTP": ["otp.removed success"],
      "for a user without TOTP": ["otp.removed refused otp_not_configured"],
    },
    { "for a user with TOTP": configureUser },
  ),
  regenerateBackupCodes: buildCases(
    async ({ guard, call }) => await guard.regenerateBackupCodes(call),
    {
      "for a user": ["backup_codes.generated success"],
      "for a suspended user": ["backup_codes.generated refused user_suspended"],
    },
    { "for a suspended user": suspendUser },
  ),
  verify: verifyCases,
  // Starting a ceremony writes nothing.
  startPasskeyRegistration: noCases,
  startPasskeyAuthentication: noCases,
  listPasskeys: noCases,
  hasPasskey: noCases,
  registerPasskey: passkeyCases.register,
  verifyPasskey: passkeyCases.verify,
  renamePasskey: passkeyCases.rename,
  removePasskey: passkeyCases.remove,
  listDevices: noCases,
  removeDevice: buildCases(
    async ({ guard, call, user }) => {
      const [device] = (await listDevices(user)) ?? [];
      return await guard.removeDevice(call, device?.id ?? "");
    },
    {
      "of a known device": ["device.removed success requested"],
      "of an unknown device": ["device.removed refused device_not_found"],
    },
    { "of a known device": rememberTwo },
  ),
  removeAllDevices: buildCases(
    async ({ guard, call }) => await guard.removeAllDevices(call),
    { "of two devices": ["device.removed success requested", "device.removed success requested"] },
    { "of two devices": rememberTwo },
  ),
  setStatus: [
    ...buildCases(async ({ guard, call }) => await guard.setStatus(call, "suspended"), {
      "to suspended": ["user.suspended success"],
    }),
    ...buildCases(
      async ({ guard, call }) => await guard.setStatus(call, "active"),
      { "to active": ["user.reactivated success"] },
      { "to active": suspendUser },
    ),
  ],
  unlock: buildCases(
    async ({ guard, call }) => await guard.unlock(call),
    { "for a user": ["user.unlocked success"] },
    { "for a user": failOnce },
  ),
  erase: buildCases(async ({ guard, call }) => await guard.erase(call), {
    "for a user": ["user.erased success"],
  }),
  eraseOrDiscard: [
    {
      title: "for a user of a tenant that is deleted",
      act: async ({ guard, call }) => await guard.eraseOrDiscard(call),
      expectedEvents: ["user.erased success"],
    },
  ],
  assess: buildCases(
    assess,
    {
      "for a session": ["session.assessed success allow"],
      "for a session of a suspended user": ["session.assessed success deny"],
    },
    { "for a session of a suspended user": suspendUser },
  ),
  importSessions: [
    {
      title: "for a session of last week",
      act: async ({ guard, call }) =>
        await guard.importSessions(call, [pastSession(call.now - 7 * day)]),
      expectedEvents: ["session.imported success"],
    },
  ],
  recordFeedback: [
    {
      title: "for a session",
      act: async (scene) => {
        const assessed = await assess({ ...scene, call: { ...scene.call, requestId: "earlier" } });
        if (!assessed.ok) return assessed;
        return await scene.guard.recordFeedback(scene.call, assessed.value.id, "fraud", "");
      },
      expectedEvents: ["session.judged success fraud"],
    },
    {
      // The edge reports this one.
      title: "for an unknown session",
      act: async ({ guard, call, user }) =>
        await guard.recordFeedback(call, assessmentIdOf(createId(call.now), user.id), "fraud", ""),
      expectedEvents: [],
    },
  ],
};

async function createScene(): Promise<Scene> {
  const user = await User.provision(await Tenant.create());
  const call: GuardCall = {
    tenantId: user.tenant.id,
    identityId: user.id,
    now: Date.now(),
    requestId: createId(Date.now()),
    actor: { type: "api_token", id: "a".repeat(24) },
    jurisdiction: null,
    requestKey: null,
  };
  return { user, guard: guardOf(user), call };
}

const allCases = Object.entries(casesByMethod).flatMap(([method, all]) =>
  all.map((way) => ({ method, ...way, events: way.expectedEvents.join(" and ") || "nothing" })),
);

describe("The guard", () => {
  it.each(allCases)("$method $title reports $events", async ({ before, act, expectedEvents }) => {
    const scene = await createScene();
    await before?.(scene);
    const { ok } = await act({ ...scene, call: { ...scene.call, now: Date.now() } });
    expect(ok).toBe(
      expectedEvents.some((event) => / success/.test(event)) &&
        !expectedEvents[0]?.includes("failure"),
    );
    await expectEvents(
      { tenant: scene.user.tenant, user: scene.user },
      scene.call.requestId,
      expectedEvents,
    );
  });

  it("has no method that is missing here", () => {
    const names = Object.getOwnPropertyNames(IdentityGuard.prototype);
    expect(names.filter((name) => name !== "constructor").toSorted()).toEqual(
      Object.keys(casesByMethod).toSorted(),
    );
  });
});
