/**
 * Every number of the generator. "Calibrated": set so that the shares of published.ts come out; no
 * score of Sentinel was looked at. "Assumed": nothing is published, and the value is a plain guess at
 * how people live.
 */

export const yearDays = 365;

/** What differs between the two ways to read the published shares of new values; all calibrated. */
export interface Reading {
  readonly name: string;
  /** Share of people in Norway; the other countries keep their published proportions. */
  readonly norway: number;
  /** People per provider go by its addresses to this power. */
  readonly concentration: number;
  /** People whose traffic leaves in changing countries: VPNs, proxying browsers, roaming. */
  readonly usesExits: number;
  /** Of their days, so many at an exit; spread evenly between these. */
  readonly daysAtExit: readonly [number, number];
  /** Countries that such a person's exits are taken from; spread evenly between. */
  readonly exitCountries: readonly [number, number];
  /** People whose phone is on the network of their home. */
  readonly phoneAtHomeProvider: number;
  /** People with a workplace or school they log in from. */
  readonly works: number;
  /** Other browsers of the usual kind of device, and logins with one of them. */
  readonly sparesMean: number;
  readonly usesSpare: number;
  /** New devices in a year, for each device. */
  readonly newDevicesPerYear: number;
  /** Days from one version of a browser to the next, as its agent shows it. */
  readonly releaseDays: number;
  /** Agents are drawn by their share in the package, which one site sees, to this power. */
  readonly flattened: number;
}

/**
 * "A value is new" where the account has no earlier login: so the source of the published shares
 * defines it, and counts in a sample of users by their number of logins (5, 10 and 25 % of the three
 * groups). The main reading.
 */
export const asDefined: Reading = {
  name: "as defined",
  norway: 0.71,
  concentration: 1.7,
  usesExits: 0.1,
  daysAtExit: [0.1, 0.9],
  exitCountries: [1, 6],
  phoneAtHomeProvider: 0.15,
  works: 0.6,
  sparesMean: 2,
  usesSpare: 0.6,
  newDevicesPerYear: 1,
  releaseDays: 21,
  flattened: 0.3,
};

/**
 * The same shares, were they of logins with a history alone: a much more restless population, and a
 * harder one. The other reading.
 */
export const withHistoryOnly: Reading = {
  name: "with a history only",
  norway: 0.61,
  concentration: 1.9,
  usesExits: 0.58,
  daysAtExit: [0.5, 1],
  exitCountries: [8, 60],
  phoneAtHomeProvider: 1,
  works: 0.03,
  sparesMean: 2.2,
  usesSpare: 0.7,
  newDevicesPerYear: 1,
  releaseDays: 16,
  flattened: 0.3,
};

/** Share of each group of users (one login, two to nine, ten or more) in the source's sample. */
export const sampledShares = [0.05, 0.1, 0.25] as const;

export const networkRates = {
  /** Countries without a published share go by their addresses to this power; assumed. */
  otherCountries: 0.5,
  /** Size of the neighbourhood a provider serves from one pool of addresses: a /20; assumed. */
  poolSize: 4096,
  /** How long homes keep an address: share of homes, days; assumed (most lines keep theirs). */
  leases: [
    { share: 0.45, days: 800 },
    { share: 0.25, days: 120 },
    { share: 0.2, days: 30 },
    { share: 0.1, days: 1 },
  ],
  /** Where the next lease comes from: the same /24, the same pool, anywhere; assumed. */
  nextLease: { samePrefix: 0.45, samePool: 0.45 },
  /** Prefixes behind which a mobile provider hides the people of one region; assumed. */
  mobilePrefixes: 6,
  /** Behind phones and exits an address holds for so long; assumed. */
  sessionHours: 4,
  /** Employees of a workplace who are users too, on average; assumed. */
  colleagues: 4,
  /** Addresses of one exit (VPN, proxying browser), shared by all who use it; assumed. */
  exitAddresses: 24,
} as const;

export const peopleRates = {
  /** Moves in a year, of which so many change the provider; assumed. */
  movesPerYear: 0.1,
  movesToOtherProvider: 0.3,
  /** Changes of the provider at home without a move, in a year; assumed. */
  providerChangesPerYear: 0.04,
  /** Trips abroad in a year, and their mean length in days; assumed. */
  tripsPerYear: 0.8,
  tripDays: 7,
  /** On a trip, logins over a network of that country and not over the roaming phone; assumed. */
  localOnTrip: 0.6,
  /** People with a second kind of device; assumed. */
  secondDevice: 0.35,
  /** Their logins with it; assumed. */
  usesSecondDevice: 0.25,
  /** Logins in working hours over the workplace, of those who have one; assumed. */
  atWork: 0.55,
  /** Logins of a phone over the mobile network and not at home; assumed. */
  phoneAway: 0.4,
} as const;

export const agentRates = {
  /** The versions of irregular tokens found in the package are taken to span so many days; assumed. */
  ladderDays: 365,
  /** Browsers that never update in the year; assumed. */
  neverUpdates: 0.05,
} as const;

export const rhythmRates = {
  /** Logins that follow another within days, not weeks; assumed. */
  followsSoon: 0.25,
  /** Median hours until such a login, and the spread of its logarithm; assumed. */
  soonHours: 20,
  soonSpread: 1.1,
  /** A login after less than that is part of the same occasion, at whatever hour; assumed. */
  sameOccasionHours: 6,
  /** Of the year, the part in which a user is active; spread evenly between; assumed. */
  activePart: [0.15, 1],
  /** Logins at the person's own hours; the rest is at anybody's; assumed. */
  atOwnHours: 0.7,
  /** Own hours, and how far logins are from them, in hours; assumed. */
  ownHours: [1, 3],
  ownHourSpread: 1.3,
  /** Weight of each hour of the local day (assumed: people sleep, and use services in the evening). */
  day: [
    1.2, 0.7, 0.4, 0.3, 0.3, 0.6, 1.6, 3.2, 4.6, 5.2, 5.4, 5.5, 5.6, 5.4, 5.4, 5.6, 5.8, 5.8, 5.9,
    6.2, 6.4, 5.9, 4.3, 2.5,
  ],
  /** From Monday on, and hours of the local day; assumed. */
  workdays: 5,
  workHours: [8, 17],
  /** Weight of each day from Monday; assumed. */
  week: [1.05, 1.06, 1.06, 1.05, 1.02, 0.88, 0.88],
} as const;

export const attackerRates = {
  /** After a login of the victim; published. */
  hoursAfter: [2, 72],
  /** Attackers live like users who are not users here: so many for each user. */
  strangersPerUser: 0.5,
  /** A naive attacker is somebody of the last weeks, at that hour of the day. */
  strangerDays: 14,
  /** Very targeted attackers in the victim's own /24; the others are in the same pool; assumed. */
  inOwnPrefix: 0.5,
  /** Identities that a stuffing campaign tries from one /24 in ten minutes, evenly in its logarithm. */
  campaign: [10, 300],
} as const;
