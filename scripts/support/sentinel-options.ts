/** The options of `npm run sentinel:import`. */
import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { Failure } from "../../packages/cli/src/failure.ts";
import { networkKinds } from "../../src/sentinel/network/network-facts.ts";
import { type FeedPlan, planCatalogue, planFeeds } from "./sentinel-feeds.ts";
import {
  type CountryTable,
  countryTables,
  type GeographyPlan,
  geographyVersion,
} from "./sentinel-geography.ts";

export const helpText = `Import IP lists and geography into KV (binding IP_REPUTATION).

  npm run sentinel:import -- --feed NAME=FILE [--feed …] [--geography] [options]

Lists
  --feed NAME=FILE       a file or https URL; repeat it for more, files with one name form one feed. The
                         name gives the kind of its addresses (vpn=…, x4b_datacenter=…, ipsum=…), and
                         the import prints it.
  --feed NAME:KIND=FILE  the same with an explicit kind, for any other name. KIND is one of
                         ${networkKinds.join(", ")}.
  --catalogue            every list of the catalogue from its URL (src/sentinel/feeds/catalogue.ts)

Geography
  --geography            networks and countries from npm: @ip-location-db/asn and …/asn-country
  --country-table NAME   another table of countries: ${countryTables.join(" or ")}
  --geography-version V  another version than ${geographyVersion}
  --asn FILE             networks from a file: "first,last,number,…"; repeatable
  --country FILE         countries from a file: "first,last,country"; repeatable

Target
  --local                the local KV of "wrangler dev" (default)
  --remote               the KV namespace in your Cloudflare account
  --namespace-id ID      with --remote: this namespace instead of that of the deployed Worker
  --persist-to DIR       with --local: the same as "wrangler dev --persist-to"
  --replace              remove the stored lists and tables that the import does not name
  --dry-run              read and build, write nothing
  --json                 the figures at the end as JSON
  --help

A line of a list is an address, a CIDR network, address<TAB>count of blacklists, CSV "first,last,…", JSON with
"cidr", or a network number ("AS64500 # name" or JSON with "asn"), which needs a table of networks. IPv4 and
IPv6; # and ; start a comment. The import reports and skips invalid lines. A list that is empty, mostly invalid
or a page of HTML is refused: its stored version stays in use, the other lists are imported, and the exit code
is 1. A refused table of geography ends the import, and nothing is written.

Each import replaces the whole data set: name every feed and the geography every time. An import that would remove
a stored list names it and stops, unless --replace is given.
docs/sentinel-data.md says more.
`;

export interface ImportOptions {
  readonly feeds: readonly FeedPlan[];
  readonly geography: GeographyPlan;
  readonly target:
    | { readonly to: "local"; readonly persistTo: string | undefined }
    | { readonly to: "remote"; readonly namespaceId: string | undefined };
  readonly replace: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
}

/** The options that name lists and geography. */
export const networkOptions = {
  feed: { type: "string", multiple: true, default: [] },
  catalogue: { type: "boolean", default: false },
  geography: { type: "boolean", default: false },
  "country-table": { type: "string" },
  "geography-version": { type: "string" },
  asn: { type: "string", multiple: true, default: [] },
  country: { type: "string", multiple: true, default: [] },
} as const satisfies ParseArgsOptionsConfig;

export interface NetworkValues {
  readonly feed: readonly string[];
  readonly catalogue: boolean;
  readonly geography: boolean;
  readonly "country-table"?: string | undefined;
  readonly "geography-version"?: string | undefined;
  readonly asn: readonly string[];
  readonly country: readonly string[];
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...networkOptions,
        local: { type: "boolean", default: false },
        remote: { type: "boolean", default: false },
        "namespace-id": { type: "string" },
        "persist-to": { type: "string" },
        replace: { type: "boolean", default: false },
        "dry-run": { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    throw new Failure(error instanceof Error ? error.message : String(error));
  }
}

type Values = ReturnType<typeof parse>;

function parseCountryTable(name: string | undefined): CountryTable {
  const table = countryTables.find((one) => one === (name ?? countryTables[0]));
  if (table !== undefined) return table;
  throw new Failure(`--country-table ${name}: expected ${countryTables.join(" or ")}.`);
}

function planGeography(values: NetworkValues): GeographyPlan {
  const version = values["geography-version"] ?? geographyVersion;
  if (!/^\d+(\.\d+){2}$/.test(version)) {
    throw new Failure(
      `--geography-version ${version}: expected a version such as ${geographyVersion}.`,
    );
  }
  const countryTable = parseCountryTable(values["country-table"]);
  const isNamed = values["country-table"] ?? values["geography-version"];
  const packages =
    values.geography || isNamed !== undefined ? { version, countryTable } : undefined;
  return { asn: values.asn, country: values.country, packages };
}

function parseTarget(values: Values): ImportOptions["target"] {
  if (values.local && values.remote) throw new Failure("--local and --remote exclude each other.");
  if (values.remote) {
    if (values["persist-to"] !== undefined) throw new Failure("--persist-to needs --local.");
    return { to: "remote", namespaceId: values["namespace-id"] };
  }
  if (values["namespace-id"] !== undefined) throw new Failure("--namespace-id needs --remote.");
  return { to: "local", persistTo: values["persist-to"] };
}

/** @returns undefined if no list and no table is named. @throws Failure for an invalid argument */
export function planNetwork(
  values: NetworkValues,
): Pick<ImportOptions, "feeds" | "geography"> | undefined {
  const given = planFeeds(values.feed);
  const feeds = values.catalogue ? [...given, ...planCatalogue(given)] : given;
  const geography = planGeography(values);
  const tables = geography.asn.length + geography.country.length;
  const isEmpty = feeds.length + tables === 0 && geography.packages === undefined;
  return isEmpty ? undefined : { feeds, geography };
}

/** Parses the arguments. @returns undefined for --help. @throws Failure for an invalid argument */
export function parseOptions(args: readonly string[]): ImportOptions | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  const network = planNetwork(values);
  if (network === undefined) {
    throw new Failure("Nothing to import: add --feed, --catalogue or --geography; see --help.");
  }
  return {
    ...network,
    target: parseTarget(values),
    replace: values.replace,
    dryRun: values["dry-run"],
    json: values.json,
  };
}
