/** An export that is read more than once: first as a whole, and then to be sent. */
import { Failure } from "../failure.ts";
import type { Entry, Form } from "./entry.ts";
import { type IdMap, mapIds } from "./external-id-map.ts";
import { ReadError } from "./read-error.ts";
import { SourceFile } from "./source-file.ts";

export interface SourceSettings {
  readonly path: string;
  readonly form: Form;
  readonly idField: string;
  readonly map: IdMap | undefined;
}

/** @throws Failure with the file's name, where the work throws ReadError */
export async function reading<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof ReadError ? new Failure(`${path} ${error.message}`) : error;
  }
}

/** Opens the file at its beginning. */
export function openSource({ path, form, idField, map }: SourceSettings): {
  readonly file: SourceFile;
  readonly entries: AsyncIterable<Entry>;
} {
  const file = new SourceFile(path);
  const entries = form.read(file.read(), { idField });
  return { file, entries: map === undefined ? entries : mapIds(entries, map) };
}
