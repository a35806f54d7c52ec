/**
 * Round trips between regions of a cloud, ms at the median, over 30 days to 19 June 2024, as Microsoft
 * publishes them (https://learn.microsoft.com/azure/networking/azure-network-latency, dataset of 20 June
 * 2024). A row is where the packet starts, a column where the data lies.
 */

/** Regions in which objects and databases of Cloudflare can be: a hint is named with each. */
export const places = {
  "East US": "enam",
  "West US": "wnam",
  "West Europe": "weur",
  "Southeast Asia": "apac-se",
  "Japan East": "apac-ne",
  "Australia East": "oc",
} as const;

export type Place = keyof typeof places;

const row = (
  eastUs: number,
  westUs: number,
  westEurope: number,
  southeastAsia: number,
  japanEast: number,
  australiaEast: number,
): Readonly<Record<Place, number>> => ({
  "East US": eastUs,
  "West US": westUs,
  "West Europe": westEurope,
  "Southeast Asia": southeastAsia,
  "Japan East": japanEast,
  "Australia East": australiaEast,
});

/** 0 where caller and data are in one region: the table has no figure for that. */
export const roundTrips = {
  "East US": row(0, 71, 89, 233, 169, 201),
  "West US": row(74, 0, 155, 172, 108, 140),
  "Brazil South": row(119, 186, 186, 344, 278, 317),
  "West Europe": row(90, 154, 0, 190, 250, 286),
  "South Africa North": row(227, 294, 163, 188, 252, 279),
  "UAE North": row(187, 255, 123, 90, 155, 180),
  "Central India": row(203, 220, 135, 55, 121, 147),
  "Southeast Asia": row(234, 171, 190, 0, 72, 95),
  "Japan East": row(170, 108, 251, 73, 0, 104),
  "Australia East": row(201, 140, 287, 91, 103, 0),
} as const;

export type Caller = keyof typeof roundTrips;

export const callers = Object.keys(roundTrips).filter((key): key is Caller => key in roundTrips);

/**
 * Where a guard is whose first caller, or whose hint, is in that region. Objects do not start in South
 * America, Africa and the Middle East (https://developers.cloudflare.com/durable-objects/reference/data-location/):
 * for South America the page names Eastern North America, for the others "nearby", taken here as the
 * nearest place by this table; for India the same, which its `apac` leaves open.
 */
export const nearestPlace: Readonly<Record<Caller, Place>> = {
  "East US": "East US",
  "West US": "West US",
  "Brazil South": "East US",
  "West Europe": "West Europe",
  "South Africa North": "West Europe",
  "UAE North": "Southeast Asia",
  "Central India": "Southeast Asia",
  "Southeast Asia": "Southeast Asia",
  "Japan East": "Japan East",
  "Australia East": "Australia East",
};
