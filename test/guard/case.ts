/** A case of a method of the guard, with the events that it reports. */
import type { GuardCall, GuardResult } from "../../src/guard/decisions/transition.ts";
import type { User } from "../support/client.ts";
import type { guardOf } from "../support/guard.ts";

export interface Scene {
  readonly user: User;
  readonly guard: ReturnType<typeof guardOf>;
  /** The call whose events are checked. */
  readonly call: GuardCall;
}

export interface Case {
  readonly title: string;
  readonly before?: ((scene: Scene) => Promise<unknown>) | undefined;
  readonly act: (scene: Scene) => Promise<GuardResult<unknown>>;
  readonly expectedEvents: readonly string[];
}
