/** What a scenario is: an operation about to be carried out, in a state that is told of. */
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { fireAlarm } from "../support/guard.ts";
import { sendCouriers } from "../support/held-deliveries.ts";

export interface Ready {
  readonly act: () => Promise<Answer>;
  /** What delivers afterwards by its alarm, where that is counted too. */
  readonly delivers?: DurableObjectStub;
  /** SQL that goes on beside the answer. */
  readonly beside?: RegExp;
}

export interface Scenario {
  /** The operation as the OpenAPI document names it. */
  readonly operation: string;
  readonly state: string;
  readonly status: number;
  readonly ready: () => Promise<Ready>;
}

const stepMs = 30_000;

/** All is delivered, and nobody is under way. */
export async function toRest(user: User): Promise<void> {
  await fireAlarm(user);
  await sendCouriers();
}

/** A user with TOTP. The token is in memory, the guard too, and no alarm is pending. */
export async function someone(): Promise<User> {
  const user = await User.withTotp(await Tenant.create());
  await toRest(user);
  return user;
}

/** Time goes on to the next step, for this tenant alone. @returns Unix ms */
export function nextStep({ tenant }: User): number {
  const now = tenant.clock === undefined ? Date.now() : Date.parse(tenant.clock);
  tenant.clock = new Date(now + stepMs).toISOString();
  return now + stepMs;
}

/** A right code that nobody has used; the tenant's time goes on to it. */
export function nextCode(user: User): string {
  return user.code(nextStep(user));
}

export function nextWrongCode(user: User): string {
  return user.wrongCode(nextStep(user));
}

/** A request with an `Idempotency-Key`. */
export async function withKey(
  { tenant }: User,
  path: string,
  body?: object,
  key = "k-1",
): Promise<Answer> {
  const clock = tenant.clock === undefined ? {} : { "Test-Clock": tenant.clock };
  const headers = { "Idempotency-Key": key, ...clock };
  return await send("POST", path, { token: tenant.token, headers, body });
}
