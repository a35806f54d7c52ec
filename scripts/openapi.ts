/**
 * Writes docs/openapi.json, the document the service answers at /openapi.json, so that a change of
 * the API shows in a review. `--check` only compares, and exits with 1 when the file is behind.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createDocumentRoutes } from "../src/api/docs.ts";
import { apiRoutes } from "../src/app.ts";
import { createOpenApiDocument } from "../src/http/openapi.ts";

const file = join(import.meta.dirname, "..", "docs", "openapi.json");
const document = createOpenApiDocument([...apiRoutes, ...createDocumentRoutes(apiRoutes)]);
const text = `${JSON.stringify(document, null, 2)}\n`;

if (process.argv.includes("--check")) {
  if (readFileSync(file, "utf8") !== text) {
    process.stderr.write("docs/openapi.json is behind the routes; run: npm run generate\n");
    process.exitCode = 1;
  }
} else {
  writeFileSync(file, text);
}
