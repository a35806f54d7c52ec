/** Formats names and figures. */
import type { AttackerKind } from "../generator/attackers.ts";
import type { ExperienceKind } from "../trial.ts";

export const attackerNames: Readonly<Record<AttackerKind, string>> = {
  naive: "naive",
  vpn: "VPN",
  targeted: "targeted",
  veryTargeted: "very targeted",
  stuffing: "stuffing",
  slowStuffing: "slow stuffing",
  relayHoster: "relay at a hoster",
  relayResidential: "relay, residential",
  stolenCookie: "stolen cookie",
};

export const experienceNames: Readonly<Record<ExperienceKind, string>> = {
  nothingNew: "nothing",
  travel: "another country (travel)",
  newPhone: "the phone",
  newProvider: "the provider at home",
  browserUpdate: "the version of the browser",
  ipv6Renumbering: "the IPv6 prefix of the home",
  officeMove: "the office: 110 users come to a new address within half an hour",
  officeNewcomers: "the users: 110 without history come to one address within half an hour",
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
