/** Tables of where things end. */
import { table, whole } from "../support/figures.ts";
import { secondsPerMonth } from "./counts.ts";
import {
  batchAt,
  busyShare,
  databasesFor,
  daysUntilFull,
  maxPerSecond,
  tenantsPerDatabase,
  writers,
} from "./saturation.ts";
import { percent, rounded } from "./words.ts";

const million = 1_000_000;

function writesTable(): string {
  const rows = [1, 10, 100, 1_000, 5_000].map((rate) => {
    const batch = batchAt(rate);
    return [
      whole(rate),
      rounded((rate * secondsPerMonth) / million),
      whole(rate),
      ...writers.map((writer) => percent(busyShare(rate, 1, writer))),
      rounded(rate / batch),
      ...writers.map((writer) => percent(busyShare(rate, batch, writer))),
      rounded(daysUntilFull(rate)),
    ];
  });
  const named = (what: string) => writers.map(({ name }) => `${what} at ${name}`);
  return table(
    [
      "verifications a second",
      "millions a month",
      "transactions a second without the queue",
      ...named("busy"),
      "transactions a second with it",
      ...named("busy"),
      "days until 10 GB",
    ],
    rows,
  );
}

function maxTable(): string {
  const rows = [1, 10, 100].map((batch) => [
    whole(batch),
    ...writers.map((writer) => whole(maxPerSecond(batch, writer))),
  ]);
  const head = writers.map(({ name }) => `verifications a second, transaction of ${name}`);
  return table(["messages a batch", ...head], rows);
}

function tenantTable(): string {
  const rows = [1_000, 10_000, 100_000, million].map((events) => [
    whole(events),
    ...[1, 3, 12].map((months) => whole(tenantsPerDatabase(events, months))),
  ]);
  return table(["events a month of a tenant", "kept 1 month", "3 months", "12 months"], rows);
}

function databaseTable(): string {
  const [, slow] = writers;
  if (slow === undefined) throw new Error("There are two writers");
  const rows = [1, 10, 100, 1_000].map((millions) => {
    const load = { eventsPerMonth: millions * million, peak: 5 };
    const of = (keptMonths: number, batched: boolean) =>
      databasesFor({ ...load, keptMonths, batched }, slow);
    return [
      whole(millions),
      whole(of(1, false).writes),
      whole(of(1, true).writes),
      ...[1, 3, 12].map((months) => whole(of(months, true).size)),
    ];
  });
  return table(
    [
      "millions of events a month",
      "databases for writes, without the queue",
      "with it",
      "for size, kept 1 month",
      "3 months",
      "12 months",
    ],
    rows,
  );
}

export function saturationTables(): Readonly<Record<string, string>> {
  return {
    "Writes to D1": writesTable(),
    "The most one D1 can take": maxTable(),
    "Tenants in 10 GB": tenantTable(),
    "Databases for a load": databaseTable(),
  };
}
