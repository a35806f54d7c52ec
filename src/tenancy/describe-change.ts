/** What an audit event says about a change of settings (pure). */
import type { AuditDetails } from "../audit/event.ts";
import { fieldsOf, type Settings } from "./settings.ts";

/** The entries of a list that the event names. It counts the others. */
const maxNamedEntries = 100;

function isList(value: unknown): value is readonly string[] {
  return Array.isArray(value);
}

/** Entries contain no spaces. */
function nameEntries(entries: readonly string[]): string {
  return entries.slice(0, maxNamedEntries).join(" ");
}

function describeList(
  name: string,
  before: readonly string[],
  after: readonly string[],
): AuditDetails {
  const [earlier, later] = [new Set(before), new Set(after)];
  const added = [...later].filter((entry) => !earlier.has(entry));
  const removed = [...earlier].filter((entry) => !later.has(entry));
  return {
    [`${name}.added`]: nameEntries(added),
    [`${name}.added_count`]: added.length,
    [`${name}.removed`]: nameEntries(removed),
    [`${name}.removed_count`]: removed.length,
    [`${name}.count`]: after.length,
  };
}

function plainOf(value: unknown): AuditDetails[string] {
  return typeof value === "number" || typeof value === "boolean" || value === null
    ? value
    : String(value);
}

/**
 * Names the fields whose value changed, with the old and the new value of each. A list has the entries that
 * were added and removed instead.
 */
export function describeChange(before: Settings, after: Settings): AuditDetails {
  const [old, present] = [fieldsOf(before), fieldsOf(after)];
  // A threshold of a kind of attacker may be on one side alone.
  const changed = [...new Set([...present.keys(), ...old.keys()])].filter(
    (name) => JSON.stringify(present.get(name)) !== JSON.stringify(old.get(name)),
  );
  const values = changed.map((name) => {
    const [earlier = null, value = null] = [old.get(name), present.get(name)];
    return isList(earlier) && isList(value)
      ? describeList(name, earlier, value)
      : { [`${name}.old`]: plainOf(earlier), [`${name}.new`]: plainOf(value) };
  });
  return Object.assign({ changed: changed.join(" ") }, ...values);
}
