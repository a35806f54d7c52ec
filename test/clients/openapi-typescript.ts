import type { Client } from "./client.ts";

/** Types for openapi-fetch. The generator knows JSON Schema 2020-12, and so the document in version 3.1. */
export const openapiTypescript: Client = {
  name: "openapi-typescript",
  document: "openapi.json",
  folder: "typescript",
  tools: ["npm"],
  install: [["npm", "ci", "--no-audit", "--no-fund"]],
  generate: [["npx", "openapi-typescript", "openapi.json", "-o", "generated/api.d.ts"]],
  compile: [["npx", "tsc"]],
  run: [process.execPath, "journey.ts"],
};
