/** Tables that compare the data with the published figures, and the audit of attacks (pure). */
import { table } from "../../support/figures.ts";
import { computeAudit } from "../audit.ts";
import { attackerKinds } from "../generator/attackers.ts";
import { measureLeases } from "../generator/leases.ts";
import type { Provider } from "../generator/networks.ts";
import { nearLocality, publishedLocality } from "../generator/rates.ts";
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
import type { Protocol } from "../trial.ts";
import type { Year } from "../year.ts";
import { attackerNames, formatFigure, formatPercent } from "./format.ts";

function meanOf(years: readonly Year[], of: (summary: YearSummary) => number): number {
  return years.reduce((sum, { summary }) => sum + of(summary), 0) / years.length;
}

type Row = readonly [what: string, ours: string, published: string];

function createLoginRows(years: readonly Year[]): Row[] {
  const [once, some, many] = publishedLogins.byCount;
  const plain = (value: number) => value.toFixed(1);
  return [
    [
      "users with one login",
      formatPercent(meanOf(years, (s) => s.once)),
      formatPercent(once.share),
    ],
    ["with 2 to 9", formatPercent(meanOf(years, (s) => s.upTo9)), formatPercent(some.share)],
    [
      "with 10 or more",
      formatPercent(meanOf(years, (s) => s.tenOrMore)),
      formatPercent(many.share),
    ],
    ["mean of those with 2 to 9", plain(meanOf(years, (s) => s.meanUpTo9)), plain(some.mean)],
    [
      "mean of those with 10 or more",
      plain(meanOf(years, (s) => s.meanTenOrMore)),
      plain(many.mean),
    ],
    ["median, p90, p99", meanQuantilesOf(years), formatQuantiles(publishedLogins)],
  ];
}

function formatQuantiles({
  median,
  p90,
  p99,
}: {
  median: number;
  p90: number;
  p99: number;
}): string {
  return [median, p90, p99].map((value) => value.toFixed(0)).join(", ");
}

function meanQuantilesOf(years: readonly Year[]): string {
  return formatQuantiles({
    median: meanOf(years, (s) => s.median),
    p90: meanOf(years, (s) => s.p90),
    p99: meanOf(years, (s) => s.p99),
  });
}

function createNoveltyRows(
  years: readonly Year[],
  name: string,
  of: (summary: YearSummary) => Shares,
  isCalibrated: boolean,
): Row[] {
  return (["country", "asn", "agent"] as const).map((what): Row => {
    const ours = formatFigure(meanOf(years, (summary) => of(summary)[what]));
    return [
      `new ${what}, ${name}`,
      ours,
      isCalibrated ? formatFigure(publishedNovelty[what]) : "–",
    ];
  });
}

function createShareRows(years: readonly Year[]): Row[] {
  const devices = Object.values(publishedDevices).reduce((sum, count) => sum + count, 0);
  return [
    ...Object.entries(publishedCountries).map(([country, share]): Row => {
      const ours = meanOf(years, ({ countries }) => countries[country] ?? 0);
      return [`logins from ${country}`, formatPercent(ours), formatPercent(share)];
    }),
    ...Object.entries(publishedDevices).map(([device, count]): Row => {
      const ours = meanOf(years, (summary) => summary.devices[device] ?? 0);
      return [`logins with ${device}`, formatPercent(ours), formatPercent(count / devices)];
    }),
  ];
}

/** @param isWithHistory whether the published shares are read as those of logins with a history */
export function renderGeneratorTable(years: readonly Year[], isWithHistory: boolean): string {
  const rows = [
    ...createLoginRows(years),
    ...createNoveltyRows(
      years,
      "first logins counted as new, sampled",
      (summary) => summary.newValuesSampled,
      !isWithHistory,
    ),
    ...createNoveltyRows(years, "with a history", (summary) => summary.newValues, isWithHistory),
    ...createNoveltyRows(years, "2 to 72 h after the last", (s) => s.newValuesSoon, false),
    ["new address, with a history", formatFigure(meanOf(years, (s) => s.newAddress)), "–"],
    [
      "new address, 2 to 72 h after the last",
      formatFigure(meanOf(years, (s) => s.newAddressSoon)),
      "–",
    ],
    ["logins over IPv6", formatPercent(meanOf(years, (s) => s.ipv6)), "–"],
    ["logins 2 to 72 h after the last", formatPercent(meanOf(years, (s) => s.soon)), "–"],
    ...createShareRows(years),
  ];
  return table(["", "ours", "published"], rows);
}

/** How far the addresses of homes move, by locality. */
export function renderLeaseTable(providers: readonly Provider[]): string {
  const rows = [nearLocality, publishedLocality].map((locality) => {
    const { leavesRange, staysInPool } = measureLeases(providers, locality);
    return [locality.name, formatPercent(leavesRange), formatPercent(staysInPool)];
  });
  const published = ["_published_", "_almost half_", ""];
  return table(
    ["locality", "changes that leave the range", "in the same /20"],
    [...rows, published],
  );
}

/** How often attackers have a value of the victim's history. */
export function renderOverlapTable(columns: Columns): string {
  const rows = attackerKinds.map((kind) => {
    const known = columns[keyOf("operation", "test", kind)]?.known ?? [];
    const published: Partial<Record<string, Shares>> = Object.fromEntries(
      Object.entries(publishedOverlap),
    );
    const cells = compared.map((what, index) => {
      const ours = known.filter((bits) => (bits & (1 << index)) !== 0).length / known.length;
      const theirs = published[kind]?.[what];
      return theirs === undefined
        ? formatFigure(ours)
        : `${formatFigure(ours)} (_${formatFigure(theirs)}_)`;
    });
    return [attackerNames[kind], ...cells];
  });
  return table(["attacker", ...compared], rows);
}

export function renderAuditTable(columns: Columns, protocol: Protocol): string {
  const rows = attackerKinds.flatMap((kind) => {
    const areas = auditNames.map((name) => computeAudit(columns, protocol, kind, name));
    return areas.includes(undefined) ? [] : [[attackerNames[kind], ...areas.map(formatFigure)]];
  });
  return table(["attacker", ...auditNames], rows);
}
