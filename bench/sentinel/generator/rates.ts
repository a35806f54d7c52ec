/**
 * Every number of the generator. "Calibrated": set so that the shares of published.ts result, without looking
 * at any score of Sentinel. "Assumed": nothing is published, and the value is a guess about how people live.
 */

export const yearDays = 365;

/** The numbers that differ between the two readings of the published shares of new values; all calibrated. */
export interface Reading {
  readonly name: string;
  /** Share of people in Norway. The other countries have their published proportions. */
  readonly norway: number;
  /** A provider has people in proportion to its addresses to this power. */
  readonly concentration: number;
  /** Share of people whose traffic exits in changing countries: VPNs, proxying browsers, roaming. */
  readonly usesExits: number;
  /** Share of their days with an exit, evenly distributed between these. */
  readonly daysAtExit: readonly [number, number];
  /** Number of exits of such a person, evenly distributed between these. */
  readonly exitCountries: readonly [number, number];
  /** Share of people whose phone uses the provider of their home. */
  readonly phoneAtHomeProvider: number;
  /** Share of people with a workplace or school that they log in from. */
  readonly works: number;
  /** Mean number of spare browsers on the usual kind of device, and share of logins with one of them. */
  readonly sparesMean: number;
  readonly usesSpare: number;
  /** How often a device is replaced in a year. */
  readonly newDevicesPerYear: number;
  /** Days from one version of a browser to the next, as agents show it. */
  readonly releaseDays: number;
  /**
   * An agent is drawn in proportion to its share in the package, which is that of one site, to this power.
   */
  readonly flattened: number;
}

/**
 * The main reading: a value is new if the account has no earlier login with it, so a first login counts as
 * new. The source of the published shares defines it so, and counts it in a sample of users by their number
 * of logins (5, 10 and 25 % of the three groups).
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
 * The other reading: the published shares are those of logins with a history only. People then change their
 * networks and agents far more often, and all models find it harder.
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

/** How addresses change, and how many people share them. */
export interface Locality {
  readonly name: string;
  /**
   * Shares of next leases of a home in the same /24, in the same /20, and in the same range of the network table,
   * which stands for a BGP prefix. The rest is in another range of the network.
   */
  readonly nextLease: {
    readonly samePrefix: number;
    readonly samePool: number;
    readonly sameRange: number;
  };
  /** Mean number of users at one workplace, and its addresses. */
  readonly colleagues: number;
  readonly workplaceAddresses: number;
  /** Prefixes that the people of one region of a mobile provider share, and the addresses of each. */
  readonly mobilePrefixes: number;
  readonly mobileAddresses: number;
  /** Share of homes behind an address that the carrier shares among customers. */
  readonly sharedHomes: number;
  /** Shares of homes and phones with IPv6, and of their logins that use it. */
  readonly ipv6Homes: number;
  readonly ipv6Phones: number;
  readonly usesIpv6: number;
  /** Share of renumbered IPv6 homes that stay in the same /40. */
  readonly samePoolIpv6: number;
  /** Days for which a device keeps the interface identifier of its address (RFC 8981). */
  readonly privacyDays: number;
}

/** The locality of sentinel-2's evaluation: the matched data, and the data as in operation. All assumed. */
export const nearLocality: Locality = {
  name: "near",
  nextLease: { samePrefix: 0.45, samePool: 0.45, sameRange: 0 },
  colleagues: 4,
  workplaceAddresses: 1,
  mobilePrefixes: 6,
  mobileAddresses: 254,
  sharedHomes: 0,
  ipv6Homes: 0,
  ipv6Phones: 0,
  usesIpv6: 0,
  samePoolIpv6: 0,
  privacyDays: 1,
};

/**
 * The locality of the literature. Padmanabhan et al. (Reasons Dynamic Addresses Change, IMC 2016): almost half of
 * the changes of an address leave its BGP prefix. Richter et al. (A Multi-perspective Analysis of Carrier-Grade NAT
 * Deployment, IMC 2016): most mobile carriers and about a sixth of the others share addresses. Padmanabhan et al.
 * (DynamIPs, CoNEXT 2020): a renumbered IPv6 home mostly stays in its pool, often a /40. The exact shares, and
 * everything about offices, are assumed.
 */
export const publishedLocality: Locality = {
  name: "published",
  nextLease: { samePrefix: 0.13, samePool: 0.25, sameRange: 0.34 },
  colleagues: 30,
  workplaceAddresses: 2,
  mobilePrefixes: 3,
  mobileAddresses: 48,
  sharedHomes: 0.15,
  ipv6Homes: 0.4,
  ipv6Phones: 0.6,
  usesIpv6: 0.8,
  samePoolIpv6: 0.7,
  privacyDays: 1,
};

/** Share of each group of users (one login, two to nine, ten or more) in the source's sample. */
export const sampledShares = [0.05, 0.1, 0.25] as const;

export const networkRates = {
  /** A country without a published share has people in proportion to its addresses to this power; assumed. */
  otherCountries: 0.5,
  /** Addresses in the pool of one neighbourhood: a /20; assumed. */
  poolSize: 4096,
  /** How long homes keep an address: share of homes, and days; assumed (most lines keep theirs). */
  leases: [
    { share: 0.45, days: 800 },
    { share: 0.25, days: 120 },
    { share: 0.2, days: 30 },
    { share: 0.1, days: 1 },
  ],
  /** Hours for which a phone or an exit keeps an address; assumed. */
  sessionHours: 4,
  /** Regions of a carrier; the people of one region share its addresses; assumed. */
  regions: 8,
  /** Prefixes and addresses of one region of a carrier that shares addresses among homes; assumed. */
  sharedPrefixes: 2,
  sharedAddresses: 64,
  /** Addresses of one exit (VPN, proxying browser), which all its users share; assumed. */
  exitAddresses: 24,
} as const;

export const peopleRates = {
  /** Moves per year, and the share of them that change the provider; assumed. */
  movesPerYear: 0.1,
  movesToOtherProvider: 0.3,
  /** Changes of the provider without a move, per year; assumed. */
  providerChangesPerYear: 0.04,
  /** Trips abroad per year, and their mean length in days; assumed. */
  tripsPerYear: 0.8,
  tripDays: 7,
  /** Share of logins on a trip over a network of that country, not over the roaming phone; assumed. */
  localOnTrip: 0.6,
  /** Share of people with a second kind of device; assumed. */
  secondDevice: 0.35,
  /** Share of their logins with it; assumed. */
  usesSecondDevice: 0.25,
  /** Share of logins in working hours from the workplace, of people who have one; assumed. */
  atWork: 0.55,
  /** Share of a phone's logins over the mobile network, not at home; assumed. */
  phoneAway: 0.4,
} as const;

export const agentRates = {
  /** Days that the versions of an irregular token in the package cover; assumed. */
  ladderDays: 365,
  /** Share of browsers that never update in the year; assumed. */
  neverUpdates: 0.05,
} as const;

export const rhythmRates = {
  /** Share of logins that follow another one within days, not weeks; assumed. */
  followsSoon: 0.25,
  /** Median hours until such a login, and the standard deviation of their logarithm; assumed. */
  soonHours: 20,
  soonSpread: 1.1,
  /** A login after fewer hours belongs to the same occasion, at any hour; assumed. */
  sameOccasionHours: 6,
  /** Share of the year in which a user is active, evenly distributed between these; assumed. */
  activePart: [0.15, 1],
  /** Share of logins at the person's own hours; the others follow `day`; assumed. */
  atOwnHours: 0.7,
  /** Number of own hours, and the standard deviation of logins around them, in hours; assumed. */
  ownHours: [1, 3],
  ownHourSpread: 1.3,
  /** Weight of each hour of the local day; assumed: people sleep at night and use services in the evening. */
  day: [
    1.2, 0.7, 0.4, 0.3, 0.3, 0.6, 1.6, 3.2, 4.6, 5.2, 5.4, 5.5, 5.6, 5.4, 5.4, 5.6, 5.8, 5.8, 5.9,
    6.2, 6.4, 5.9, 4.3, 2.5,
  ],
  /** Workdays from Monday on, and working hours of the local day; assumed. */
  workdays: 5,
  workHours: [8, 17],
  /** Weight of each day from Monday; assumed. */
  week: [1.05, 1.06, 1.06, 1.05, 1.02, 0.88, 0.88],
} as const;

export const attackerRates = {
  /** Hours after a login of the victim; published. */
  hoursAfter: [2, 72],
  /** Number of people, per user, who are not users. Attackers are drawn from them. */
  strangersPerUser: 0.5,
  /** Days before the attack from which a login of such a person is drawn, at the same hour. */
  strangerDays: 14,
  /** Share of very targeted attackers in the victim's own /24; the others are in the same pool; assumed. */
  inOwnPrefix: 0.5,
  /** Identities that a stuffing campaign tries from one /24 in ten minutes; the logarithm is uniform. */
  campaign: [10, 300],
  /** Days for which a slow campaign keeps its network and its agent; assumed. */
  slowCampaignDays: 1,
  /** Identities that it tries from one /24 in ten minutes: at most this number; assumed. */
  slowCampaign: 3,
  /** Share of the thieves of cookies that come from the victim's country, over a proxy; assumed. */
  thiefInCountry: 0.5,
} as const;
