/**
 * `Test-Clock`: a request of a test tenant runs at the time the header names. Only there; on a live
 * token the header is a mistake that must not pass unnoticed.
 */
import { z } from "zod";
import { invalidRequest } from "../errors.ts";

const header = "Test-Clock";
const instant = z.iso.datetime({ offset: true });
/** The last instant whose milliseconds fit an id of ours: the year 9999 is well within. */
const latest = Date.UTC(9999, 11, 31);

/** The time of the request for a tenant of that mode, Unix ms. @throws AppError `invalid_request` */
export function resolveRequestTime(
  value: string | undefined,
  mode: "live" | "test",
  real: number,
): number {
  if (value === undefined) return real;
  if (mode === "live") {
    throw invalidRequest([{ path: header, message: "is for tokens of test tenants only" }]);
  }
  const time = instant.safeParse(value).success ? Date.parse(value) : Number.NaN;
  if (!(time >= 0 && time <= latest)) {
    throw invalidRequest([{ path: header, message: "must be an RFC 3339 time from 1970 on" }]);
  }
  return time;
}
