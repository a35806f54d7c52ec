/**
 * The layers of src/, from the top down, and the rule that imports point downwards. The SDK is beside them, and imports
 * only the format of the log. The console imports nothing of the repository but the SDK, as a package.
 */
import { folderOf, type Import } from "./imports.ts";

/** Folders, or files directly in src/. Folders of one layer do not import each other. */
export const layers: readonly (readonly string[])[] = [
  ["index.ts"],
  ["app.ts", "scheduled.ts"],
  ["housekeeping.ts"],
  ["api"],
  ["http"],
  ["deletion"],
  ["guard"],
  ["guard/refusal-log"],
  ["guard/delivery"],
  ["guard/decisions"],
  ["relocation"],
  ["expiry"],
  ["destinations"],
  ["destinations/streams", "destinations/webhooks"],
  ["destinations/request"],
  ["keys", "step-up"],
  ["tenancy"],
  ["sentinel/assessments", "sentinel/activity", "sentinel/feeds"],
  ["sentinel/explanation"],
  ["sentinel/signals"],
  ["sentinel/behaviour"],
  ["sentinel/population"],
  ["sentinel"],
  ["sentinel/network"],
  ["audit/control-outbox", "audit/ocsf", "audit/tree"],
  ["audit/statistics"],
  ["audit"],
  ["audit/personal-keys"],
  ["idempotency", "identity"],
  ["db", "otp", "passkeys"],
  ["env.ts"],
  ["crypto"],
  ["errors.ts", "job.ts", "location.ts", "retry-alarm.ts"],
  [
    ...["bounded-map.ts", "concurrent.ts", "deadline.ts", "log.ts", "retry-delay.ts", "rfc3339.ts"],
    "slices.ts",
    "sql-table.ts",
    "text-schema.ts",
  ],
  ["log-events.ts"],
];

/** The index of a file's layer from the top; undefined if its folder is in none. */
function layerOf(file: string): number | undefined {
  const index = layers.findIndex((layer) => layer.includes(folderOf(file)));
  return index === -1 ? undefined : index;
}

function problemOf({ from, to }: Import): string | undefined {
  const [above, below] = [layerOf(from), layerOf(to)];
  if (above === undefined) return `${from}: its folder is in no layer`;
  if (below === undefined) return `${to}: its folder is in no layer`;
  if (above > below) return `${from} imports ${to}, which is above it`;
  const isBeside = above === below && folderOf(from) !== folderOf(to);
  return isBeside ? `${from} imports ${to}, which is in another folder of its layer` : undefined;
}

/** One sentence for each import that breaks the rule, and for each folder without a layer. */
export function findLayerProblems(imports: readonly Import[]): string[] {
  return [...new Set(imports.flatMap((one) => problemOf(one) ?? []))];
}

/** What the verifier in packages/sdk imports, and its build puts into it: pure files, which run in a browser too. */
const logFormat: readonly string[] = [
  "src/audit/leaf.ts",
  "src/audit/tree/merkle.ts",
  "src/audit/tree/note.ts",
  "src/audit/tree/verify-proof.ts",
  "src/crypto/bytes.ts",
  "src/crypto/signature.ts",
];
const verifierFolder = "packages/sdk/src/audit/";

/**
 * One sentence for each import of the console from elsewhere in the repository: what it knows of the service comes from
 * the SDK and the OpenAPI document.
 * @param imports paths from the root of the repository
 */
export function findConsoleProblems(imports: readonly Import[]): string[] {
  return imports
    .filter(({ to }) => !to.startsWith("console/"))
    .map(({ from, to }) => `${from} imports ${to}, which is not part of the console`);
}

/**
 * One sentence for each import of the SDK from elsewhere in the repository, except that the verifier imports the format
 * of the log.
 * @param imports paths from the root of the repository
 */
export function findSdkProblems(imports: readonly Import[]): string[] {
  const isAllowed = ({ from, to }: Import) =>
    to.startsWith("packages/sdk/src/") ||
    (from.startsWith(verifierFolder) && logFormat.includes(to));
  return imports
    .filter((one) => !isAllowed(one))
    .map(({ from, to }) => `${from} imports ${to}, which is not part of the SDK`);
}

/**
 * One sentence for each import of the command from the project's tools and tests. It may import the service's own code:
 * its build puts that into the package.
 * @param imports paths from the root of the repository
 */
export function findCliProblems(imports: readonly Import[]): string[] {
  return imports
    .filter(({ to }) => !to.startsWith("packages/cli/") && !to.startsWith("src/"))
    .map(
      ({ from, to }) =>
        `${from} imports ${to}, which is part of neither the command nor the service`,
    );
}
