import type { Client } from "./client.ts";

/** A Python package on httpx and attrs. The generator supports both versions of the document; 3.1 is its newest. */
export const openapiPythonClient: Client = {
  name: "openapi-python-client",
  document: "openapi.json",
  folder: "python",
  tools: ["python3"],
  install: [
    ["python3", "-m", "venv", "venv"],
    ["venv/bin/pip", "install", "--quiet", "--require-hashes", "--requirement", "requirements.txt"],
  ],
  generate: [
    [
      ...(["venv/bin/openapi-python-client", "generate", "--fail-on-warning"] as const),
      ...["--path", "openapi.json", "--config", "config.yaml"],
      ...["--meta", "none", "--output-path", "generated"],
    ],
  ],
  compile: [["venv/bin/mypy", "journey.py"]],
  run: ["venv/bin/python", "journey.py"],
};
