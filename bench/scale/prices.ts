/**
 * Published prices of the Workers Paid plan, in US dollars, as docs/scale.md quotes them. A price that
 * changes is changed here; the tables follow.
 */

export interface Price {
  /** What is billed, in the words of the bill. */
  readonly what: string;
  readonly dollars: number;
  /** So many units cost that. */
  readonly per: number;
  /** Units a month that the plan includes. */
  readonly included: number;
}

const million = 1_000_000;

/** Dollars a month, whatever is used. */
export const planDollars = 5;

export const prices = {
  workerRequests: { what: "Workers requests", dollars: 0.3, per: million, included: 10 * million },
  workerCpuMs: { what: "Workers CPU ms", dollars: 0.02, per: million, included: 30 * million },
  objectRequests: { what: "object requests", dollars: 0.15, per: million, included: million },
  objectGbSeconds: { what: "object GB-s", dollars: 12.5, per: million, included: 400_000 },
  objectRowsRead: {
    what: "object rows read",
    dollars: 0.001,
    per: million,
    included: 25_000 * million,
  },
  objectRowsWritten: {
    what: "object rows written",
    dollars: 1,
    per: million,
    included: 50 * million,
  },
  queueOperations: { what: "Queues operations", dollars: 0.4, per: million, included: million },
  d1RowsRead: { what: "D1 rows read", dollars: 0.001, per: million, included: 25_000 * million },
  d1RowsWritten: { what: "D1 rows written", dollars: 1, per: million, included: 50 * million },
  kvReads: { what: "KV reads", dollars: 0.5, per: million, included: 10 * million },
  objectGbMonths: { what: "object storage, GB-months", dollars: 0.2, per: 1, included: 5 },
  d1GbMonths: { what: "D1 storage, GB-months", dollars: 0.75, per: 1, included: 5 },
} as const satisfies Record<string, Price>;

export type Meter = keyof typeof prices;

export const meters = Object.keys(prices).filter((key): key is Meter => key in prices);
