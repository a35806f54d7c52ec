/**
 * The `Test-Clock` header: a request of a test tenant runs at the time that the header states. With a
 * live token the header is an error.
 */
import { z } from "zod";
import { createInvalidRequest } from "../errors.ts";

const header = "Test-Clock";
const instant = z.iso.datetime({ offset: true });
/** Ids hold the time in a fixed number of digits, which suffice beyond the year 9999. */
const maxTime = Date.UTC(9999, 11, 31);

/**
 * The time at which the request runs, Unix ms.
 * @param value the header's, if it was sent
 * @param mode of the tenant
 * @param realTime Unix ms; the result without the header
 * @throws AppError `invalid_request`
 */
export function resolveRequestTime(
  value: string | undefined,
  mode: "live" | "test",
  realTime: number,
): number {
  if (value === undefined) return realTime;
  if (mode === "live") {
    throw createInvalidRequest([{ path: header, message: "requires a token of a test tenant" }]);
  }
  const time = instant.safeParse(value).success ? Date.parse(value) : Number.NaN;
  if (!(time >= 0 && time <= maxTime)) {
    throw createInvalidRequest([
      { path: header, message: "must be an RFC 3339 time from 1970 to 9999" },
    ]);
  }
  return time;
}
