/** Formats names and figures. */
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

export function formatInterval([min, max]: readonly [number, number]): string {
  return `[${formatFigure(min)}, ${formatFigure(max)}]`;
}

export function formatPercentInterval([min, max]: readonly [number, number]): string {
  return `[${(min * 100).toFixed(1)}, ${(max * 100).toFixed(1)}]`;
}

/** A figure with its sign. */
export function formatSigned(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
}
