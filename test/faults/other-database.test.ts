/**
 * A tenant's data is in another database than `DB`. All of D1 fails, or only the other database, or the
 * Worker is lost between a change in `DB` and its event in the other database.
 */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { shareOf } from "../support/campaign.ts";
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

const operations = inOtherDatabase(tenantOperations);

/** How a batch for the other database fails. */
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

async function withOtherDatabaseFault<T>(
  fault: (batch: () => Promise<unknown>) => Promise<unknown>,
  work: () => Promise<T>,
): Promise<T> {
  const database: { batch: Batch } = Object.getPrototypeOf(env.DB);
  const { batch } = database;
  const spy = vi.spyOn(database, "batch").mockImplementation(async function (
    this: unknown,
    ...args
  ) {
    const real = () => batch.apply(this, args);
    return await (this === env.DB ? real() : fault(real));
  });
  try {
    return await withQuickDeadlines(work);
  } finally {
    spy.mockRestore();
  }
}

const faultNames = Object.keys(faults);

describe.each(Object.entries(faults))("Another database that %s", (how, fault) => {
  it.each(shareOf(operations, faultNames.indexOf(how), faultNames.length))(
    "does not prevent $name, and gets its events once",
    async (operation) => {
      await expectUnaffected(operation, (act) => withOtherDatabaseFault(fault, act));
    },
  );
});

describe("All of D1", () => {
  it.each(operations)(
    "that fails on batches causes a 503 for $name, which has no effect",
    (operation) => expectNotApplied(operation, "fails on batches only"),
  );

  it.each(operations)(
    "that loses replies causes a 503 for $name, which is applied and reported once",
    (operation) =>
      expectAppliedDespite503(operation, (act) =>
        withD1Fault("loses the reply to batches only", act),
      ),
  );

  const guardOperationsElsewhere = inOtherDatabase(guardOperations);
  it.each<D1Fault>(["fails on batches only", "loses the reply to batches only"])(
    "that %s does not stop the guards, and gets their events once",
    { timeout: maxRunMs },
    async (fault) => {
      for (const operation of guardOperationsElsewhere) await expectApplied(operation, fault);
    },
  );
});

describe("A loss between any two steps", () => {
  const controlOperations = operations.filter(({ name }) =>
    /^(rotate a token|change the settings),/.test(name),
  );
  it.each(controlOperations)(
    "leaves $name applied once or not at all",
    { timeout: maxRunMs },
    async (operation) => {
      const steps = await expectToSurviveCuts(operation);
      // One batch goes to `DB`, and one to the other database.
      const batches = steps.filter((step) => step === "after batch");
      expect(batches.length).toBeGreaterThanOrEqual(2);
    },
  );

  it.each(inOtherDatabase([...findOperations("provision", "confirm"), erasure]))(
    "leaves $name applied once or not at all",
    { timeout: maxRunMs },
    async (operation) => {
      expect(await expectToSurviveCuts(operation)).toContain("after setAlarm");
    },
  );
});
