/** How quantities, shares and sums of money are written. */
import { whole } from "../support/figures.ts";

function decimals(digits: number): Intl.NumberFormatOptions {
  return { minimumFractionDigits: digits, maximumFractionDigits: digits };
}

export function dollars(value: number): string {
  if (value === 0) return "0";
  return value < 0.005 ? "< 0.01" : value.toLocaleString("en-US", decimals(2));
}

/** A number with as many digits as it takes to tell it from its neighbours. */
export function rounded(value: number): string {
  if (value === 0 || value >= 100) return whole(value);
  return value >= 1
    ? value.toLocaleString("en-US", { maximumFractionDigits: 1 })
    : value.toFixed(2);
}

export function percent(share: number): string {
  return share > 0 && share < 0.01 ? "< 1 %" : `${whole(share * 100)} %`;
}
