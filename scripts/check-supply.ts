/**
 * `npm run check:supply`: checks every dependency. Each locked package needs a SHA-512, a licence that permits its
 * use, and no install script if the Worker ships it. Each dependency needs a reason in docs/architecture.md,
 * and each finding of `npm audit` an explanation below.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { Failure } from "../packages/cli/src/failure.ts";
import { checkLockfile, findUnexplained } from "./support/dependencies.ts";
import { runScript } from "./support/run-script.ts";

const root = join(import.meta.dirname, "..");
/**
 * Folders with a lockfile: the product with its workspaces, what the bench compares it with, a generated client, the
 * linters of the OpenAPI documents, and a project that uses the SDK.
 */
const lockedFolders = [
  { folder: "", areAllTools: false },
  { folder: "bench/peers", areAllTools: true },
  { folder: "test/clients/typescript", areAllTools: true },
  { folder: "test/openapi", areAllTools: true },
  { folder: "test/sdk", areAllTools: true },
];
/** The product comes first. */
const manifestFolders = [
  ...["", "packages/sdk", "packages/reference", "packages/cli", "console"],
  ...["examples/login", "examples/webhooks"],
  ...["bench", "bench/peers", "test/clients/typescript", "test/openapi", "test/sdk"],
];

/** Advisories that do not affect the product, by id, each with the reason. */
const explained: Readonly<Record<string, string>> = {};

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

function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

function readWorkerSources(): string[] {
  return readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => read(join("src", path)));
}

/** Unexplained advisories for a folder's packages; undefined if the registry offers no audit. */
function auditPackages(folder: string): string[] | undefined {
  const cwd = join(root, folder);
  const { stdout } = spawnSync("npm", ["audit", "--json"], { cwd, encoding: "utf8" });
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
  const manifests = manifestFolders.map((folder) => read(join(folder, "package.json")));
  const problems = findUnexplained(manifests, read("docs/architecture.md"), readWorkerSources());
  for (const { folder, areAllTools } of lockedFolders) {
    const lockfile = join(folder, "package-lock.json");
    const checked = checkLockfile(read(lockfile), areAllTools);
    const advisories = auditPackages(folder);
    problems.push(...checked.problems, ...(advisories ?? []));
    process.stdout.write(
      `${lockfile}: checked licences, hashes and scripts of ${checked.packages} packages; ${checked.shipped} of them are shipped\n`,
    );
    process.stdout.write(
      advisories === undefined
        ? "npm audit: NOT CHECKED, the registry in use offers no audit\n"
        : `npm audit: ${advisories.length} findings without an explanation\n`,
    );
  }
  if (problems.length > 0) throw new Failure(problems.join("\n"));
  return 0;
}

await runScript(main);
