/** The rule that `npm run check:imports` enforces. */
import { describe, expect, it } from "vitest";
import { findImports } from "../../scripts/support/imports.ts";
import {
  findCliProblems,
  findConsoleProblems,
  findLayerProblems,
  findSdkProblems,
} from "../../scripts/support/layers.ts";
import { shapeOf } from "../../scripts/support/shape.ts";

function importsOf(files: Readonly<Record<string, string>>) {
  return Object.entries(files).flatMap(([file, text]) => findImports(file, text));
}

describe("Imports between layers", () => {
  it("pass when they point downwards or stay within a folder", () => {
    const imports = importsOf({
      "api/users.ts": 'import { lookUp } from "../guard/client.ts";\nimport "./helper.ts";\n',
      "guard/client.ts": 'import {\n  newId,\n  parseId,\n} from "../crypto/id.ts";\n',
    });
    expect(imports).toHaveLength(3);
    expect(findLayerProblems(imports)).toEqual([]);
  });

  it.each([
    ["an import", 'import { app } from "../app.ts";'],
    ["a type import", 'import type { App } from "../app.ts";'],
    ["a re-export", 'export { app } from "../app.ts";'],
    ["a dynamic import", 'const app = await import("../app.ts");'],
    ["a type from an import expression", 'type App = import("../app.ts").App;'],
    ["an import over several lines", 'import {\n  type App,\n  app,\n} from "../app.ts";'],
  ])("refuse %s of a file above", (_title, text) => {
    expect(findLayerProblems(importsOf({ "guard/client.ts": text }))).toEqual([
      "guard/client.ts imports app.ts, which is above it",
    ]);
  });

  it("refuse a circle of type imports, and show it in the shape", () => {
    const imports = importsOf({
      "guard/client.ts": 'import type { Key } from "../crypto/key.ts";\n',
      "crypto/key.ts": 'import type { Guard } from "../guard/client.ts";\n',
    });
    expect(findLayerProblems(imports)).toEqual([
      "crypto/key.ts imports guard/client.ts, which is above it",
    ]);
    expect(shapeOf(imports)).toEqual({
      folders: 2,
      depth: 1,
      arrows: 2,
      circular: ["crypto -> guard", "guard -> crypto"],
    });
  });

  it("refuse another folder of the same layer", () => {
    const text = 'import { insert } from "../identity/store.ts";';
    expect(findLayerProblems(importsOf({ "idempotency/receipt.ts": text }))).toEqual([
      "idempotency/receipt.ts imports identity/store.ts, which is in another folder of its layer",
    ]);
  });

  it("refuse a folder without a layer, on either side", () => {
    const imports = importsOf({
      "newcomer/a.ts": 'import { newId } from "../crypto/id.ts";',
      "api/users.ts": 'import { b } from "../newcomer/b.ts";',
    });
    expect(findLayerProblems(imports)).toEqual([
      "newcomer/a.ts: its folder is in no layer",
      "newcomer/b.ts: its folder is in no layer",
    ]);
  });

  it("ignore packages and files outside the tree", () => {
    const text = 'import { z } from "zod";\nimport manifest from "../../package.json";\n';
    expect(importsOf({ "api/users.ts": text })).toEqual([]);
  });
});

describe("Imports of the SDK", () => {
  const verifier = "packages/sdk/src/audit/export.ts";

  it("pass within the SDK, and from the verifier to the format of the log", () => {
    const text = 'import "../types.ts";\nimport "../../../../src/audit/tree/merkle.ts";\n';
    const imports = importsOf({ [verifier]: text });
    expect(imports).toHaveLength(2);
    expect(findSdkProblems(imports)).toEqual([]);
  });

  it.each([
    [verifier, "../../../../src/audit/event.ts", "src/audit/event.ts"],
    [verifier, "../../../../scripts/support/failure.ts", "scripts/support/failure.ts"],
    ["packages/sdk/src/send.ts", "../../../src/audit/leaf.ts", "src/audit/leaf.ts"],
  ])("refuse in %s an import of %s", (file, specifier, path) => {
    expect(
      findSdkProblems(importsOf({ [file]: `import type { A } from "${specifier}";` })),
    ).toEqual([`${file} imports ${path}, which is not part of the SDK`]);
  });
});

describe("Imports of the console", () => {
  it("pass within the console", () => {
    const imports = importsOf({ "console/src/app.tsx": 'import "./session/session.ts";' });
    expect(imports).toHaveLength(1);
    expect(findConsoleProblems(imports)).toEqual([]);
  });

  it("are refused from the service, and from the sources of the SDK", () => {
    const text = 'import "../../src/errors.ts";\nimport "../../packages/sdk/src/index.ts";\n';
    expect(findConsoleProblems(importsOf({ "console/src/app.tsx": text }))).toEqual([
      "console/src/app.tsx imports src/errors.ts, which is not part of the console",
      "console/src/app.tsx imports packages/sdk/src/index.ts, which is not part of the console",
    ]);
  });
});

describe("Imports of the command", () => {
  it("may be of the command and of the service, and of nothing else in the repository", () => {
    const imports = importsOf({
      "packages/cli/src/program.ts":
        'import { Failure } from "./failure.ts";\nimport { idPattern } from "../../../src/crypto/id-time.ts";\nimport { dev } from "../../../scripts/dev.ts";\n',
    });
    expect(findCliProblems(imports)).toEqual([
      "packages/cli/src/program.ts imports scripts/dev.ts, which is part of neither the command nor the service",
    ]);
  });
});
