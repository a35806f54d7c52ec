/** Counts the calls of some work to D1, KV, R2 and other servers, at the platform's classes, inside the Worker. */

export interface Calls {
  /** A batch is one call. */
  d1Calls: number;
  d1Statements: number;
  d1RowsRead: number;
  d1RowsWritten: number;
  kvCalls: number;
  r2Calls: number;
  requests: number;
}

type Run = (this: unknown, ...args: unknown[]) => unknown;

function prototypeOf(object: unknown): Record<string, Run> {
  return Object.getPrototypeOf(object);
}

/** Replaces a method. @returns a function that restores it */
function replace(object: object, name: string, wrap: (real: Run) => Run): () => void {
  const real: Run | undefined = Reflect.get(object, name);
  if (real === undefined) throw new Error(`The platform has no ${name}`);
  const own = Object.getOwnPropertyDescriptor(object, name);
  Object.defineProperty(object, name, { value: wrap(real), configurable: true, writable: true });
  return () => {
    if (own === undefined) Reflect.deleteProperty(object, name);
    else Object.defineProperty(object, name, own);
  };
}

interface Sent {
  readonly meta?: { readonly rows_read?: number; readonly rows_written?: number };
}

/** All statements, batches and scripts of D1 use one method, which belongs to the class that sessions extend. */
function countD1(env: Env, calls: Calls): () => void {
  let session = prototypeOf(Reflect.get(env.DB, "alwaysPrimarySession"));
  while (!Object.hasOwn(session, "_send")) session = prototypeOf(session);
  return replace(
    session,
    "_send",
    (real) =>
      async function (...args) {
        calls.d1Calls += 1;
        const sent: unknown = await real.apply(this, args);
        const results: readonly Sent[] = Array.isArray(sent) ? sent : [Object(sent)];
        calls.d1Statements += results.length;
        for (const { meta } of results) {
          calls.d1RowsRead += meta?.rows_read ?? 0;
          calls.d1RowsWritten += meta?.rows_written ?? 0;
        }
        return sent;
      },
  );
}

/** Runs the work, and counts its calls. Nothing else may run in the Worker meanwhile. */
export async function countCalls(env: Env, work: () => Promise<void>): Promise<Calls> {
  const calls: Calls = {
    d1Calls: 0,
    d1Statements: 0,
    d1RowsRead: 0,
    d1RowsWritten: 0,
    kvCalls: 0,
    r2Calls: 0,
    requests: 0,
  };
  const count = (object: object, names: readonly string[], field: "kvCalls" | "r2Calls") =>
    names.map((name) =>
      replace(
        object,
        name,
        (real) =>
          function (...args) {
            calls[field] += 1;
            return real.apply(this, args);
          },
      ),
    );
  const undo = [
    countD1(env, calls),
    ...count(prototypeOf(env.AUDIT_WITNESS), ["get", "list", "put", "delete"], "kvCalls"),
    ...(env.AUDIT_ARCHIVE === undefined
      ? []
      : count(prototypeOf(env.AUDIT_ARCHIVE), ["get", "list", "put", "delete"], "r2Calls")),
    replace(globalThis, "fetch", (real) => (...args) => {
      calls.requests += 1;
      return real.apply(globalThis, args);
    }),
  ];
  try {
    await work();
  } finally {
    for (const restore of undo) restore();
  }
  return calls;
}
