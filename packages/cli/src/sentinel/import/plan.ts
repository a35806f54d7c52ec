/** What an import reads, and where it writes. */
import { Failure } from "../../failure.ts";
import { type FeedPlan, planCatalogue, planFeeds } from "./feeds.ts";
import type { GeographyPlan } from "./geography.ts";
import { countryTables, geographyVersion } from "./geography-packages.ts";
import type { ImportValues, NetworkValues } from "./options.ts";

export interface NetworkPlan {
  readonly feeds: readonly FeedPlan[];
  readonly geography: GeographyPlan;
}

export interface ImportPlan extends NetworkPlan {
  readonly target:
    | { readonly to: "local"; readonly persistTo: string | undefined }
    | { readonly to: "remote"; readonly namespaceId: string | undefined };
  readonly replace: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
}

function planGeography(values: NetworkValues): GeographyPlan {
  const { asn = [], country = [], countryTable = countryTables[0] } = values;
  const { geographyVersion: version = geographyVersion } = values;
  const isNamed =
    values.geography ??
    (values.countryTable !== undefined || values.geographyVersion !== undefined);
  return { asn, country, packages: isNamed ? { version, countryTable } : undefined };
}

/** @returns undefined if no list and no table is named. @throws Failure for an invalid list */
export function planNetwork(values: NetworkValues): NetworkPlan | undefined {
  const given = planFeeds(values.feed ?? []);
  const feeds = values.catalogue ? [...given, ...planCatalogue(given)] : given;
  const geography = planGeography(values);
  const tables = geography.asn.length + geography.country.length;
  const isEmpty = feeds.length + tables === 0 && geography.packages === undefined;
  return isEmpty ? undefined : { feeds, geography };
}

/** @throws Failure for invalid options */
export function planImport(values: ImportValues): ImportPlan {
  const network = planNetwork(values);
  if (network === undefined) {
    throw new Failure("Nothing to import: add --feed, --catalogue or --geography; see --help.");
  }
  const { remote = false, namespaceId, persistTo } = values;
  if (namespaceId !== undefined && !remote) throw new Failure("--namespace-id needs --remote.");
  return {
    ...network,
    target: remote ? { to: "remote", namespaceId } : { to: "local", persistTo },
    replace: values.replace ?? false,
    dryRun: values.dryRun ?? false,
    json: values.json ?? false,
  };
}
