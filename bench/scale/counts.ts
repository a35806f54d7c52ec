/**
 * What one request takes of each thing that is billed. "Counted" was read off the bindings in real
 * workerd (`rowsRead` and `rowsWritten` of the cursors, `meta` of D1) and is to be corrected here when
 * the code changes; "assumed" cannot be counted on one's own machine, and says why it is that.
 */

/** How events reach D1: through a queue in batches, or each guard by itself. */
export type Delivery = "queue" | "direct";

export interface Operation {
  readonly name: string;
  /** Calls of objects before the answer: each is a billed request. */
  readonly objectCalls: number;
  readonly objectRowsRead: number;
  readonly objectRowsWritten: number;
  /** Each `setAlarm` is a row written, each alarm that fires a billed request. */
  readonly alarms: number;
  readonly kvReads: number;
  readonly d1RowsRead: number;
  readonly d1RowsWritten: number;
  /** Whether the guard has something of it to deliver to D1. */
  readonly delivers: boolean;
  /** Whether it is a request of its own, or comes with another. */
  readonly isRequest: boolean;
}

/**
 * Counted: the row of the state, the outbox row. The object was cold: it reads its tables and its row. The
 * user has backup codes, whose key is looked at when D1 gets the record.
 */
export const verification: Operation = {
  name: "verification, right or wrong",
  objectCalls: 1,
  objectRowsRead: 6,
  objectRowsWritten: 2,
  alarms: 1,
  kvReads: 0,
  // The record 1; the event with its two index entries 3.
  d1RowsRead: 9,
  d1RowsWritten: 4,
  delivers: true,
  isRequest: true,
};

/** Counted: one row more in `sessions`, one in `assessments` and its entry in the index of confirmed ones. */
export const verificationOfSession: Operation = {
  ...verification,
  name: "verification that names its assessment",
  objectRowsRead: 13,
  objectRowsWritten: 3,
  d1RowsRead: 11,
  d1RowsWritten: 6,
};

/**
 * Counted: state, outbox and session in the guard; in the prefix watch its table (2) and a row; an alarm of
 * each. The dearest case: each comes from an address block of its own.
 */
export const discovery: Operation = {
  name: "discovery",
  objectCalls: 2,
  objectRowsRead: 13,
  objectRowsWritten: 6,
  alarms: 2,
  kvReads: 2,
  d1RowsRead: 12,
  d1RowsWritten: 6,
  delivers: true,
  isRequest: true,
};

/** Counted, of a cold guard. */
export const profile: Operation = {
  name: "profile",
  objectCalls: 1,
  objectRowsRead: 4,
  objectRowsWritten: 0,
  alarms: 0,
  kvReads: 0,
  d1RowsRead: 0,
  d1RowsWritten: 0,
  delivers: false,
  isRequest: true,
};

/**
 * What a request costs more in an isolate that has not asked for its token within 25 s. From the queries,
 * not counted: D1 reads token and tenant, the register its tables. Once a minute a row says when it was used.
 */
export const coldToken: Operation = {
  name: "a cold token record, besides",
  objectCalls: 1,
  objectRowsRead: 2,
  objectRowsWritten: 0,
  alarms: 0,
  kvReads: 0,
  d1RowsRead: 3,
  d1RowsWritten: 0,
  delivers: false,
  isRequest: false,
};

interface DeliveryCounts {
  /** After the answer: each is a billed request. */
  readonly objectCalls: number;
  /** How long the guard is billed for it, ms. */
  readonly activeMs: number;
  readonly rowsRead: number;
  readonly rowsWritten: number;
  /** From the change to the alarm, seconds. */
  readonly alarmAfterSeconds: number;
}

/** What it takes of the guard to deliver one change. */
export const deliveryCounts: Readonly<Record<Delivery, DeliveryCounts>> = {
  queue: {
    /** The consumer says that D1 has it. */
    objectCalls: 1,
    /**
     * The courier waits for 200 ms by a timer, which keeps the guard billed. Assumed: 20 until the queue has
     * the message, 5 for hearing that it has arrived, 5 for the alarm that finds nothing.
     */
    activeMs: 230,
    /** Counted: 1 sent, 2 forgotten, 11 by the alarm, which finds the guard cold (7 a warm one). */
    rowsRead: 14,
    rowsWritten: 1,
    alarmAfterSeconds: 10,
  },
  direct: {
    objectCalls: 0,
    /** Assumed: the alarm waits until D1 has the batch. */
    activeMs: 50,
    /** Counted: the alarm, in a warm guard. */
    rowsRead: 9,
    rowsWritten: 1,
    alarmAfterSeconds: 0.2,
  },
};

/** A month of 30 days. */
export const secondsPerMonth = 30 * 24 * 60 * 60;

export const edge = {
  /** Assumed: the whole request takes less on the bench, object included. */
  cpuMs: 1,
  /** The clock: every minute, and twice an hour (wrangler.toml). */
  cronRunsPerMonth: 30 * 24 * 62,
} as const;

export const object = {
  /** Billed for this much memory whatever it uses. */
  gigabytes: 0.128,
  /** Assumed: start, decision and the confirmation that the write is safe. */
  callMs: 10,
  /** Counted: SQLite file of a guard after 60 verifications, with two sessions. */
  bytes: 20_480,
} as const;

export const queue = {
  /** Written, read, deleted: one each up to 64 KB. A record with its event has 2 to 3 KB (counted). */
  operationsPerMessage: 3,
  maxMessagesPerBatch: 100,
  /** How long a batch waits to fill, seconds. */
  waitSeconds: 1,
  /** Assumed, of each message: its statements, the word to its guard. The guard has sealed and stamped. */
  consumerCpuMs: 0.3,
} as const;

export const sealing = {
  /** Two passes a minute. */
  passesPerMonth: 2 * 30 * 24 * 60,
  /** Counted: a tile and the head, however many events a pass covers. */
  rowsWrittenPerLog: 2,
  rowsReadPerLog: 4,
  /** Measured (docs/performance.md): 50.2 s of processor time for a million. */
  cpuMsPerEvent: 0.05,
} as const;

export const storage = {
  /** Measured (docs/performance.md): a row of the trail with its indexes and its share of the tree. */
  bytesPerEvent: 850,
  /** Assumed: a person logs in every third day. */
  loginsPerIdentity: 10,
} as const;
