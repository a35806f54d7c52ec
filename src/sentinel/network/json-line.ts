/**
 * Reads one line of a list that has a JSON object in each line (pure), as Spamhaus publishes DROP:
 *
 *   {"cidr":"203.0.113.0/24","sblid":"SBL1","rir":"ripencc"}
 *   {"type":"metadata","timestamp":1727634153,"records":1,…}
 *
 * An entry has the named field; its other fields are ignored. A metadata line counts as blank wherever it is.
 */

export type JsonLine =
  | { readonly type: "value"; readonly value: unknown }
  | { readonly type: "blank" }
  | { readonly type: "bad"; readonly reason: string };

export function isJsonLine(line: string): boolean {
  return line.trimStart().startsWith("{");
}

/** The value of the field of an entry. */
export function readJsonLine(line: string, field: string): JsonLine {
  const parsed = parseObject(line);
  if (parsed === undefined) return { type: "bad", reason: "not a JSON object" };
  if (Reflect.get(parsed, "type") === "metadata") return { type: "blank" };
  if (!Object.hasOwn(parsed, field)) return { type: "bad", reason: `no field "${field}"` };
  return { type: "value", value: Reflect.get(parsed, field) };
}

function parseObject(text: string): object | undefined {
  try {
    const parsed: unknown = JSON.parse(text.trim());
    return typeof parsed === "object" && parsed !== null ? parsed : undefined;
  } catch {
    return undefined;
  }
}
