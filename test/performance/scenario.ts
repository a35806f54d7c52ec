/** A scenario: an operation and the state in which it runs. */
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { fireAlarm } from "../support/guard.ts";

export interface Ready {
  readonly act: () => Promise<Answer>;
  /** The object that delivers by its alarm afterwards, if that is counted too. */
  readonly delivers?: DurableObjectStub;
  /** Removes the queue, if the guard hands its delivery over to one. */
  readonly removeQueue?: () => void;
  /** SQL that runs in parallel with the answer. */
  readonly beside?: RegExp;
}

export interface Scenario {
  /** The operation as the OpenAPI document names it. */
  readonly operation: string;
  readonly state: string;
  readonly status: number;
  readonly prepare: () => Promise<Ready>;
}

const stepMs = 30_000;

/** Delivers the outbox, so that no alarm is pending. */
export async function deliverAll(user: User): Promise<void> {
  await fireAlarm(user);
}

/** Creates a user with TOTP. The token is cached, the guard is in memory, and no alarm is pending. */
export async function createUser(): Promise<User> {
  const user = await User.withTotp(await Tenant.create());
  await deliverAll(user);
  return user;
}

/** Moves the tenant's test clock to the next time step. @returns Unix ms */
export function goToNextStep({ tenant }: User): number {
  const now = tenant.clock === undefined ? Date.now() : Date.parse(tenant.clock);
  tenant.clock = new Date(now + stepMs).toISOString();
  return now + stepMs;
}

/** A right code that is unused, in the tenant's next time step. */
export function nextCode(user: User): string {
  return user.code(goToNextStep(user));
}

export function nextWrongCode(user: User): string {
  return user.wrongCode(goToNextStep(user));
}

/** Sends a request with an `Idempotency-Key`. */
export async function sendWithKey(
  { tenant }: User,
  path: string,
  body?: object,
  key = "k-1",
): Promise<Answer> {
  const clock = tenant.clock === undefined ? {} : { "Test-Clock": tenant.clock };
  const headers = { "Idempotency-Key": key, ...clock };
  return await send("POST", path, { token: tenant.token, headers, body });
}
