/** The options of `edge-idp sentinel import`, and those of lists and geography, which a backtest shares. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { collect } from "../../arguments.ts";
import { type CountryTable, countryTables, geographyVersion } from "./geography-packages.ts";

/** The options that name lists and geography, as commander parses them. */
export interface NetworkValues {
  readonly feed?: readonly string[] | undefined;
  readonly catalogue?: boolean | undefined;
  readonly geography?: boolean | undefined;
  readonly countryTable?: CountryTable | undefined;
  readonly geographyVersion?: string | undefined;
  readonly asn?: readonly string[] | undefined;
  readonly country?: readonly string[] | undefined;
}

export interface ImportValues extends NetworkValues {
  readonly remote?: boolean | undefined;
  readonly local?: boolean | undefined;
  readonly namespaceId?: string | undefined;
  readonly persistTo?: string | undefined;
  readonly replace?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  readonly json?: boolean | undefined;
}

function parseVersion(version: string): string {
  if (/^\d+(\.\d+){2}$/.test(version)) return version;
  throw new InvalidArgumentError(`Expected a version such as ${geographyVersion}.`);
}

/** Adds the options that name lists and geography. */
export function addNetworkOptions(command: Command): Command {
  return command
    .optionsGroup("Lists and geography:")
    .option(
      "--feed <name[:kind]=file>",
      "a list from a file or https URL; repeat it for more, and files with one name form one list",
      collect,
    )
    .option("--catalogue", "every list of the catalogue, from its URL")
    .option(
      "--geography",
      "networks and countries from npm: @ip-location-db/asn and @ip-location-db/asn-country",
    )
    .addOption(
      new Option("--country-table <name>", "the table of countries").choices(countryTables),
    )
    .option(
      "--geography-version <version>",
      `another version of these packages than ${geographyVersion}`,
      parseVersion,
    )
    .option("--asn <file>", 'networks from a file: "first,last,number,…"; repeatable', collect)
    .option("--country <file>", 'countries from a file: "first,last,country"; repeatable', collect);
}

export function addImportOptions(command: Command): Command {
  return addNetworkOptions(command)
    .optionsGroup("Target:")
    .addOption(
      new Option("--local", 'the local KV of "npm run dev" (default)').conflicts([
        "remote",
        "namespaceId",
      ]),
    )
    .addOption(
      new Option("--remote", "the KV namespace in your Cloudflare account").conflicts("persistTo"),
    )
    .option("--namespace-id <id>", "with --remote: this namespace, not that of the deployed Worker")
    .option("--persist-to <folder>", 'with --local: the same as "npm run dev -- --persist-to"')
    .optionsGroup("Options:")
    .option("--replace", "remove the stored lists and tables that the import does not name")
    .option("--dry-run", "read and build, write nothing")
    .option("--json", "print the figures as JSON");
}
