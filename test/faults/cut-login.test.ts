/** The guard is lost between any two steps of a login. */
import { expect, it } from "vitest";
import { loseStorage } from "../support/guard.ts";
import { findOperations, type Operation } from "../support/operations.ts";
import { expectToSurviveCuts, maxRunMs } from "../support/survive-cuts.ts";

const verifications = findOperations("verify a TOTP code", "verify a backup code");

/** The guard has lost its storage before, and asks D1 who the identity is. */
const onEmptyGuards = verifications.map(
  (operation): Operation => ({
    ...operation,
    name: `${operation.name} on an empty guard`,
    prepare: async (tenant) => {
      const ready = await operation.prepare(tenant);
      const { user } = ready;
      if (user === undefined) throw new Error("Nobody verifies");
      return { ...ready, justBefore: () => loseStorage(user) };
    },
  }),
);

it.each([...verifications, ...findOperations("discover")])(
  "A guard that is lost between any two steps does $name once or not at all",
  { timeout: maxRunMs },
  async (operation) => {
    expect(await expectToSurviveCuts(operation)).toContain("after setAlarm");
  },
);

it.each(onEmptyGuards)(
  "A guard that is lost between any two steps does $name once or not at all",
  { timeout: maxRunMs },
  async (operation) => {
    expect(await expectToSurviveCuts(operation)).toEqual(
      expect.arrayContaining(["before raw", "after setAlarm"]),
    );
  },
);
