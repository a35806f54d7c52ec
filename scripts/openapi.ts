/**
 * Writes the documents that the service serves, docs/openapi.json and docs/openapi-3.0.json, so that a review
 * shows each change of the API. `--check` compares only, and exits with 1 if one is out of date.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createDocumentRoutes } from "../src/api/docs.ts";
import { apiRoutes } from "../src/app.ts";
import { createOpenApiDocument } from "../src/http/openapi.ts";
import { convertToOpenApi30 } from "../src/http/openapi-3.0.ts";

const document = createOpenApiDocument([...apiRoutes, ...createDocumentRoutes(apiRoutes)]);
const files = {
  "openapi.json": document,
  "openapi-3.0.json": convertToOpenApi30(document),
};

for (const [name, content] of Object.entries(files)) {
  const file = join(import.meta.dirname, "..", "docs", name);
  const text = `${JSON.stringify(content, null, 2)}\n`;
  if (!process.argv.includes("--check")) {
    writeFileSync(file, text);
  } else if (!existsSync(file) || readFileSync(file, "utf8") !== text) {
    process.stderr.write(`docs/${name} is out of date; run: npm run generate\n`);
    process.exitCode = 1;
  }
}
