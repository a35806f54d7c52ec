/**
 * What a guard has to deliver to D1, as it is stored. The entries are in the row of the state, so that a change
 * and its events are one row. A delivery writes nothing: the next change leaves out what D1 has. If the guard
 * restarts before, it delivers these entries once more, and D1 finds that it has them.
 *
 * The row is written again with each change, so it holds few entries. While D1 fails, further entries have rows of
 * their own, as all entries of older builds had, until everything is delivered.
 */
import { z } from "zod";
import { auditEventSchema } from "../audit/event.ts";
import { SqlTable } from "../sql-table.ts";
import type { OutboxEntry, WaitingEntry } from "./delivery/outbox-entry.ts";

/** The outbox after a change of the state. */
interface ChangedOutbox {
  /** The entries in the row of the state. */
  readonly inState: readonly WaitingEntry[];
  /** The entry that gets a row of its own. */
  readonly spilled?: WaitingEntry;
  readonly isErased: boolean;
}

/** Bounds of what the state's row holds: as many entries as a burst has, and the length of its JSON. */
export const maxEntriesInState = 16;
const maxCharactersInState = 32_000;

const maxEntriesPerDelivery = 50;

const storedEvents = z.array(auditEventSchema);

function removePersonalParts({ seq, events, releasedClaims }: WaitingEntry): WaitingEntry {
  return {
    seq,
    events: events.map(({ sealed: _, ...event }) => ({ ...event, personal: null })),
    ...(releasedClaims === undefined ? {} : { releasedClaims }),
  };
}

/** Whether the entry names more of a person than the state itself does, such as an address. */
function namesSession({ events }: WaitingEntry): boolean {
  return events.some(({ personal }) =>
    Object.keys(personal ?? {}).some((part) => part !== "external_id"),
  );
}

function parseEvents(entry: WaitingEntry): WaitingEntry {
  return { ...entry, events: storedEvents.parse(entry.events) };
}

export class StoredOutbox {
  readonly #sql: SqlStorage;
  readonly #table: SqlTable;
  /** The entries in the row of the state that D1 is not known to have. */
  #inState: readonly WaitingEntry[] = [];
  /** Whether there are entries with rows of their own, which are newer than those in the state's row. */
  #hasSpilled = false;
  #lastFoundSeq = 0;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#table = new SqlTable(sql, "outbox", "(seq INTEGER PRIMARY KEY, dispatch TEXT NOT NULL)");
  }

  /** The last entry that was in the state's row when the guard started; 0 if there was none. */
  get lastFoundSeq(): number {
    return this.#lastFoundSeq;
  }

  /** Opens the outbox when the guard starts. @param inState the entries in the row of the state */
  open(inState: readonly WaitingEntry[]): void {
    this.#inState = inState;
    this.#lastFoundSeq = inState.at(-1)?.seq ?? 0;
    this.#hasSpilled = this.#table.exists() && this.#readRows(1).length > 0;
  }

  /** Computes the outbox that goes with the next state. */
  change(entry: WaitingEntry | undefined, isErased: boolean): ChangedOutbox {
    const inState = isErased ? this.#inState.map(removePersonalParts) : this.#inState;
    if (entry === undefined) return { inState, isErased };
    const added = [...inState, entry];
    const fits =
      !this.#hasSpilled &&
      added.length <= maxEntriesInState &&
      JSON.stringify(added).length <= maxCharactersInState;
    return fits ? { inState: added, isErased } : { inState, spilled: entry, isErased };
  }

  /** Whether the change writes rows of its own. */
  hasRows({ spilled, isErased }: ChangedOutbox): boolean {
    return spilled !== undefined || (isErased && this.#hasSpilled);
  }

  /** Writes what has rows of its own. It belongs in the transaction of the change. */
  write({ spilled, isErased }: ChangedOutbox): void {
    if (isErased && this.#hasSpilled) this.#removePersonalPartsOfRows();
    if (spilled === undefined) return;
    const { seq, ...entry } = spilled;
    this.#table.create();
    this.#sql.exec("INSERT INTO outbox (seq, dispatch) VALUES (?, ?)", seq, JSON.stringify(entry));
  }

  /** Call this when the change is stored. */
  applyChange({ inState, spilled }: ChangedOutbox): void {
    this.#inState = inState;
    this.#hasSpilled ||= spilled !== undefined;
  }

  /** The oldest undelivered entries, 50 at most. @throws ZodError for a damaged one */
  readPending(): readonly WaitingEntry[] {
    const inState = this.#inState.map((entry) =>
      entry.seq <= this.#lastFoundSeq ? parseEvents(entry) : entry,
    );
    if (!this.#hasSpilled) return inState;
    return [...inState, ...this.#readRows(maxEntriesPerDelivery - inState.length).map(parseEvents)];
  }

  /**
   * Removes the entries up to this one.
   * @returns whether the row of the state must be written without them: they name an address, say, which a guard
   *   keeps no longer than necessary
   */
  removeDelivered(lastSeq: number): boolean {
    const isDelivered = ({ seq }: WaitingEntry) => seq <= lastSeq;
    const namesSessions = this.#inState.some((entry) => isDelivered(entry) && namesSession(entry));
    this.#inState = this.#inState.filter((entry) => !isDelivered(entry));
    if (this.#hasSpilled) {
      this.#sql.exec("DELETE FROM outbox WHERE seq <= ?", lastSeq);
      this.#hasSpilled = this.#readRows(1).length > 0;
    }
    return namesSessions;
  }

  /** The entries for the row of the state. */
  get inState(): readonly WaitingEntry[] {
    return this.#inState;
  }

  /** Empties the memory. Call this when the storage was cleared. */
  reset(): void {
    this.#inState = [];
    this.#hasSpilled = false;
    this.#lastFoundSeq = 0;
  }

  #readRows(limit: number): WaitingEntry[] {
    return this.#sql
      .exec<{ seq: number; dispatch: string }>(
        "SELECT seq, dispatch FROM outbox ORDER BY seq LIMIT ?",
        limit,
      )
      .toArray()
      .map(({ seq, dispatch }): WaitingEntry => {
        const entry: OutboxEntry = JSON.parse(dispatch);
        return { ...entry, seq };
      });
  }

  /** Reduces each entry to its events without personal parts and the released claims: of an erased identity, D1 accepts nothing else. */
  #removePersonalPartsOfRows(): void {
    for (const row of this.#readRows(-1)) {
      const { seq, ...entry } = removePersonalParts(row);
      this.#sql.exec("UPDATE outbox SET dispatch = ? WHERE seq = ?", JSON.stringify(entry), seq);
    }
  }
}
