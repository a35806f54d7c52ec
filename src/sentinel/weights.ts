/**
 * Every weight of the risk score, in log-odds: 0.69 doubles the odds of fraud, 2.3 makes them
 * tenfold. This first set was set by hand from these anchors: with the prior of 5 %, evidence of
 * 2.95 reaches the default challenge (0.5) and 4.34 the default denial (0.8).
 */

/** Names this set of signals and weights in every answer; raise it with any change of either. */
export const model = "sentinel-1";

/** Share of sessions that are fraud before anything is known of this one. */
export const priorProbability = 0.05;

export const weights = {
  /** By the number of threat lists that name the address, from one; more count as the last. */
  threatListed: [2, 3, 3.4, 3.8, 4.1, 4.4, 4.7, 5],
  torExit: 3,
  vpn: 1.2,
  proxy: 1.2,
  scanner: 1.5,
  /** A browser does not live in a data centre; a program may. */
  hostingWithBrowser: 1.2,
  tenantDenyList: 8,
  tenantAllowList: -3,
  agentEmpty: 1.6,
  agentHeadless: 2.2,
  agentScripted: 2,
  userMismatch: 2.5,
  /** For each consecutive failed code, up to five. */
  failedAttempt: 0.4,
  locked: 1.5,
  /** For each window of time in which more was tried than a person does. */
  velocity: 1,
} as const;

/**
 * More attempts (codes and assessments) than this in the window are more than a person makes, even
 * where every page asks. The guard keeps the newest hundred.
 */
export const velocityLimits = [
  { windowSeconds: 60, attempts: 20, name: "minute" },
  { windowSeconds: 600, attempts: 60, name: "10 minutes" },
  { windowSeconds: 3600, attempts: 90, name: "hour" },
] as const;

export const mostFailuresCounted = 5;
