/** Tables of how long a caller waits. */
import { table, whole } from "../support/figures.ts";
import { allWaits, longestOf, meanOf, type Wait } from "./latency.ts";
import { nearestPlace, type Place } from "./latencies.ts";

const columns: readonly (readonly [Wait, string])[] = [
  ["near", "A, guard near"],
  ["nearCold", "A, near, cold token"],
  ["far", "A, guard at the database"],
  ["farCold", "A, at the database, cold token"],
  ["edgeOptimistic", "B, two queries"],
  ["edgeUsual", "B, three queries"],
  ["central", "C"],
];

function latencyTable(database: Place): string {
  const waits = allWaits(database);
  const rows = waits.map((one) => [
    one.caller,
    nearestPlace[one.caller],
    ...columns.map(([which]) => whole(one[which])),
  ]);
  const summary = (name: string, of: typeof meanOf) => [
    `**${name}**`,
    "",
    ...columns.map(([which]) => whole(of(waits, which))),
  ];
  return table(
    ["caller", "guard near it is in", ...columns.map(([, name]) => name)],
    [...rows, summary("mean", meanOf), summary("longest", longestOf)],
  );
}

export function latencyTables(): Readonly<Record<string, string>> {
  return {
    "The database in East US": latencyTable("East US"),
    "The database in West Europe": latencyTable("West Europe"),
  };
}
