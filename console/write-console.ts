/** Writes the page at `/console` into public/console, from where Workers static assets serve it. */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { build, type Plugin } from "vite";
import { createSettingsSchema, type DescribedApi, listAuditActions } from "./described-api.ts";

const root = join(import.meta.dirname, "..");
const target = join(root, "public", "console");
/** What the page is made of, from the root of the project. */
const sources = ["console", "packages/sdk/src", "src/audit", "src/crypto"];
const sourceFiles = ["docs/openapi.json", "package-lock.json"];

/** All files below a folder, by their path in it. */
function listFiles(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((one) => one.isFile() && !one.parentPath.includes("node_modules"))
    .map((one) => relative(folder, join(one.parentPath, one.name)))
    .sort();
}

function digestSources(): string {
  const hash = createHash("sha256");
  const paths = sources.flatMap((folder) =>
    listFiles(join(root, folder)).map((path) => join(folder, path)),
  );
  for (const path of [...paths, ...sourceFiles]) {
    hash.update(`${path}\0`).update(readFileSync(join(root, path)));
  }
  return hash.digest("hex");
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** What the page knows of the API, by the name of its module, so that it follows the OpenAPI document. */
const describedModules: Readonly<Record<string, (document: DescribedApi) => unknown>> = {
  "virtual:settings-schema": createSettingsSchema,
  "virtual:audit-actions": listAuditActions,
};

function provideDescriptions(): Plugin {
  return {
    name: "api-descriptions",
    resolveId: (id) => (id in describedModules ? `\0${id}` : undefined),
    load(id) {
      const describe = describedModules[id.slice(1)];
      if (!id.startsWith("\0") || describe === undefined) return undefined;
      const document = readFileSync(join(root, "docs", "openapi.json"), "utf8");
      return `export default ${JSON.stringify(describe(JSON.parse(document)))}`;
    },
  };
}

/** Writes the digest of the sources into the page, so that the next start knows that it is up to date. */
function noteSources(digest: string): Plugin {
  const tag = { tag: "meta", attrs: { name: "sources", content: digest } };
  return { name: "note-sources", transformIndexHtml: () => [tag] };
}

/** The files of the page, by their path in public/console. */
async function buildFiles(digest: string): Promise<Map<string, string | Uint8Array>> {
  const result = await build({
    root: import.meta.dirname,
    base: "/console/",
    configFile: false,
    // Its warnings are about directives for servers, which mean nothing here. A failure is thrown.
    logLevel: "error",
    plugins: [provideDescriptions(), noteSources(digest)],
    resolve: { conditions: ["edge-idp-source", "module", "browser", "production"] },
    worker: { format: "es" },
    build: {
      write: false,
      target: "es2022",
      // The policy of the page allows no data: address, and each browser that it supports preloads modules.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      chunkSizeWarningLimit: 400,
      // The licences of the libraries ask for their texts beside the code.
      license: { fileName: "licences.md" },
    },
  });
  if (!("output" in result)) throw new Error("Vite returned no files.");
  return new Map(
    result.output.map((file) => [file.fileName, file.type === "chunk" ? file.code : file.source]),
  );
}

/**
 * Brings public/console up to date. It does nothing if no source has changed, and leaves a file that is already right
 * untouched, so that a service that serves the folder at the same time does not reload it.
 */
export async function writeConsole(): Promise<void> {
  const digest = digestSources();
  if (readIfPresent(join(target, "index.html"))?.includes(digest)) return;
  const files = await buildFiles(digest);
  mkdirSync(target, { recursive: true });
  for (const path of listFiles(target)) if (!files.has(path)) rmSync(join(target, path));
  for (const [path, content] of files) {
    const file = join(target, path);
    const bytes = Buffer.from(content);
    const present = readIfPresent(file);
    if (present !== undefined && Buffer.from(present).equals(bytes)) continue;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  }
}
