/** The imports between files of a source tree. */
import { posix } from "node:path";

export interface Import {
  readonly from: string;
  readonly to: string;
}

/** The folder of a file; a file at the root of the tree stands for itself. */
export function folderOf(file: string): string {
  const folder = posix.dirname(file);
  return folder === "." ? file : folder;
}

/**
 * Finds the imports and re-exports of other files of the tree, type imports included.
 * @param from path from the root of the tree, with slashes
 */
export function findImports(from: string, text: string): Import[] {
  const specifiers = text.matchAll(/\b(?:from|import)\s*\(?\s*"(\.[^"]+)"/g);
  return [...specifiers].flatMap(([, specifier = ""]) => {
    const to = posix.join(posix.dirname(from), specifier);
    return to.startsWith("..") ? [] : [{ from, to }];
  });
}
