/**
 * Writes docs/openapi.json, the document that the service serves at /openapi.json, so that a review shows each
 * change of the API. `--check` compares only, and exits with 1 if the file is out of date.
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
    process.stderr.write("docs/openapi.json is out of date; run: npm run generate\n");
    process.exitCode = 1;
  }
} else {
  writeFileSync(file, text);
}
