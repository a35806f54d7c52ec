const score = new Intl.NumberFormat("en", { minimumFractionDigits: 4, maximumFractionDigits: 4 });
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

export function formatScore(value: number): string {
  return score.format(value);
}

export function formatPercent(value: number): string {
  return percent.format(value);
}

/** Log-odds with their sign. */
export function formatEvidence(value: number): string {
  return `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(2)}`;
}
