/** The npm packages with tables of geography. */

/** The version of all @ip-location-db packages, which are published together. */
export const geographyVersion = "2.3.2026061719";
export const countryTables = ["asn-country", "geo-whois-asn-country"] as const;
export type CountryTable = (typeof countryTables)[number];
