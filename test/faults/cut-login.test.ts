/** The guard is lost between any two steps of a login. */
import { expect, it } from "vitest";
import { expectToSurviveCuts, longestRun } from "../support/cut.ts";
import { loseStorage } from "../support/guard.ts";
import { type Operation, operationsNamed } from "../support/operations.ts";

const verifications = operationsNamed("verify a TOTP code", "verify a backup code");

/** The guard has lost its storage before, and asks D1 who the identity is. */
const onEmptyGuards = verifications.map(
  (operation): Operation => ({
    ...operation,
    name: `${operation.name} on an empty guard`,
    ready: async (tenant) => {
      const ready = await operation.ready(tenant);
      const { user } = ready;
      if (user === undefined) throw new Error("Nobody verifies");
      return { ...ready, justBefore: () => loseStorage(user) };
    },
  }),
);

it.each([...verifications, ...operationsNamed("discover")])(
  "A guard that is lost between any two steps does $name once or not at all",
  { timeout: longestRun },
  async (operation) => {
    expect(await expectToSurviveCuts(operation)).toContain("after setAlarm");
  },
);

it.each(onEmptyGuards)(
  "A guard that is lost between any two steps does $name once or not at all",
  { timeout: longestRun },
  async (operation) => {
    expect(await expectToSurviveCuts(operation)).toEqual(
      expect.arrayContaining(["before raw", "after setAlarm"]),
    );
  },
);
