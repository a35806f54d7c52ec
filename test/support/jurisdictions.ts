/**
 * The local runtime has no jurisdictions. This gives it what the platform documents of them: under
 * `namespace.jurisdiction(…)` a name stands for another object than without.
 */
import { env } from "cloudflare:workers";
import { vi } from "vitest";

export const namespaces = {
  GUARD: env.GUARD,
  REFUSALS: env.REFUSALS,
  PREFIXES: env.PREFIXES,
  REGISTER: env.REGISTER,
};

/** The class of all namespaces, as it stands in the runtime. */
export const namespaceClass = Object.getPrototypeOf(env.GUARD);

/** The name under which an object in a jurisdiction is kept here. */
export function nameIn(jurisdiction: string, name: string): string {
  return `${jurisdiction} ${name}`;
}

/** Until the mocks are restored. */
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

/** An object that was asked for. */
export interface RequestedObject {
  readonly namespace: string;
  readonly name: string | undefined;
  /** Of what was passed beside the id; undefined where nothing was. */
  readonly hint: string | undefined;
}

/** Notes every object that is asked for, until the mocks are restored. */
export function recordRequestedObjects(): RequestedObject[] {
  const asked: RequestedObject[] = [];
  const real = namespaceClass.get;
  vi.spyOn(namespaceClass, "get").mockImplementation(function (this: unknown, ...given: unknown[]) {
    const [id, options]: { name?: string; locationHint?: string }[] = given.map((value) =>
      Object(value),
    );
    const [namespace = ""] =
      Object.entries(namespaces).find(([, candidate]) => candidate === this) ?? [];
    asked.push({ namespace, name: id?.name, hint: options?.locationHint });
    return real.apply(this, given);
  });
  return asked;
}
