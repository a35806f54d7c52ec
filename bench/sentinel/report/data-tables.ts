/** What the data is like, beside what is published, and whether attacks betray themselves (pure). */
import { table } from "../../support/figures.ts";
import { auditOf } from "../audit.ts";
import { attackerKinds } from "../generator/attackers.ts";
import type { Protocol } from "../protocol.ts";
import {
  publishedCountries,
  publishedDevices,
  publishedLogins,
  publishedNovelty,
  publishedOverlap,
} from "../published.ts";
import { type Columns, keyOf } from "../results.ts";
import { compared, type Shares, type YearSummary } from "../summary.ts";
import { auditNames } from "../traits.ts";
import type { Year } from "../year.ts";
import { attackerNames, percent, three } from "./format.ts";

function mean(years: readonly Year[], of: (summary: YearSummary) => number): number {
  return years.reduce((sum, { summary }) => sum + of(summary), 0) / years.length;
}

type Row = readonly [what: string, ours: string, published: string];

function loginRows(years: readonly Year[]): Row[] {
  const [once, some, many] = publishedLogins.byCount;
  const plain = (value: number) => value.toFixed(1);
  return [
    ["users with one login", percent(mean(years, (s) => s.once)), percent(once.share)],
    ["with 2 to 9", percent(mean(years, (s) => s.upTo9)), percent(some.share)],
    ["with 10 or more", percent(mean(years, (s) => s.tenOrMore)), percent(many.share)],
    ["mean of those with 2 to 9", plain(mean(years, (s) => s.meanUpTo9)), plain(some.mean)],
    ["mean of those with 10 or more", plain(mean(years, (s) => s.meanTenOrMore)), plain(many.mean)],
    ["median, p90, p99", quantiles(years), quantileText(publishedLogins)],
  ];
}

function quantileText({ median, p90, p99 }: { median: number; p90: number; p99: number }): string {
  return [median, p90, p99].map((value) => value.toFixed(0)).join(", ");
}

function quantiles(years: readonly Year[]): string {
  return quantileText({
    median: mean(years, (s) => s.median),
    p90: mean(years, (s) => s.p90),
    p99: mean(years, (s) => s.p99),
  });
}

function noveltyRows(
  years: readonly Year[],
  name: string,
  of: (summary: YearSummary) => Shares,
  isCalibrated: boolean,
): Row[] {
  return (["country", "asn", "agent"] as const).map((what): Row => {
    const ours = three(mean(years, (summary) => of(summary)[what]));
    return [`new ${what}, ${name}`, ours, isCalibrated ? three(publishedNovelty[what]) : "–"];
  });
}

function shareRows(years: readonly Year[]): Row[] {
  const devices = Object.values(publishedDevices).reduce((sum, count) => sum + count, 0);
  return [
    ...Object.entries(publishedCountries).map(([country, share]): Row => {
      const ours = mean(years, ({ countries }) => countries[country] ?? 0);
      return [`logins from ${country}`, percent(ours), percent(share)];
    }),
    ...Object.entries(publishedDevices).map(([device, count]): Row => {
      const ours = mean(years, (summary) => summary.devices[device] ?? 0);
      return [`logins with ${device}`, percent(ours), percent(count / devices)];
    }),
  ];
}

/** @param isWithHistory whether the published shares are read as of logins with a history */
export function generatorTable(years: readonly Year[], isWithHistory: boolean): string {
  const rows = [
    ...loginRows(years),
    ...noveltyRows(
      years,
      "first logins counted as new, sampled",
      (summary) => summary.newValuesSampled,
      !isWithHistory,
    ),
    ...noveltyRows(years, "with a history", (summary) => summary.newValues, isWithHistory),
    ...noveltyRows(years, "2 to 72 h after the last", (s) => s.newValuesSoon, false),
    ["new address, with a history", three(mean(years, (s) => s.newAddress)), "–"],
    ["new address, 2 to 72 h after the last", three(mean(years, (s) => s.newAddressSoon)), "–"],
    ["logins 2 to 72 h after the last", percent(mean(years, (s) => s.soon)), "–"],
    ...shareRows(years),
  ];
  return table(["", "ours", "published"], rows);
}

/** What attackers share with their victims. */
export function overlapTable(columns: Columns): string {
  const rows = attackerKinds.map((kind) => {
    const known = columns[keyOf("operation", "test", kind)]?.known ?? [];
    const published: Partial<Record<string, Shares>> = Object.fromEntries(
      Object.entries(publishedOverlap),
    );
    const cells = compared.map((what, place) => {
      const ours = known.filter((bits) => (bits & (1 << place)) !== 0).length / known.length;
      const theirs = published[kind]?.[what];
      return theirs === undefined ? three(ours) : `${three(ours)} (_${three(theirs)}_)`;
    });
    return [attackerNames[kind], ...cells];
  });
  return table(["attacker", ...compared], rows);
}

export function auditTable(columns: Columns, protocol: Protocol): string {
  const rows = attackerKinds.flatMap((kind) => {
    const areas = auditNames.map((name) => auditOf(columns, protocol, kind, name));
    return areas.includes(undefined) ? [] : [[attackerNames[kind], ...areas.map(three)]];
  });
  return table(["attacker", ...auditNames], rows);
}
