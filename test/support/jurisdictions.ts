/**
 * Jurisdictions for the local runtime, which has none. As the platform documents, a name under
 * `namespace.jurisdiction(…)` names another object than the same name without it.
 */
import { env } from "cloudflare:workers";
import { vi } from "vitest";

export const namespaces = {
  FOLLOWERS: env.FOLLOWERS,
  GATE: env.GATE,
  GUARD: env.GUARD,
  REFUSALS: env.REFUSALS,
  PREFIXES: env.PREFIXES,
  TENANT_WATCHES: env.TENANT_WATCHES,
  REGISTER: env.REGISTER,
  EXPORTS: env.EXPORTS,
  PERSONAL_KEYS: env.PERSONAL_KEYS,
};

/** The runtime's class of all namespaces. */
export const namespaceClass = Object.getPrototypeOf(env.GUARD);

/** The local name of an object in a jurisdiction. */
export function nameIn(jurisdiction: string, name: string): string {
  return `${jurisdiction} ${name}`;
}

/** Provides jurisdictions until the mocks are restored. */
export function provideJurisdictions(): void {
  vi.spyOn(namespaceClass, "jurisdiction").mockImplementation(function (
    this: DurableObjectNamespace,
    jurisdiction: unknown,
  ) {
    return {
      idFromName: (name: string) => this.idFromName(nameIn(String(jurisdiction), name)),
      get: (...given: Parameters<DurableObjectNamespace["get"]>) => this.get(...given),
    };
  });
}

/** A stub that the service requested. */
export interface RequestedObject {
  readonly namespace: string;
  readonly name: string | undefined;
  /** The location hint, or undefined if there was none. */
  readonly hint: string | undefined;
}

/** Records every requested stub until the mocks are restored. */
export function recordRequestedObjects(): RequestedObject[] {
  const requested: RequestedObject[] = [];
  const real = namespaceClass.get;
  vi.spyOn(namespaceClass, "get").mockImplementation(function (this: unknown, ...given: unknown[]) {
    const [id, options]: { name?: string; locationHint?: string }[] = given.map((value) =>
      Object(value),
    );
    const [namespace = ""] =
      Object.entries(namespaces).find(([, candidate]) => candidate === this) ?? [];
    requested.push({ namespace, name: id?.name, hint: options?.locationHint });
    return real.apply(this, given);
  });
  return requested;
}
