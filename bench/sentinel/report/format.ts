/** How kinds and figures are written. */
import type { AttackerKind } from "../generator/attackers.ts";

export const attackerNames: Readonly<Record<AttackerKind, string>> = {
  naive: "naive",
  vpn: "VPN",
  targeted: "targeted",
  veryTargeted: "very targeted",
  stuffing: "stuffing",
};

export function formatFigure(value: number | undefined): string {
  return value === undefined || Number.isNaN(value) ? "–" : value.toFixed(3);
}

export function formatPercent(share: number | undefined): string {
  return share === undefined || Number.isNaN(share) ? "–" : `${(share * 100).toFixed(1)} %`;
}

export function formatInterval([least, most]: readonly [number, number]): string {
  return `[${formatFigure(least)}, ${formatFigure(most)}]`;
}

export function formatPercentInterval([least, most]: readonly [number, number]): string {
  return `[${(least * 100).toFixed(1)}, ${(most * 100).toFixed(1)}]`;
}

/** With its sign. */
export function formatSigned(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
}
