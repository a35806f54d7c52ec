/** The guard is lost between any two steps of a login. */
import { expect, it } from "vitest";
import { loseStorage } from "../support/guard.ts";
import { findOperations, type Operation } from "../support/operations.ts";
import { expectToSurviveCuts, maxRunMs } from "../support/survive-cuts.ts";

const verifications = findOperations("verify a TOTP code", "verify a backup code");

/** The guard has lost its storage before, so that it must load the record from D1. */
const onEmptyGuards = verifications.map(
  (operation): Operation => ({
    ...operation,
    name: `${operation.name} on an empty guard`,
    prepare: async (tenant) => {
      const prepared = await operation.prepare(tenant);
      const { user } = prepared;
      if (user === undefined) throw new Error("This operation has no user");
      return { ...prepared, justBefore: () => loseStorage(user) };
    },
  }),
);

it.each([...verifications, ...findOperations("discover")])(
  "A guard that is lost between any two steps applies $name once or not at all",
  { timeout: maxRunMs },
  async (operation) => {
    expect(await expectToSurviveCuts(operation)).toContain("after setAlarm");
  },
);

it.each(onEmptyGuards)(
  "A guard that is lost between any two steps applies $name once or not at all",
  { timeout: maxRunMs },
  async (operation) => {
    expect(await expectToSurviveCuts(operation)).toEqual(
      expect.arrayContaining(["before raw", "after setAlarm"]),
    );
  },
);
