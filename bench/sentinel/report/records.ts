/**
 * Figures that are recorded as data, to be compared with later ones on the same logins: those of sentinel-2, and
 * those of models that were trained elsewhere. ../../README.md has the commands that write them.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { attackerKinds } from "../generator/attackers.ts";
import { measureReliability } from "../reliability.ts";
import { type Columns, keyOf } from "../results.ts";
import { experienceKinds, type Kind, type Protocol } from "../trial.ts";
import { compareModels } from "./outcome.ts";

const share = z.number();
const shippedSchema = z.object({ logins: z.int(), challenged: share, denied: share });
export type Shipped = Readonly<z.infer<typeof shippedSchema>>;

const recordSchema = z.object({
  model: z.string(),
  /** How the figures were made. */
  command: z.string(),
  /** One for each seed, in order. The figures are comparable if these are equal. */
  digests: z.array(z.int()).readonly(),
  users: z.int(),
  /** By attacker: area under the ROC curve, and shares caught in the order of `equalShares`. */
  attackers: z.record(z.string(), z.object({ auc: share, recall: z.array(share).readonly() })),
  /** By kind of login or attack in the matched data: shares at the defaults. */
  shipped: z.record(z.string(), shippedSchema).optional(),
  experiences: z.record(z.string(), shippedSchema).optional(),
  reliability: z
    .array(
      z.object({
        from: share,
        to: share,
        sessions: z.int(),
        stated: share.nullable(),
        observed: share.nullable(),
      }),
    )
    .readonly()
    .optional(),
});
export type FigureRecord = Readonly<z.infer<typeof recordSchema>>;

const folder = join(import.meta.dirname, "..", "data");

function readRecords(file: string): readonly FigureRecord[] {
  if (!existsSync(file)) return [];
  return z.array(recordSchema).parse(JSON.parse(readFileSync(file, "utf8")));
}

/** The figures that were made on exactly these logins. */
export function findRecords(
  name: "sentinel-2" | "trained",
  digests: readonly number[],
): readonly FigureRecord[] {
  return readRecords(join(folder, `${name}.json`)).filter(
    (record) => record.digests.join() === digests.join(),
  );
}

/** Writes the record, in the place of one of the same model on the same logins. */
export function saveRecord(file: string, record: FigureRecord): void {
  const others = readRecords(file).filter(
    ({ model, digests }) => model !== record.model || digests.join() !== record.digests.join(),
  );
  writeFileSync(file, `${JSON.stringify([...others, record], null, 1)}\n`);
}

/** The shares challenged or denied, and denied, at the defaults. */
export function computeShipped(
  columns: Columns,
  protocol: Protocol,
  kind: Kind,
): Shipped | undefined {
  const found = columns[keyOf(protocol, "test", kind)]?.recommendations;
  if (found === undefined || found.length === 0) return undefined;
  const denied = found.filter((recommendation) => recommendation === "deny").length;
  const allowed = found.filter((recommendation) => recommendation === "allow").length;
  return {
    logins: found.length,
    challenged: 1 - allowed / found.length,
    denied: denied / found.length,
  };
}

function collectShipped(
  columns: Columns,
  protocol: Protocol,
  kinds: readonly Kind[],
): Record<string, Shipped> {
  return Object.fromEntries(
    kinds.flatMap((kind) => {
      const shipped = computeShipped(columns, protocol, kind);
      return shipped === undefined ? [] : [[kind, shipped]];
    }),
  );
}

export function createRecord(
  { model, command, users }: Pick<FigureRecord, "model" | "command" | "users">,
  digests: readonly number[],
  columns: Columns,
  sentinel: string,
): FigureRecord {
  const comparisons = compareModels(columns, "matched", 0, [sentinel]);
  const orNull = (value: number) => (Number.isNaN(value) ? null : value);
  return {
    model,
    command,
    digests,
    users,
    attackers: Object.fromEntries(
      comparisons.map(({ kind, outcomes: [own] }) => [
        kind,
        { auc: own?.auc ?? 0, recall: own?.recall ?? [] },
      ]),
    ),
    shipped: collectShipped(columns, "matched", ["real", ...attackerKinds]),
    experiences: collectShipped(columns, "experience", experienceKinds),
    reliability: measureReliability(columns).map(({ stated, observed, ...bin }) => ({
      ...bin,
      stated: orNull(stated),
      observed: orNull(observed),
    })),
  };
}
