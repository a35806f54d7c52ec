/** Finds the commands that docs/operations.md tells an operator to type (pure). */

export interface RunbookCommand {
  /** The words of the command, such as `tenants` and `find`. */
  readonly words: readonly string[];
  /** The options that the line gives it. */
  readonly options: readonly string[];
  readonly line: string;
}

/** Groups whose next words belong to the command too. */
const depthOf: Readonly<Record<string, number>> = {
  "keys rotate": 3,
  "tenants tokens": 3,
  audit: 2,
  keys: 3,
  restore: 2,
  sentinel: 2,
  stats: 2,
  tenants: 2,
  trail: 2,
  users: 2,
};

function readCommand(line: string): RunbookCommand | undefined {
  const [, rest = ""] = /\bnpx edge-idp ([^#`|]*)/.exec(line) ?? [];
  const parts = rest.trim().split(/\s+/);
  const [first = "", second = ""] = parts;
  if (!/^[a-z]/.test(first)) return undefined;
  const depth = depthOf[`${first} ${second}`] ?? depthOf[first] ?? 1;
  const words = parts.slice(0, depth).filter((word) => /^[a-z][a-z-]*$/.test(word));
  const options = parts.filter((part) => part.startsWith("--"));
  return { words, options, line: line.trim() };
}

/** Each line of the document that names a command, joined with the lines that continue it. */
export function listRunbookCommands(document: string): RunbookCommand[] {
  const joined = document.replaceAll(/ \\\n\s*/g, " ");
  return joined
    .split("\n")
    .flatMap((line) =>
      [...line.matchAll(/npx edge-idp [^`|]*/g)].flatMap(([text]) => readCommand(text) ?? []),
    );
}
