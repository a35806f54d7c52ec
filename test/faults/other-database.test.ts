/**
 * A tenant that lives in another database than `DB`: all of D1 fails, or the other database alone, or the
 * Worker is lost between an act in `DB` and its event in the other.
 */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type D1Fault, withD1Fault } from "../support/d1-faults.ts";
import { hangForever, withQuickDeadlines } from "../support/deadlines.ts";
import {
  erasure,
  findOperations,
  guardOperations,
  inOtherDatabase,
} from "../support/operations.ts";
import { expectToSurviveCuts, maxRunMs } from "../support/survive-cuts.ts";
import { tenantOperations } from "../support/tenant-operations.ts";
import {
  expectApplied,
  expectAppliedDespite503,
  expectNotApplied,
  expectUnaffected,
} from "../support/under-fault.ts";

type Batch = (this: unknown, ...args: unknown[]) => Promise<unknown>;

const acts = inOtherDatabase(tenantOperations);

/** What becomes of a batch that only the other database is given. */
const faults: Record<string, (batch: () => Promise<unknown>) => Promise<unknown>> = {
  throws: async () => {
    throw new Error("D1_ERROR: injected");
  },
  hangs: hangForever,
  "loses the reply": async (batch) => {
    await batch();
    throw new Error("D1_ERROR: injected after commit");
  },
};

beforeEach(() => {
  vi.spyOn(console, "error").mockImplementation(() => {});
});

afterEach(() => {
  vi.restoreAllMocks();
});

async function withOtherBroken<T>(
  become: (batch: () => Promise<unknown>) => Promise<unknown>,
  work: () => Promise<T>,
): Promise<T> {
  const database: { batch: Batch } = Object.getPrototypeOf(env.DB);
  const { batch } = database;
  const spy = vi.spyOn(database, "batch").mockImplementation(async function (
    this: unknown,
    ...args
  ) {
    const real = () => batch.apply(this, args);
    return await (this === env.DB ? real() : become(real));
  });
  try {
    return await withQuickDeadlines(work);
  } finally {
    spy.mockRestore();
  }
}

describe.each(Object.entries(faults))("Another database that %s", (_how, become) => {
  it.each(acts)("lets $name happen, and hears of it once", async (operation) => {
    await expectUnaffected(operation, (act) => withOtherBroken(become, act));
  });
});

describe("All of D1", () => {
  it.each(acts)("that fails on batches makes it a 503 to $name, and nothing happens", (operation) =>
    expectNotApplied(operation, "fails on batches only"),
  );

  it.each(acts)("that loses replies makes it a 503 to $name, which is done and told", (operation) =>
    expectAppliedDespite503(operation, (act) =>
      withD1Fault("loses the reply to batches only", act),
    ),
  );

  const inGuards = inOtherDatabase(guardOperations);
  it.each<D1Fault>(["fails on batches only", "loses the reply to batches only"])(
    "that %s lets guards do what they do, and hears of it once",
    { timeout: maxRunMs },
    async (fault) => {
      for (const operation of inGuards) await expectApplied(operation, fault);
    },
  );
});

describe("Between any two steps", () => {
  const some = acts.filter(({ name }) => /^(rotate a token|change the settings),/.test(name));
  it.each(some)("$name is done once or not at all", { timeout: maxRunMs }, async (operation) => {
    const places = await expectToSurviveCuts(operation);
    // In `DB`, and in the other one.
    const batches = places.filter((place) => place === "after batch");
    expect(batches.length).toBeGreaterThanOrEqual(2);
  });

  it.each(inOtherDatabase([...findOperations("provision", "confirm"), erasure]))(
    "$name is done once or not at all",
    { timeout: maxRunMs },
    async (operation) => {
      expect(await expectToSurviveCuts(operation)).toContain("after setAlarm");
    },
  );
});
