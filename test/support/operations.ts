/**
 * The operations that change an identity, each with its preparation and its expected result. Tests run
 * all of them under the same fault.
 */
import { type Answer, type Tenant, User } from "./client.ts";

/** An operation that can run now. */
export interface PreparedOperation {
  /** The user whose guard the operation calls, if it calls one. */
  readonly user?: User;
  /** The last step before the operation, after all other requests. */
  readonly justBefore?: () => Promise<void>;
  readonly act: () => Promise<Answer>;
  /** Reads the values in the API that the operation changes. */
  readonly readShown: () => Promise<unknown>;
}

/** The status and the events that a request must produce. */
export interface Outcome {
  readonly status: number;
  readonly events: readonly string[];
}

export interface Operation {
  readonly name: string;
  /** The shard of the tenant; `DB` by default. */
  readonly shard?: number;
  readonly prepare: (tenant: Tenant) => Promise<PreparedOperation>;
  readonly before: unknown;
  readonly after: unknown;
  readonly done: Outcome;
  /** The outcome of the same request a second time. */
  readonly again: Outcome;
  /** The shown values after the second request, if they differ from `after`. */
  readonly afterAgain?: unknown;
}

const profileReader = (user: User, fields: readonly string[]) => async () => {
  const profile = await user.profile();
  return fields.map((field) => profile[field]);
};

/** Provisions a name that was erased before, so that the guard must read D1 first. */
async function provision(tenant: Tenant): Promise<PreparedOperation> {
  const known = await User.provision(tenant, "known");
  await tenant.send("DELETE", known.path());
  const request = { user: { external_id: known.externalId } };
  return {
    user: known,
    act: () => tenant.send("POST", "/v1/idp/users", request),
    readShown: async () => (await tenant.send("GET", "/v1/idp/users")).body.users.length,
  };
}

async function provisionPending(tenant: Tenant): Promise<User> {
  await tenant.setSettings({ otp: { enrolment: "confirm" } });
  return await User.withTotp(tenant);
}

async function provisionAssessed(tenant: Tenant) {
  const user = await User.provision(tenant);
  const { assessment_id } = await user.assess();
  const readShown = async () => {
    const { body } = await tenant.send("GET", "/v1/sentinel/assessments");
    return body.assessments.map(({ outcome }: { outcome: string | null }) => outcome);
  };
  return { user, assessmentId: String(assessment_id), readShown };
}

async function provisionLocked(tenant: Tenant): Promise<User> {
  const user = await User.withTotp(tenant);
  const wrong = user.wrongCode(Date.now());
  for (let attempt = 0; attempt < 5; attempt += 1) await user.verify(wrong);
  return user;
}

/** Operations that an identity's guard decides. D1 gets their events later. */
export const guardOperations: readonly Operation[] = [
  {
    name: "provision",
    prepare: provision,
    before: 0,
    after: 1,
    done: { status: 201, events: ["user.provisioned success"] },
    again: { status: 409, events: ["user.provisioned refused user_exists"] },
  },
  {
    name: "configure",
    prepare: async (tenant) => {
      const user = await User.provision(tenant);
      return { user, act: () => user.configure(), readShown: profileReader(user, ["has_otp"]) };
    },
    before: [false],
    after: [true],
    done: { status: 200, events: ["otp.configured success"] },
    again: { status: 200, events: ["otp.configured success"] },
  },
  {
    name: "confirm",
    prepare: async (tenant) => {
      const user = await provisionPending(tenant);
      const code = user.code(Date.now());
      const readShown = profileReader(user, ["has_otp", "failed_attempts"]);
      return { user, act: () => user.verify(code), readShown };
    },
    before: [false, 0],
    after: [true, 0],
    done: { status: 200, events: ["otp.verified success", "otp.confirmed success"] },
    again: { status: 422, events: ["otp.verified refused code_already_used"] },
  },
  {
    name: "regenerate",
    prepare: async (tenant) => {
      const user = await User.withTotp(tenant);
      const act = () => tenant.send("POST", user.path("/backup-codes"));
      return { user, act, readShown: profileReader(user, ["backup_codes_remaining"]) };
    },
    before: [0],
    after: [10],
    done: { status: 200, events: ["backup_codes.generated success"] },
    again: { status: 200, events: ["backup_codes.generated success"] },
  },
  {
    name: "remove",
    prepare: async (tenant) => {
      const user = await User.withTotp(tenant);
      await user.backupCodes();
      const act = () => tenant.send("DELETE", user.path("/otp"));
      return { user, act, readShown: profileReader(user, ["has_otp", "backup_codes_remaining"]) };
    },
    before: [true, 10],
    after: [false, 0],
    done: { status: 204, events: ["otp.removed success"] },
    again: { status: 409, events: ["otp.removed refused otp_not_configured"] },
  },
  {
    name: "suspend",
    prepare: async (tenant) => {
      const user = await User.provision(tenant);
      const act = () => tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
      return { user, act, readShown: profileReader(user, ["status"]) };
    },
    before: ["active"],
    after: ["suspended"],
    done: { status: 200, events: ["user.suspended success"] },
    again: { status: 200, events: ["user.suspended success"] },
  },
  {
    name: "unlock",
    prepare: async (tenant) => {
      const user = await provisionLocked(tenant);
      const act = () => tenant.send("POST", user.path("/unlock"));
      return { user, act, readShown: profileReader(user, ["is_locked", "failed_attempts"]) };
    },
    before: [true, 5],
    after: [false, 0],
    done: { status: 200, events: ["user.unlocked success"] },
    again: { status: 200, events: ["user.unlocked success"] },
  },
  {
    name: "verify a TOTP code",
    prepare: async (tenant) => {
      const user = await User.withTotp(tenant);
      const code = user.code(Date.now());
      await user.verify(user.wrongCode(Date.now()));
      return {
        user,
        act: () => user.verify(code),
        readShown: profileReader(user, ["failed_attempts"]),
      };
    },
    before: [1],
    after: [0],
    done: { status: 200, events: ["otp.verified success"] },
    again: { status: 422, events: ["otp.verified refused code_already_used"] },
  },
  {
    name: "verify a backup code",
    prepare: async (tenant) => {
      const user = await User.withTotp(tenant);
      const [code] = await user.backupCodes();
      const readShown = profileReader(user, ["backup_codes_remaining", "failed_attempts"]);
      return { user, act: () => user.verify(code), readShown };
    },
    before: [10, 0],
    after: [9, 0],
    done: { status: 200, events: ["otp.verified success"] },
    again: { status: 422, events: ["otp.verified refused code_already_used"] },
  },
  {
    name: "discover",
    prepare: async (tenant) => {
      const { user, readShown } = await provisionAssessed(tenant);
      return { user, act: () => user.discover(), readShown };
    },
    before: [null],
    after: [null, null],
    done: { status: 200, events: ["session.assessed success allow"] },
    again: { status: 200, events: ["session.assessed success allow"] },
    afterAgain: [null, null, null],
  },
  {
    name: "feedback",
    prepare: async (tenant) => {
      const { user, assessmentId, readShown } = await provisionAssessed(tenant);
      return { user, act: () => user.sendFeedback(assessmentId, "fraud"), readShown };
    },
    before: [null],
    after: ["fraud"],
    done: { status: 204, events: ["session.judged success fraud"] },
    again: { status: 204, events: ["session.judged success fraud"] },
  },
];

/** An erasure. It waits for D1, because it promises that D1 has deleted the data too. */
export const erasure: Operation = {
  name: "erase",
  prepare: async (tenant) => {
    const user = await User.withTotp(tenant);
    await user.discover();
    const readShown = async () => {
      const list = await tenant.send("GET", "/v1/sentinel/assessments");
      const directory = await tenant.send("GET", "/v1/idp/users");
      return [list.body.assessments.length, directory.body.users.length];
    };
    return { user, act: () => tenant.send("DELETE", user.path()), readShown };
  },
  before: [1, 1],
  after: [0, 0],
  done: { status: 204, events: ["user.erased success"] },
  again: { status: 404, events: ["request.refused refused user_not_found"] },
};

export function findOperations(...names: readonly string[]): readonly Operation[] {
  const found = guardOperations.filter(({ name }) => names.includes(name));
  if (found.length !== names.length)
    throw new Error(`Some operations do not exist: ${names.join(", ")}`);
  return found;
}

/** The same operations for a tenant in another database. */
export function inOtherDatabase(operations: readonly Operation[]): readonly Operation[] {
  return operations.map((operation) => ({
    ...operation,
    name: `${operation.name}, in another database`,
    shard: 1,
  }));
}
