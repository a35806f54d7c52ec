/** Watches every call that leaves an isolate or an object during a counted run. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { PersonalKeys } from "../../src/audit/personal-keys/personal-keys.ts";
import { DestinationFollower } from "../../src/destinations/follower.ts";
import { DeliveryGate } from "../../src/guard/delivery/delivery-gate.ts";
import { IdentityGuard } from "../../src/guard/identity-guard.ts";
import { RefusalLog } from "../../src/guard/refusal-log/refusal-log.ts";
import { PrefixWatch } from "../../src/sentinel/activity/prefix-watch.ts";
import { TenantWatch } from "../../src/sentinel/activity/tenant-watch.ts";
import { ExportRegister } from "../../src/tenancy/export-register.ts";
import { TokenRegister } from "../../src/tenancy/token-register.ts";
import {
  type CountedRun,
  currentContext,
  type Kind,
  runInContext,
  type WriteCursor,
} from "./counted-run.ts";

type Run = (this: unknown, ...args: unknown[]) => unknown;
type Watch = (on: unknown, args: unknown[], go: () => unknown) => unknown;

const classOf = new Map<object, { readonly name: string; readonly prototype: object }>([
  [env.FOLLOWERS, DestinationFollower],
  [env.GATE, DeliveryGate],
  [env.GUARD, IdentityGuard],
  [env.PREFIXES, PrefixWatch],
  [env.TENANT_WATCHES, TenantWatch],
  [env.REFUSALS, RefusalLog],
  [env.REGISTER, TokenRegister],
  [env.EXPORTS, ExportRegister],
  [env.PERSONAL_KEYS, PersonalKeys],
]);

/** Calls that have not reached their object yet, by object and method. The context does not travel along. */
const announcedCalls = new Map<string, { readonly run: CountedRun; readonly depth: number }[]>();

function announce(id: string, method: string, run: CountedRun, depth: number): void {
  const key = `${id} ${method}`;
  announcedCalls.set(key, [...(announcedCalls.get(key) ?? []), { run, depth }]);
}

/** Assigns an alarm that is about to fire to the run. The alarm itself does not count as a call. */
export function announceAlarm(run: CountedRun, id: DurableObjectId): void {
  announce(String(id), "alarm", run, 0);
}

function prototypeOf(object: unknown): Record<string, Run> {
  return Object.getPrototypeOf(object);
}

function methodsOf(prototype: object): string[] {
  return Object.getOwnPropertyNames(prototype).filter((name) => name !== "constructor");
}

/** Every binding whose class has this method. A service binding appears to have any method. */
function bindingsWith(method: string): object[] {
  return Object.values(env).filter(
    (binding) => typeof binding === "object" && Object.hasOwn(prototypeOf(binding), method),
  );
}

class Watching {
  readonly #run: CountedRun;
  readonly #undo: (() => void)[] = [];

  constructor(run: CountedRun) {
    this.#run = run;
  }

  stop(): void {
    for (const undo of this.#undo.toReversed()) undo();
    announcedCalls.clear();
  }

  /** Replaces methods without a spy, because vitest allows one spy per method and a test may need it. */
  watch(prototype: Record<string, Run>, names: readonly string[], watch: Watch): void {
    for (const name of names) {
      const real = prototype[name];
      if (real === undefined) throw new Error(`The platform has no ${name}`);
      const own = Object.getOwnPropertyDescriptor(prototype, name);
      const value: Run = function (...args) {
        return watch(this, args, () => real.apply(this, args));
      };
      Object.defineProperty(prototype, name, { value, configurable: true, writable: true });
      this.#undo.push(() => {
        if (own === undefined) Reflect.deleteProperty(prototype, name);
        else Object.defineProperty(prototype, name, own);
      });
    }
  }

  /** Counts a call that its caller waits for. */
  async countCall(kind: Kind, what: string, go: (depth: number) => unknown): Promise<unknown> {
    const context = currentContext();
    if (context === undefined) {
      this.#run.strays.push(`${kind} ${what}`);
      return await go(0);
    }
    return await context.run.call(kind, what, context.depth, async (depth) => await go(depth));
  }

  countMethods(prototype: Record<string, Run>, names: readonly string[], kind: Kind): void {
    for (const name of names) {
      this.watch(prototype, [name], (_on, [key], go) =>
        this.countCall(kind, `${name} ${typeof key === "string" ? key : ""}`.trim(), go),
      );
    }
  }
}

interface Sent {
  readonly meta?: { readonly rows_read?: number; readonly rows_written?: number };
}

/** Watches the method that all statements, batches and scripts use. One call is one request to D1. */
function watchD1(watching: Watching, run: CountedRun): void {
  // `_send` belongs to the class that all sessions extend.
  let session = prototypeOf(Reflect.get(env.DB, "alwaysPrimarySession"));
  while (!Object.hasOwn(session, "_send")) session = prototypeOf(session);
  watching.watch(session, ["_send"], (_on, [, sent], go) => {
    const statements = [sent].flat().map(String);
    for (const statement of statements) run.statements.add(statement);
    return watching.countCall("D1", statements.join("; "), async () => {
      const sent = await go();
      const results: readonly Sent[] = Array.isArray(sent) ? sent : [sent];
      const sum = (field: "rows_read" | "rows_written") =>
        results.reduce((total, { meta }) => total + (meta?.[field] ?? 0), 0);
      const { read, written } = run.rowsInD1;
      run.rowsInD1 = { read: read + sum("rows_read"), written: written + sum("rows_written") };
      return sent;
    });
  });
}

function watchQueues(watching: Watching): void {
  const [queue] = bindingsWith("sendBatch");
  if (queue === undefined) return;
  for (const method of ["send", "sendBatch"]) {
    watching.watch(prototypeOf(queue), [method], (_on, _args, go) =>
      watching.countCall("queue", method, go),
    );
  }
}

/** Watches calls to objects at their callers. */
function watchStubs(watching: Watching): void {
  const wrapped = (stub: object, className: string, methods: readonly string[]) =>
    new Proxy(stub, {
      get(target, name) {
        const method = Reflect.get(target, name);
        if (typeof name !== "string" || !methods.includes(name)) return method;
        return (...args: unknown[]) =>
          watching.countCall("object", `${className}.${name}`, (depth) => {
            const context = currentContext();
            const id = String(Reflect.get(target, "id"));
            if (context !== undefined) announce(id, name, context.run, depth);
            return Reflect.apply(method, target, args);
          });
      },
    });
  const namespaces = prototypeOf(env.GUARD);
  watching.watch(namespaces, ["get", "getByName"], (namespace, _args, go) => {
    const stub = go();
    if (currentContext() === undefined) return stub;
    const known = classOf.get(Object(namespace));
    if (known === undefined) throw new Error("The class of this object is not watched");
    return wrapped(Object(stub), known.name, methodsOf(known.prototype));
  });
  watching.watch(namespaces, ["jurisdiction"], (namespace, _args, go) => {
    const part = go();
    const known = classOf.get(Object(namespace));
    if (known !== undefined) classOf.set(Object(part), known);
    return part;
  });
}

/** Watches calls and alarms inside objects. */
function watchObjects(watching: Watching): void {
  for (const { prototype } of classOf.values()) {
    for (const method of methodsOf(prototype)) {
      watching.watch(Object(prototype), [method], (object, _args, go) => {
        const id = String(Reflect.get(Object(object), "ctx").id);
        const caller = announcedCalls.get(`${id} ${method}`)?.shift();
        if (caller === undefined) return go();
        const cursors: WriteCursor[] = [];
        return runInContext({ ...caller, cursors }, async () => {
          try {
            return await go();
          } finally {
            for (const { rowsWritten } of cursors) caller.run.rowsInObjects += rowsWritten;
          }
        });
      });
    }
  }
}

/** Watches the writes of objects. The platform bills an alarm that is set or deleted as a row, and a key too. */
async function watchStorage(watching: Watching): Promise<void> {
  const unusedGuard = env.GUARD.get(env.GUARD.idFromName("unused"));
  const { storage, sql, kv } = await runInDurableObject(unusedGuard, (_guard, ctx) => ({
    storage: prototypeOf(ctx.storage),
    sql: prototypeOf(ctx.storage.sql),
    kv: prototypeOf(ctx.storage.kv),
  }));
  watching.watch(sql, ["exec"], (_on, _args, go) => {
    const cursor = go();
    const isCursor = typeof cursor === "object" && cursor !== null && "rowsWritten" in cursor;
    if (isCursor) currentContext()?.cursors.push(Object(cursor));
    return cursor;
  });
  watching.watch(kv, ["put", "delete"], (_on, _args, go) => {
    const run = currentContext()?.run;
    const result = go();
    // The deletion of a key that does not exist writes nothing.
    if (run !== undefined && result !== false) run.rowsInObjects += 1;
    return result;
  });
  for (const method of ["setAlarm", "deleteAlarm"]) {
    watching.watch(storage, [method], (_on, _args, go) => {
      // The test tool deletes an alarm before it fires it. The platform deletes it without a call.
      const run = currentContext()?.run;
      if (run !== undefined) {
        run.rowsInObjects += 1;
        run.alarmsSet += method === "setAlarm" ? 1 : 0;
      }
      return go();
    });
  }
}

/** Watches the bindings. @returns a function that stops it */
export async function watchBindings(run: CountedRun): Promise<() => void> {
  const watching = new Watching(run);
  await watchStorage(watching);
  watchD1(watching, run);
  watchQueues(watching);
  watchStubs(watching);
  watchObjects(watching);
  const kv = prototypeOf(env.IP_REPUTATION);
  watching.countMethods(kv, ["get", "getWithMetadata", "list"], "KV read");
  watching.countMethods(kv, ["put", "delete"], "KV write");
  const [bucket] = bindingsWith("createMultipartUpload");
  if (bucket !== undefined) {
    watching.countMethods(prototypeOf(bucket), ["head", "get", "list", "put", "delete"], "R2");
  }
  watching.watch(prototypeOf(env.TOKEN_RATE_LIMIT), ["limit"], (_on, _args, go) => {
    run.limiterCalls += 1;
    return go();
  });
  return () => watching.stop();
}
