/** Joins what a file has about one user in several places. */
import type { Entry } from "./entry.ts";
import { buildUser, type FoundParts, refuse } from "./user.ts";

/** A part of a user, or what is reported as it is. */
export type Part = FoundParts | Entry;

function isEntry(part: Part): part is Entry {
  return "kind" in part;
}

function join(first: FoundParts, second: FoundParts): FoundParts {
  const codes = [first.codes, second.codes].filter((one) => one !== undefined);
  const [one, other] = codes;
  const isMixed = one !== undefined && other !== undefined && one.scheme !== other.scheme;
  return {
    ...first,
    isSuspended: [first, second].some(({ isSuspended }) => isSuspended === true),
    authenticators: [...first.authenticators, ...second.authenticators],
    notes: [
      ...(first.notes ?? []),
      ...(second.notes ?? []),
      ...(isMixed ? ["its second set of backup codes cannot come along"] : []),
    ],
    ...(one === undefined
      ? {}
      : { codes: isMixed ? one : { ...one, codes: codes.flatMap((set) => set.codes) } }),
  };
}

/**
 * Joins parts that follow each other and have the same id. A user that comes again later is refused, because its first
 * parts have been handed on: a large file is not kept in memory, only the ids are.
 */
export async function* groupUsers(parts: AsyncIterable<Part>): AsyncGenerator<Entry> {
  const seen = new Set<string | undefined>();
  let held: FoundParts | undefined;
  for await (const part of parts) {
    if (isEntry(part)) {
      yield part;
    } else if (held !== undefined && held.id === part.id) {
      held = join(held, part);
    } else {
      if (held !== undefined) yield buildUser(held);
      held = undefined;
      if (part.id !== undefined && seen.has(part.id)) {
        const why = "lines of one user must follow each other; sort the file by user";
        yield refuse(part.place, part.id, why);
      } else {
        seen.add(part.id);
        held = part;
      }
    }
  }
  if (held !== undefined) yield buildUser(held);
}

/** Joins all parts with the same id, in the order in which each id first comes. For a file that fits into memory. */
export async function* groupAllUsers(parts: AsyncIterable<Part>): AsyncGenerator<Entry> {
  const users = new Map<string | undefined, FoundParts>();
  for await (const part of parts) {
    if (isEntry(part)) {
      yield part;
    } else {
      const before = users.get(part.id);
      users.set(part.id, before === undefined ? part : join(before, part));
    }
  }
  for (const user of users.values()) yield buildUser(user);
}
