/**
 * Every change of security state has its event: held against every method of the guard. A method
 * that is added must say here what it tells of, for a success and for each way to fail.
 */
import { describe, expect, it } from "vitest";
import { createId } from "../../src/crypto/id.ts";
import type { GuardCall, GuardResult } from "../../src/guard/decisions/transition.ts";
import { IdentityGuard } from "../../src/guard/identity-guard.ts";
import { streamArgument } from "../../src/guard/streamed-argument.ts";
import { normaliseBackupCode } from "../../src/otp/backup-codes.ts";
import { type AssessmentRecord, assessmentIdOf } from "../../src/sentinel/assessment.ts";
import type { Surroundings } from "../../src/sentinel/assessments/surroundings.ts";
import { defaultPolicy } from "../../src/tenancy/policy.ts";
import { neutralEvidence, usualContext } from "../sentinel/example.ts";
import { Tenant, User } from "../support/client.ts";
import { guardOf } from "../support/guard.ts";
import { expectTold } from "../support/told.ts";

interface Scene {
  readonly user: User;
  readonly guard: ReturnType<typeof guardOf>;
  /** The call whose events are looked for. */
  readonly call: GuardCall;
}

interface Way {
  readonly title: string;
  readonly before?: ((scene: Scene) => Promise<unknown>) | undefined;
  readonly act: (scene: Scene) => Promise<GuardResult<unknown>>;
  readonly told: readonly string[];
}

/** Of a method that changes no security state, and so has no event. */
const none: readonly Way[] = [];

const configured = async ({ user }: Scene) => await user.configure();
const erased = async ({ user }: Scene) => await user.tenant.send("DELETE", user.path());
const suspended = async ({ user }: Scene) => {
  await user.configure();
  await user.tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
};
const withSettings = (settings: object) => async (scene: Scene) => {
  await scene.user.tenant.setSettings(settings);
  await configured(scene);
};
const unlocked = async ({ user }: Scene) => await user.tenant.send("POST", user.path("/unlock"));

/** The same act in several states: what is told of each, and of nobody. */
function ways(
  act: Way["act"],
  told: Readonly<Record<string, readonly string[]>>,
  before: Readonly<Record<string, Way["before"]>> = {},
): readonly Way[] {
  const inStates = Object.entries(told).map(([title, events]) => ({
    title,
    before: before[title],
    act,
    told: events,
  }));
  // The edge, which is answered user_not_found, tells of that: an unknown identity has no trail.
  return [...inStates, { title: "of an unknown user", before: erased, act, told: [] }];
}

function verifying(
  codeOf: (user: User) => string | Promise<string>,
  lockout: Partial<typeof defaultPolicy.lockout> = {},
): Way["act"] {
  return async ({ user, guard, call }) => {
    const code = await codeOf(user);
    const method = /^\d{6}$/.test(code) ? "totp" : "backup_code";
    const policy = { ...defaultPolicy.lockout, ...lockout };
    return await guard.verify(call, { method, code }, policy, null);
  };
}

const right = (user: User) => user.code(Date.now());
const wrong = (user: User) => user.wrongCode(Date.now());
const backupCode = async (user: User) =>
  normaliseBackupCode((await user.backupCodes())[0] ?? "") ?? "";
const spentCode = async (user: User) => {
  const code = await backupCode(user);
  await user.verify(code);
  return code;
};
const failed = async (scene: Scene) => {
  await configured(scene);
  await scene.user.verify(wrong(scene.user));
};

async function assess({ user, guard, call }: Scene): Promise<GuardResult<AssessmentRecord>> {
  const session = {
    assessmentId: assessmentIdOf(createId(call.now), user.id),
    agent: "application" as const,
    userId: null,
    contextDigest: "",
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

const verifyWays: readonly Way[] = (
  [
    ["of the right code", configured, verifying(right), ["otp.verified success"]],
    ["of a backup code", configured, verifying(backupCode), ["otp.verified success"]],
    [
      "of the first code of a pending secret",
      withSettings({ otp: { enrolment: "confirm" } }),
      verifying(right),
      ["otp.verified success", "otp.confirmed success"],
    ],
    ["of a wrong code", configured, verifying(wrong), ["otp.verified failure invalid_code"]],
    [
      "of a code that was used",
      async (scene: Scene) => {
        await configured(scene);
        await scene.user.verify(right(scene.user));
      },
      verifying(right),
      ["otp.verified failure replayed_code"],
    ],
    [
      "of a backup code that was used",
      configured,
      verifying(spentCode),
      ["otp.verified failure spent_code"],
    ],
    [
      "of a wrong code that locks",
      configured,
      verifying(wrong, { maxFailedAttempts: 1 }),
      ["otp.verified failure invalid_code", "user.locked success too_many_failures"],
    ],
    [
      "of a wrong code that disables",
      configured,
      verifying(wrong, { disableAfter: 1 }),
      ["otp.verified failure invalid_code", "otp.disabled success too_many_failures"],
    ],
    [
      "during a lock",
      async (scene: Scene) => {
        await withSettings({ lockout: { max_failed_attempts: 1 } })(scene);
        await scene.user.verify(wrong(scene.user));
      },
      verifying(right),
      ["otp.verified refused user_locked"],
    ],
    [
      "of a disabled TOTP",
      async (scene: Scene) => {
        await withSettings({ lockout: { max_failed_attempts: 1, disable_after: 1 } })(scene);
        await scene.user.verify(wrong(scene.user));
        await unlocked(scene);
      },
      verifying(right),
      ["otp.verified refused otp_disabled"],
    ],
    [
      "without a TOTP secret",
      undefined,
      verifying(() => "123456"),
      ["otp.verified refused otp_not_configured"],
    ],
    ["of a suspended user", suspended, verifying(right), ["otp.verified refused user_suspended"]],
    ["of an unknown user", erased, verifying(() => "123456"), []],
  ] satisfies readonly (readonly [string, Way["before"], Way["act"], readonly string[]])[]
).map(([title, before, act, told]) => ({ title, before, act, told }));

const methods: Readonly<Record<string, readonly Way[]>> = {
  ping: none,
  getProfile: none,
  deliver: none,
  confirmDelivery: none,
  alarm: none,
  // The same under another key: no security state changes.
  reseal: none,
  provision: [
    {
      title: "of a new user",
      before: erased,
      act: async ({ guard, call, user }) =>
        await guard.provision(
          call,
          user.externalId,
          streamArgument(Promise.resolve({ record: null })),
        ),
      told: ["user.provisioned success"],
    },
    {
      title: "of one that exists",
      act: async ({ guard, call, user }) =>
        await guard.provision(
          call,
          user.externalId,
          streamArgument(Promise.resolve({ record: null })),
        ),
      told: ["user.provisioned refused user_exists"],
    },
  ],
  configureTotp: ways(
    async ({ guard, call }) => await guard.configureTotp(call, "immediate"),
    {
      "of a user": ["otp.configured success"],
      "of a suspended user": ["otp.configured refused user_suspended"],
    },
    { "of a suspended user": suspended },
  ),
  removeTotp: ways(
    async ({ guard, call }) => await guard.removeTotp(call),
    {
      "of a user with TOTP": ["otp.removed success"],
      "of a user without": ["otp.removed refused otp_not_configured"],
    },
    { "of a user with TOTP": configured },
  ),
  regenerateBackupCodes: ways(
    async ({ guard, call }) => await guard.regenerateBackupCodes(call),
    {
      "of a user": ["backup_codes.generated success"],
      "of a suspended user": ["backup_codes.generated refused user_suspended"],
    },
    { "of a suspended user": suspended },
  ),
  verify: verifyWays,
  setStatus: [
    ...ways(async ({ guard, call }) => await guard.setStatus(call, "suspended"), {
      "to suspended": ["user.suspended success"],
    }),
    ...ways(
      async ({ guard, call }) => await guard.setStatus(call, "active"),
      { "to active": ["user.reactivated success"] },
      { "to active": suspended },
    ),
  ],
  unlock: ways(
    async ({ guard, call }) => await guard.unlock(call),
    { "of a user": ["user.unlocked success"] },
    { "of a user": failed },
  ),
  erase: ways(async ({ guard, call }) => await guard.erase(call), {
    "of a user": ["user.erased success"],
  }),
  assess: ways(
    assess,
    {
      "of a session": ["session.assessed success allow"],
      "of a session of a suspended user": ["session.assessed refused user_suspended"],
    },
    { "of a session of a suspended user": suspended },
  ),
  recordFeedback: [
    {
      title: "of a session",
      act: async (scene) => {
        const assessed = await assess({ ...scene, call: { ...scene.call, requestId: "earlier" } });
        if (!assessed.ok) return assessed;
        return await scene.guard.recordFeedback(scene.call, assessed.value.id, "fraud");
      },
      told: ["session.judged success fraud"],
    },
    {
      // The edge tells of it.
      title: "of a session nobody knows",
      act: async ({ guard, call, user }) =>
        await guard.recordFeedback(call, assessmentIdOf(createId(call.now), user.id), "fraud"),
      told: [],
    },
  ],
};

async function newScene(): Promise<Scene> {
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

const everyWay = Object.entries(methods).flatMap(([method, all]) =>
  all.map((way) => ({ method, ...way, events: way.told.join(" and ") || "nothing" })),
);

describe("The guard", () => {
  it.each(everyWay)("$method $title tells $events", async ({ before, act, told }) => {
    const scene = await newScene();
    await before?.(scene);
    const { ok } = await act({ ...scene, call: { ...scene.call, now: Date.now() } });
    expect(ok).toBe(told.some((event) => / success/.test(event)) && !told[0]?.includes("failure"));
    await expectTold({ tenant: scene.user.tenant, user: scene.user }, scene.call.requestId, told);
  });

  it("has no method that is not among these", () => {
    const names = Object.getOwnPropertyNames(IdentityGuard.prototype);
    expect(names.filter((name) => name !== "constructor").toSorted()).toEqual(
      Object.keys(methods).toSorted(),
    );
  });
});
