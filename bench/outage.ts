/**
 * Prints how guards recover from an outage of D1, according to the model in support/outage-model.ts. A scenario in
 * which they never do, or in which API requests suffer, ends the bench with an error.
 */
import { parseArgs } from "node:util";
import { table, whole } from "./support/figures.ts";
import { runScenario, type Scenario } from "./support/outage-model.ts";

const maxLookupsFailed = 0.05;

const { values } = parseArgs({ options: { guards: { type: "string", default: "100000" } } });
const guards = Number(values.guards);
const usual = { guards, gateLifetimeMs: 0, isMove: false };
const scenarios: readonly Scenario[] = [
  { ...usual, batchMs: 1 },
  { ...usual, batchMs: 5 },
  { ...usual, batchMs: 20 },
  { ...usual, batchMs: 1, gateLifetimeMs: 60_000 },
  { ...usual, batchMs: 5, gateLifetimeMs: 60_000 },
  { ...usual, batchMs: 5, isMove: true },
];

const head = [
  "outage",
  "ms a batch",
  "the gate",
  "retries a second meanwhile",
  "drained after, s",
  "batches a delivery",
  "lookups failed, %",
  "most gate calls a second",
];
const rows = scenarios.map((scenario) => {
  const result = runScenario(scenario);
  if (result.undelivered > 0 || result.lookupsFailed >= maxLookupsFailed) process.exitCode = 1;
  const { batchMs, gateLifetimeMs, isMove } = scenario;
  return [
    isMove ? "the tenant moves" : "D1 fails",
    whole(batchMs),
    gateLifetimeMs === 0 ? "stays" : `is lost every ${gateLifetimeMs / 1000} s`,
    whole(result.retriesPerSecond),
    result.drainedAfterSeconds === undefined ? "never" : whole(result.drainedAfterSeconds),
    result.batchesPerDelivery.toFixed(2),
    (100 * result.lookupsFailed).toFixed(2),
    whole(result.maxGateCallsPerSecond),
  ];
});
process.stdout.write(
  `${whole(guards)} guards have failed within a minute.\n\n${table(head, rows)}\n`,
);
