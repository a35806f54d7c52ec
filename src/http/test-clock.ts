/**
 * The `Test-Clock` header: a request of a test tenant runs at the time that the header states. With a
 * live token the header is an error.
 */
import { z } from "zod";
import { createInvalidRequest } from "../errors.ts";

const header = "Test-Clock";
const instant = z.iso.datetime({ offset: true });
/** Locks, pending secrets and lifetimes that begin within these bounds end before the year 10000. */
const minTime = Date.UTC(2000, 0, 1);
const maxTime = Date.UTC(2199, 11, 31, 23, 59, 59, 999);

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
  if (!(time >= minTime && time <= maxTime)) {
    throw createInvalidRequest([
      { path: header, message: "must be an RFC 3339 time from 2000 to 2199" },
    ]);
  }
  return time;
}
