import { expect, test } from "vitest";
import { parseState } from "../../../src/guard/decisions/state.ts";
import { identity } from "./example.ts";

test("a stored state is read as the identity it is of", () => {
  const state = identity();
  expect(parseState(JSON.stringify(state), state)).toEqual(state);
});

test.each(["tenantId", "identityId"])(
  "a state of another %s is refused by a name of its own",
  (field) => {
    const state = identity();
    const read = () => parseState(JSON.stringify(state), { ...state, [field]: "0".repeat(24) });
    // The kind is all that the log tells of a failure; the sentence is for whoever debugs.
    expect(read).toThrow(
      expect.objectContaining({
        name: "ForeignStateError",
        message: "A stored state belongs to another identity",
      }),
    );
  },
);
