/**
 * The fingerprint of what a deployment consists of. It is the tag of the version that Cloudflare keeps, so that a later
 * run, on any machine, sees whether the deployed version is the one that it would deploy.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

/** What the Worker and its static files are made of. */
const sources = [
  "src",
  "migrations/meta",
  "console",
  "packages/reference",
  "packages/sdk/src",
  "public/_headers",
  "docs/openapi.json",
  "package.json",
  "package-lock.json",
  "tsconfig.json",
];

/** 48 bits: enough to tell versions apart, and Cloudflare limits the length of a tag. */
const digits = 12;

function listFiles(path: string): string[] {
  if (!existsSync(path)) return [];
  const entries = (() => {
    try {
      return readdirSync(path, { recursive: true, withFileTypes: true });
    } catch {
      return undefined;
    }
  })();
  if (entries === undefined) return [path];
  return entries
    .filter(
      (entry) => entry.isFile() && !/(?:^|[\\/])node_modules(?:[\\/]|$)/.test(entry.parentPath),
    )
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/**
 * The digest says nothing about the secrets, because each of them is random.
 * @param configuration the text of the configuration
 * @param secrets the text of the file of secrets
 */
export function computeFingerprint(
  project: string,
  configuration: string,
  secrets: string,
): string {
  const hash = createHash("sha256");
  for (const text of [configuration, secrets]) hash.update(`${text.length}\0${text}`);
  for (const source of sources) {
    for (const path of listFiles(join(project, source))) {
      const content = readFileSync(path);
      hash.update(`${relative(project, path)}\0${content.length}\0`).update(content);
    }
  }
  return `edge-idp-${hash.digest("hex").slice(0, digits)}`;
}
