/**
 * Every act leaves its event, and so does every refusal that somebody accounts for: held against
 * every route there is. A route that is added, or an error it lists, must say here what is told of it.
 */
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import document from "../../docs/audit.md?raw";
import { apiRoutes } from "../../src/app.ts";
import { auditActions } from "../../src/audit/event.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { permissions } from "../../src/tenancy/permission.ts";
import { sendManyRequests } from "../support/busy-tokens.ts";
import { type Answer, type Call, send, Tenant, User } from "../support/client.ts";
import { expectRequestEvents } from "../support/request-events.ts";
import { type RequestTarget, requestTo, unknownUser } from "../support/requests.ts";
import { sql } from "../support/trail.ts";

const hour = 60 * 60 * 1000;

interface World {
  readonly tenant: Tenant;
  readonly user: User;
}

interface Case {
  /** Makes the world such that the request ends this way. */
  readonly given?: (world: World) => Promise<unknown>;
  /** The body, where it is not that of the usual request. */
  readonly body?: (world: World) => object;
  /** The request is about nobody, and nothing. */
  readonly isAboutNobody?: true;
  readonly told: readonly string[];
}

interface Expectation {
  readonly success: Case;
  /** By error, for those that are not the same for every route. */
  readonly errors?: Partial<Record<ErrorCode, Case>>;
}

/** A route that only reads: its success leaves nothing, on purpose. */
const reads: Expectation = { success: { told: [] } };

/** The same, of a log; one in which nothing was ever filed is not found. */
const readsTheLog: Expectation = {
  ...reads,
  errors: {
    not_found: {
      given: async ({ tenant }) =>
        await sql("DELETE FROM audit_events WHERE tenant_id = ?", tenant.id),
      told: ["request.refused refused not_found"],
    },
  },
};

const configured = async ({ user }: World) => await user.configure();
const suspended = async ({ tenant, user }: World) => {
  await user.configure();
  await tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
};
const afterWrongCode = (lockout: object) => async (world: World) => {
  await configured(world);
  await world.tenant.setSettings({ lockout });
  await world.user.verify(world.user.wrongCode(Date.now()));
};
const rightCode = ({ user }: World) => ({
  otp: { id: user.externalId, code: user.code(Date.now()) },
});
const wrongCode = ({ user }: World) => ({
  otp: { id: user.externalId, code: user.wrongCode(Date.now()) },
});

const expectations: Readonly<Record<string, Expectation>> = {
  provisionUser: {
    success: { told: ["user.provisioned success"] },
    errors: {
      user_exists: {
        body: ({ user }) => ({ user: { external_id: user.externalId } }),
        told: ["user.provisioned refused user_exists"],
      },
    },
  },
  listUsers: reads,
  getUser: reads,
  setUserStatus: { success: { told: ["user.suspended success"] } },
  unlockUser: { success: { told: ["user.unlocked success"] } },
  eraseUser: { success: { told: ["user.erased success"] } },
  configureOtp: {
    success: { told: ["otp.configured success"] },
    errors: {
      user_suspended: { given: suspended, told: ["otp.configured refused user_suspended"] },
    },
  },
  removeOtp: {
    success: { given: configured, told: ["otp.removed success"] },
    errors: { otp_not_configured: { told: ["otp.removed refused otp_not_configured"] } },
  },
  verifyOtp: {
    success: { given: configured, body: rightCode, told: ["otp.verified success"] },
    errors: {
      user_suspended: { given: suspended, told: ["otp.verified refused user_suspended"] },
      otp_not_configured: { told: ["otp.verified refused otp_not_configured"] },
      invalid_code: {
        given: configured,
        body: wrongCode,
        told: ["otp.verified failure invalid_code"],
      },
      user_locked: {
        given: afterWrongCode({ max_failed_attempts: 1 }),
        told: ["otp.verified refused user_locked"],
      },
      otp_disabled: {
        given: async (world) => {
          await afterWrongCode({ max_failed_attempts: 1, disable_after: 1 })(world);
          await world.tenant.send("POST", world.user.path("/unlock"));
        },
        told: ["otp.verified refused otp_disabled"],
      },
    },
  },
  regenerateBackupCodes: {
    success: { told: ["backup_codes.generated success"] },
    errors: {
      user_suspended: {
        given: suspended,
        told: ["backup_codes.generated refused user_suspended"],
      },
    },
  },
  discover: {
    success: { told: ["session.assessed success allow"] },
    errors: {
      user_suspended: { given: suspended, told: ["session.assessed refused user_suspended"] },
      high_risk: {
        given: async ({ tenant }) => await tenant.setSettings({ sentinel: { deny: ["1.1.1.1"] } }),
        told: ["session.assessed success deny"],
      },
    },
  },
  judgeSession: { success: { told: ["session.judged success legitimate"] } },
  listAssessments: reads,
  simulatePolicy: reads,
  listFeeds: reads,
  listAuditEvents: reads,
  exportAudit: readsTheLog,
  getCheckpoint: readsTheLog,
  listCheckpoints: reads,
  proveAuditEvent: reads,
  proveAuditConsistency: readsTheLog,
  listAuditKeys: reads,
  createTenant: { success: { told: ["tenant.created success", "token.created success"] } },
  relocateTenant: {
    success: { told: ["tenant.relocated success"] },
    // Of a tenant that does not exist nobody is told.
    errors: { not_found: { isAboutNobody: true, told: [] } },
  },
  createToken: { success: { told: ["token.created success"] } },
  listTokens: reads,
  rotateToken: { success: { told: ["token.rotated success"] } },
  revokeToken: { success: { told: ["token.revoked success"] } },
  getSettings: reads,
  changeSettings: { success: { told: ["settings.changed success"] } },
  listKeys: reads,
  // Seals anew what is sealed: no tenant's security state changes.
  reEncrypt: reads,
  liveness: reads,
  readiness: reads,
};

function expectationOf(name: string): Expectation {
  const expectation = expectations[name];
  if (expectation === undefined) throw new Error(`What is told of the route ${name}?`);
  return expectation;
}

async function newWorld(): Promise<World> {
  const tenant = await Tenant.create();
  return { tenant, user: await User.provision(tenant) };
}

/** The user, another token than the tenant's own, and an event. */
async function somebody({ tenant, user }: World): Promise<RequestTarget> {
  await tenant.tokenWith(["idp:read"]);
  const { tokens } = (await tenant.send("GET", "/v1/tokens")).body;
  const [{ id: eventId }] = await user.events();
  const { assessment_id: assessmentId } = await user.assess();
  const { externalId, id } = user;
  return { tenantId: tenant.id, externalId, id, tokenId: tokens[1].id, eventId, assessmentId };
}

function requestIdOf({ headers }: Answer): string | null {
  return headers.get("X-Request-Id");
}

/** Tokens that are refused: revoked, expired an hour from now, and without the permission. */
async function badTokens(tenant: Tenant, needed: string) {
  const create = async (expires_at?: string) => {
    const token = { name: "n", permissions: [...permissions], expires_at };
    return (await tenant.send("POST", "/v1/tokens", { token })).body.token;
  };
  const revoked = await create();
  await tenant.send("DELETE", `/v1/tokens/${revoked.id}`);
  const expired = await create(new Date(Date.now() + hour).toISOString());
  const others = permissions.filter((permission) => permission !== needed);
  return {
    revoked: revoked.secret,
    expired: expired.secret,
    narrow: await tenant.tokenWith(others),
  };
}

const guarded = apiRoutes
  .map(({ definition }) => definition)
  .filter(({ access }) => access.kind !== "public");

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(guarded)("$method $path ($name)", ({ name, method, access, errors = [] }) => {
  const isOperators = access.kind === "operator";
  const { success, errors: ownErrors = {} } = expectationOf(name);

  const ask = async ({ tenant }: World, about: RequestTarget, call: Call = {}) => {
    const { path, body } = requestTo(name, about);
    const token = isOperators ? env.OPERATOR_TOKEN : tenant.token;
    return await send(method.toUpperCase(), path, { token, body, ...call });
  };

  it(`tells of a success: ${success.told.join(" and ") || "nothing, it only reads"}`, async () => {
    const world = await newWorld();
    const about = await somebody(world);
    await success.given?.(world);
    const answer = await ask(world, about, success.body && { body: success.body(world) });
    expect(answer.status).toBeLessThan(300);
    // What the operator does is told to the tenant that it makes.
    const { tenant, token } = answer.body;
    const whose =
      isOperators && tenant !== undefined
        ? { tenant: { id: tenant.id, token: token.secret } }
        : world;
    await expectRequestEvents(whose, requestIdOf(answer), success.told);
  });

  const ofEveryRoute: Partial<Record<ErrorCode, Case>> = {
    user_not_found: { told: ["request.refused refused user_not_found"] },
    not_found: { told: ["request.refused refused not_found"] },
    assessment_not_found: { told: ["request.refused refused assessment_not_found"] },
  };

  for (const code of errors) {
    const ending = ownErrors[code] ?? ofEveryRoute[code];
    it(`tells of ${code}: ${ending?.told.join(" and ")}`, async () => {
      if (ending === undefined) throw new Error(`What is told of ${code} by the route ${name}?`);
      const world = await newWorld();
      const isAboutNobody = ending === ofEveryRoute[code] || ending.isAboutNobody === true;
      const about = isAboutNobody ? unknownUser : await somebody(world);
      await ending.given?.(world);
      const answer = await ask(world, about, ending.body && { body: ending.body(world) });
      expect(answer.body.code).toBe(code);
      await expectRequestEvents(world, requestIdOf(answer), ending.told);
    });
  }

  if (isOperators) {
    it("tells nothing of a wrong operator token, which is nobody's", async () => {
      const world = await newWorld();
      const answer = await ask(world, unknownUser, { token: world.tenant.token });
      expect(answer.body.code).toBe("invalid_token");
      await expectRequestEvents(world, requestIdOf(answer), []);
    });
    return;
  }

  it("tells of each way in which its token is refused", async () => {
    const world = await newWorld();
    const { tenant } = world;
    const about = await somebody(world);
    const { revoked, expired, narrow } = await badTokens(tenant, access.kind);
    const later = new Date(Date.now() + 2 * hour).toISOString();
    const answers = [
      await ask(world, about, { token: narrow }),
      await ask(world, about, { token: revoked }),
      await ask(world, about, { token: expired, headers: { "Test-Clock": later } }),
    ];
    await sendManyRequests(tenant.id);
    const limiter = Object.getPrototypeOf(env.TOKEN_RATE_LIMIT);
    const limit = vi.spyOn(limiter, "limit").mockResolvedValue({ success: false });
    answers.push(await ask(world, about));
    limit.mockRestore();
    const codes = answers.map(({ body }) => body.code);
    expect(codes).toEqual(["insufficient_scope", "invalid_token", "invalid_token", "rate_limited"]);
    for (const answer of answers) {
      await expectRequestEvents(world, requestIdOf(answer), [
        `request.refused refused ${answer.body.code}`,
      ]);
    }
  });
});

describe("The table above", () => {
  it("has every route there is, and no other", () => {
    const names = apiRoutes.map(({ definition }) => definition.name);
    expect(Object.keys(expectations).toSorted()).toEqual(names.toSorted());
  });

  it("has routes for everybody only where they read", () => {
    const open = apiRoutes.filter(({ definition }) => definition.access.kind === "public");
    for (const { definition } of open) expect(expectationOf(definition.name)).toBe(reads);
  });

  it("has no error that its route does not list", () => {
    for (const { definition } of apiRoutes) {
      const own = Object.keys(expectationOf(definition.name).errors ?? {});
      expect(definition.errors ?? []).toEqual(expect.arrayContaining(own));
    }
  });
});

describe("docs/audit.md", () => {
  it("lists every action there is, and no other", () => {
    const [, table = ""] = /^\| action \|.*\n\|.*\n((?:\|.*\n)+)/m.exec(document) ?? [];
    const firsts = table.split("\n").map((row) => row.split("|")[1] ?? "");
    const listed = firsts.flatMap((cell) =>
      [...cell.matchAll(/`([^`]+)`/g)].map(([, action]) => action),
    );
    expect(listed.toSorted()).toEqual([...auditActions].toSorted());
  });
});
