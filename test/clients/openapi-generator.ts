import type { Client } from "./client.ts";

const maven = ["mvn", "--batch-mode", "--quiet", "-Dstyle.color=never"] as const;

/** Java on OkHttp and Gson, the generator's default. Its support of version 3.1 is a beta. */
export const openapiGenerator: Client = {
  name: "openapi-generator (Java)",
  document: "openapi-3.0.json",
  folder: "java",
  tools: ["java", "mvn"],
  // Maven installs what it needs when it needs it.
  install: [],
  generate: [[...maven, "generate-sources"]],
  compile: [[...maven, "compile"]],
  run: [...maven, "exec:exec"],
};
