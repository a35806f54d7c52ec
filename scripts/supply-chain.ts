/**
 * `npm run check:supply`: what the project is made of. The lockfiles name every file by its hash; every
 * licence is one we may ship or use; nothing that runs in the Worker needs an install script; each dependency
 * has its reason in docs/architecture.md; and what `npm audit` finds is explained below or fails.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { lookedAt, unexplained } from "./support/dependencies.ts";
import { Failure, runScript } from "./support/failure.ts";

const root = join(import.meta.dirname, "..");
/** The product, and what its speed is compared with. */
const folders = [
  { folder: "", areAllTools: false },
  { folder: "bench/peers", areAllTools: true },
];

/** Advisories that do not concern us, by id, each with the reason. */
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

function sourcesOfTheWorker(): string[] {
  return readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => read(join("src", path)));
}

/** What the registry knows against those of a folder; undefined where it does not say. */
function audit(folder: string): string[] | undefined {
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
  const manifests = folders.map(({ folder }) => read(join(folder, "package.json")));
  const problems = unexplained(manifests, read("docs/architecture.md"), sourcesOfTheWorker());
  for (const { folder, areAllTools } of folders) {
    const looked = lookedAt(read(join(folder, "package-lock.json")), areAllTools);
    const findings = audit(folder);
    problems.push(...looked.problems, ...(findings ?? []));
    process.stdout.write(
      `${join(folder, "package-lock.json")}: ${looked.packages} packages, ${looked.shipped} of them not for tools alone; licences, hashes and scripts looked at\n`,
    );
    process.stdout.write(
      findings === undefined
        ? "npm audit: NOT CHECKED, the registry in use gives no audit\n"
        : `npm audit: ${findings.length} findings that are not explained\n`,
    );
  }
  if (problems.length > 0) throw new Failure(problems.join("\n"));
  return 0;
}

await runScript(main);
