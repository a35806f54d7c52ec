/**
 * Published figures. The generator is calibrated to them, and the report compares its results with them.
 *
 * - "scan": a full scan of the 31,269,264 logins of the RBA data set of Wiefling et al. (2022, CC BY
 *   4.0), and the evaluation of models on it, tested on three months (KhoaPTIT/do-an-test).
 * - "reauthentication": das-group/rba-dataset, rq1-general.png (CC BY 4.0), read off the plot to
 *   about ±0.02.
 *
 * That data set is itself synthetic, generated from the logins of 3.3 million people at a Norwegian service.
 */

export const publishedLogins = {
  /** Shares of users by their number of logins in the year, and the mean within each. */
  byCount: [
    { min: 1, max: 1, share: 0.397, mean: 1 },
    { min: 2, max: 9, share: 0.518, mean: 3.75 },
    { min: 10, max: 400, share: 0.085, mean: 19.5 },
  ],
  median: 2,
  p90: 9,
  p99: 28,
} as const;

/** Shares of all logins. The rest is spread over 224 further countries. */
export const publishedCountries: Readonly<Record<string, number>> = {
  NO: 0.423,
  US: 0.278,
  RU: 0.054,
  BR: 0.038,
  DE: 0.029,
};

/** Logins by device in millions; 2.03 bots and 0.87 unknown besides. */
export const publishedDevices = { mobile: 19.64, desktop: 7.93, tablet: 0.8 } as const;

/** The shares of successful logins of users with a history that had a new value. */
export const publishedNovelty = { country: 0.16, asn: 0.23, agent: 0.52 } as const;

/** How often an attacker has a value of the victim's history. */
export const publishedOverlap = {
  naive: { country: 0.531, asn: 0.208, agent: 0.014, device: 0.51 },
  vpn: { country: 1, asn: 0.419, agent: 0.017, device: 0.56 },
  targeted: { country: 0.974, asn: 1, agent: 1, device: 1 },
} as const;

export interface PublishedResult {
  readonly auc: number;
  readonly recallAt1Percent: number;
  readonly challengedAt90: number;
  readonly challengedAt99: number;
}

type PublishedAttacker = "naive" | "vpn" | "targeted";

function createResult(
  auc: number,
  recallAt1Percent: number,
  challengedAt90: number,
  challengedAt99: number,
): PublishedResult {
  return { auc, recallAt1Percent, challengedAt90, challengedAt99 };
}

/** The model of Freeman et al., untrained. */
export const publishedFreeman: Readonly<Record<PublishedAttacker, PublishedResult>> = {
  naive: createResult(0.933, 0.35, 0.201, 0.394),
  vpn: createResult(0.906, 0.265, 0.266, 0.406),
  targeted: createResult(0.665, 0.015, 0.625, 0.838),
};

/** Gradient boosting, trained on attackers of the same kinds: the best published result. */
export const publishedTrained: Readonly<Record<PublishedAttacker, PublishedResult>> = {
  naive: createResult(0.968, 0.591, 0.097, 0.328),
  vpn: createResult(0.958, 0.509, 0.134, 0.353),
  targeted: createResult(0.907, 0.285, 0.283, 0.438),
};

/** The median share of a user's logins that is challenged where 99.5 % of attacks are caught. */
export const publishedReauthentication = {
  caught: 0.995,
  logins: 12,
  median: { naive: 0.24, vpn: 0.3, targeted: 0.4 },
} as const;
