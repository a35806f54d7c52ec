/** `--map`: a CSV that says which external_id each id of the export becomes. */
import { readCsv } from "./csv.ts";
import type { Chunks, Entry } from "./entry.ts";
import { ReadError } from "./read-error.ts";
import { refuse } from "./user.ts";

export type IdMap = ReadonlyMap<string, string>;

/** @throws ReadError */
export async function readIdMap(chunks: Chunks): Promise<IdMap> {
  const map = new Map<string, string>();
  for await (const { line, get } of readCsv(chunks, { required: ["id", "external_id"] })) {
    const [id, externalId] = [get("id"), get("external_id")];
    if (id === undefined || externalId === undefined) {
      throw new ReadError(`has an empty field in line ${line}.`);
    }
    if (map.has(id)) throw new ReadError(`has the id of line ${line} twice.`);
    map.set(id, externalId);
  }
  return map;
}

/** Replaces the ids. A user who is not in the map is refused. */
export async function* mapIds(entries: AsyncIterable<Entry>, map: IdMap): AsyncGenerator<Entry> {
  for await (const entry of entries) {
    const externalId = map.get(entry.id);
    if (entry.kind !== "user") yield entry;
    else if (externalId === undefined) {
      yield refuse(entry.place, entry.id, "the map has no external_id for it");
    } else {
      yield { ...entry, id: externalId, row: { ...entry.row, external_id: externalId } };
    }
  }
}
