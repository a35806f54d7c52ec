/** Writes the page at `/docs` into public/docs, from where Workers static assets serve it. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { createPageDocument, type OpenApiDocument } from "./page-document.ts";

const root = join(import.meta.dirname, "..", "..");
const target = join(root, "public", "docs");

/** All files below a folder, by their path in it. */
function readFiles(folder: string): Map<string, Buffer> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
  return new Map(paths.map((path) => [relative(folder, path), readFileSync(path)]));
}

/** Scalar in its build for browsers, without source maps and without the build for a `<script>` of one file. */
function readScalar(): Map<string, Buffer> {
  const library = createRequire(import.meta.url).resolve("@scalar/api-reference");
  const files = readFiles(join(dirname(library), "browser"));
  const needed = [...files].filter(([path]) => path.endsWith(".js") && path !== "standalone.js");
  return new Map(needed.map(([path, content]) => [join("scalar", path), content]));
}

function readSamples(): Map<string, string> {
  const files = readFiles(join(import.meta.dirname, "samples"));
  return new Map([...files].map(([path, content]) => [basename(path, ".ts"), String(content)]));
}

function createDocument(): Buffer {
  const text = readFileSync(join(root, "docs", "openapi.json"), "utf8");
  const document: OpenApiDocument = JSON.parse(text);
  return Buffer.from(JSON.stringify(createPageDocument(document, readSamples())));
}

/**
 * Brings public/docs up to date. A file that is already right remains untouched, so that a service that serves the
 * folder at the same time does not reload it.
 *
 * @throws Error if an operation has no sample, or a sample no operation
 */
export function writeReference(): void {
  const files = new Map([
    ...readScalar(),
    ...readFiles(join(import.meta.dirname, "page")),
    ["openapi.json", createDocument()] as const,
  ]);
  mkdirSync(target, { recursive: true });
  const present = readFiles(target);
  for (const path of present.keys()) if (!files.has(path)) rmSync(join(target, path));
  for (const [path, content] of files) {
    if (present.get(path)?.equals(content)) continue;
    mkdirSync(dirname(join(target, path)), { recursive: true });
    writeFileSync(join(target, path), content);
  }
}
