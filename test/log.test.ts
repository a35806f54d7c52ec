import { afterEach, expect, it, vi } from "vitest";
import { causeOf, log } from "../src/log.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

it("A log line is one JSON object with the listed fields, and omits any other", () => {
  const lines: string[] = [];
  vi.spyOn(console, "error").mockImplementation((line) => void lines.push(String(line)));
  const fields = { request_id: "r", count: 2, secret: "leaked", toString: "leaked" };
  log("error", "request_failed", fields);
  expect(lines).toEqual(['{"level":"error","event":"request_failed","request_id":"r","count":2}']);
});

it("A logged failure has the kinds of its errors, never their messages", () => {
  const failure = new TypeError("code 123456", { cause: new RangeError("secret") });
  expect(causeOf(failure)).toBe("TypeError: RangeError");
  expect(causeOf("a thrown secret")).toBe("string");
  const inTwoErrors = new Error("outer", { cause: new Error("inner", { cause: failure }) });
  expect(causeOf(inTwoErrors)).toBe("TypeError: RangeError");
  expect(causeOf(new Error("nothing more"))).toBe("Error");
});
