/** The target of a stream as requests set it: opened, checked, and named in an event. */
import type { StoredDestination } from "../destinations/destination.ts";
import { findHeaderProblem } from "../destinations/request/target-url.ts";
import {
  joinTarget,
  type StreamTarget,
  streamCredentials,
} from "../destinations/streams/stream.ts";
import { addressOf, type FieldProblem } from "../destinations/streams/target-fields.ts";
import type { Config } from "../env.ts";
import { createInvalidRequest } from "../errors.ts";
import { openCredentials } from "../tenancy/destination-credentials.ts";
import { requireTarget } from "./destination-schemas.ts";

const maxHeaders = 20;

export async function openTarget(
  { sealingKeys }: Config,
  destination: StoredDestination,
): Promise<StreamTarget> {
  const { configuration, credentials } = destination;
  const opened = await openCredentials(sealingKeys, destination, credentials, streamCredentials);
  return joinTarget(JSON.parse(configuration), opened);
}

/** What is wrong with the headers that a tenant has chosen. */
function findHeaderProblems(headers: Readonly<Record<string, string>>): FieldProblem[] {
  const entries = Object.entries(headers);
  if (entries.length > maxHeaders) {
    return [{ field: "headers", message: `must have at most ${maxHeaders} headers` }];
  }
  const names = entries.map(([name]) => name.toLowerCase());
  return entries.flatMap(([name, value], n) => {
    const isRepeated = names.indexOf(names[n] ?? "") < n;
    const message = isRepeated ? "is there already" : findHeaderProblem(name, value);
    return message === undefined ? [] : [{ field: `headers.${name}`, message }];
  });
}

/** @throws AppError `invalid_request` if the target is not one that the service sends to */
export function requireAllowed(
  found: StreamTarget | readonly FieldProblem[],
  mode: "live" | "test",
): StreamTarget {
  const issuesOf = (problems: readonly FieldProblem[]) =>
    problems.map(({ field, message }) => ({ path: `stream.${field}`, message }));
  if (!("type" in found)) throw createInvalidRequest(issuesOf(found));
  const { field, address } = addressOf(found);
  requireTarget(address, mode, `stream.${field}`);
  if (found.type !== "http") {
    // A path is added to it.
    if (address.includes("?")) {
      throw createInvalidRequest(issuesOf([{ field, message: "must not contain a query" }]));
    }
    return found;
  }
  const problems = findHeaderProblems(found.headers);
  if (problems.length > 0) throw createInvalidRequest(issuesOf(problems));
  const headers = Object.entries(found.headers).map(([name, value]) => [name.toLowerCase(), value]);
  return { ...found, headers: Object.fromEntries(headers) };
}

/** What an event says of a stream. An address may contain a secret, its host does not. */
export function reportOf(target: StreamTarget) {
  const { type, format } = target;
  return { type, format, host: new URL(addressOf(target).address).host };
}
