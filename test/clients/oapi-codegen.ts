import type { Client } from "./client.ts";

/** Go on net/http. The generator's parser was made for version 3.0; its support of 3.1 is incomplete. */
export const oapiCodegen: Client = {
  name: "oapi-codegen",
  document: "openapi-3.0.json",
  folder: "go",
  tools: ["go"],
  install: [["go", "mod", "download"]],
  generate: [
    ["mkdir", "-p", "oapicodegen/api"],
    [
      ...(["go", "tool", "oapi-codegen", "-generate", "types,client", "-package", "api"] as const),
      ...["-o", "oapicodegen/api/api.gen.go", "openapi.json"],
    ],
  ],
  compile: [
    ["go", "vet", "./oapicodegen/..."],
    ["go", "build", "-o", "bin/oapicodegen", "./oapicodegen"],
  ],
  run: ["bin/oapicodegen"],
};
