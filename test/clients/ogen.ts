import type { Client } from "./client.ts";

/** Go without reflection. The generator reads bounds and null as version 3.0 writes them. */
export const ogen: Client = {
  name: "ogen",
  document: "openapi-3.0.json",
  folder: "go",
  tools: ["go"],
  install: [["go", "mod", "download"]],
  generate: [
    [
      ...(["go", "tool", "ogen", "-config", "ogen/ogen.yml", "-loglevel", "error"] as const),
      ...["-package", "api", "-target", "ogen/api", "-clean", "openapi.json"],
    ],
  ],
  compile: [
    ["go", "vet", "./ogen/..."],
    ["go", "build", "-o", "bin/ogen", "./ogen"],
  ],
  run: ["bin/ogen"],
};
