import { expect, test } from "vitest";
import { parseState } from "../../../src/guard/decisions/state.ts";
import { buildIdentity } from "./example.ts";

test("a stored state is parsed for its own identity", () => {
  const state = buildIdentity();
  expect(parseState(JSON.stringify(state), state)).toEqual(state);
});

test.each(["tenantId", "identityId"])(
  "a state of another %s causes a ForeignStateError",
  (field) => {
    const state = buildIdentity();
    const parse = () => parseState(JSON.stringify(state), { ...state, [field]: "0".repeat(24) });
    // The log shows only the name of the error. The message is for debugging.
    expect(parse).toThrow(
      expect.objectContaining({
        name: "ForeignStateError",
        message: "A stored state belongs to another identity",
      }),
    );
  },
);
