/** What is served beside the Worker: the pages at /docs and /console, and which requests look for a file. */
import { describe, expect, it } from "vitest";
import openApi from "../../docs/openapi.json";
import {
  createPageDocument,
  type OpenApiDocument,
} from "../../packages/reference/page-document.ts";
import headers from "../../public/_headers?raw";
import configuration from "../../wrangler.toml?raw";

interface Shown {
  readonly operationId: string;
  readonly parameters?: readonly object[];
  readonly "x-codeSamples"?: readonly object[];
}

/** The operations by method and path. */
function readOperations(document: OpenApiDocument): Map<string, Shown> {
  const entries = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, shown]): [string, Shown] => [`${method} ${path}`, shown]),
  );
  return new Map(entries);
}

/** The operations that serve the document itself. */
const documents = ["openApi", "openApi30"];

const samples = new Map(
  [...readOperations(openApi).values()]
    .filter(({ operationId }) => !documents.includes(operationId))
    .map(({ operationId }) => [operationId, `call("${operationId}");\n`]),
);

describe("The document of the page at /docs", () => {
  it("has a sample with the SDK for each operation but the documents themselves", () => {
    const shown = [...readOperations(createPageDocument(openApi, samples)).values()];
    const without = shown.filter((operation) => operation["x-codeSamples"] === undefined);
    expect(without.map(({ operationId }) => operationId)).toEqual(documents);
    expect(shown.find(({ operationId }) => operationId === "verifyOtp")).toMatchObject({
      "x-codeSamples": [{ label: "TypeScript SDK", source: 'call("verifyOtp");' }],
    });
  });

  it("is refused if an operation has no sample, or a sample no operation", () => {
    const less = new Map(samples);
    less.delete("verifyOtp");
    expect(() => createPageDocument(openApi, less)).toThrow("samples/verifyOtp.ts");
    const more = new Map(samples).set("verifyOpt", "");
    expect(() => createPageDocument(openApi, more)).toThrow("no operation for: verifyOpt");
  });

  it("sends the example of a required parameter only", () => {
    const operations = readOperations(createPageDocument(openApi, samples));
    expect(operations.get("post /v1/idp/user/otp")?.parameters).toMatchObject([
      { name: "externalUserId", example: "ORG_USR_9921_AFG" },
      { name: "qr", examples: { default: { value: "svg", "x-disabled": true } } },
      { name: "Idempotency-Key", examples: { default: { "x-disabled": true } } },
      { name: "Acting-For", examples: { default: { "x-disabled": true } } },
    ]);
  });
});

describe("A request", () => {
  it("to a path of the API reaches the Worker without a look for a file", () => {
    const [, list = ""] = /^run_worker_first = (\[.*\])$/m.exec(configuration) ?? [];
    const patterns: string[] = JSON.parse(list);
    const isFirst = (path: string) =>
      patterns.some((one) =>
        one.endsWith("*") ? path.startsWith(one.slice(0, -1)) : path === one,
      );
    expect(Object.keys(openApi.paths).filter((path) => !isFirst(path))).toEqual([]);
    expect(["/docs", "/docs/openapi.json", "/console"].filter(isFirst)).toEqual([]);
  });

  it.each([
    ["/docs*", { "style-src": "'self' 'unsafe-inline'", "img-src": "'self' data:" }],
    [
      "/console*",
      {
        "style-src": "'self'",
        "img-src": "'self'",
        "worker-src": "'self'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "edge-idp-console",
      },
    ],
  ])(
    "for %s gets a policy that allows no foreign host, no inline script and no frame",
    (path, own) => {
      const rules = headers.split("\n");
      const [, policy = ""] =
        rules[rules.indexOf(path) + 1]?.split("Content-Security-Policy: ") ?? [];
      const directives = new Map(
        policy.split("; ").map((one) => [one.split(" ")[0], one.split(" ").slice(1).join(" ")]),
      );
      expect(Object.fromEntries(directives)).toEqual({
        "default-src": "'none'",
        "script-src": "'self'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        ...own,
      });
    },
  );

  it("for any page gets the headers that forbid guessing and referrers", () => {
    expect(headers).toMatch(/^\/\*\n( {2}.*\n)* {2}X-Content-Type-Options: nosniff$/m);
    expect(headers).toMatch(/^\/\*\n( {2}.*\n)* {2}Referrer-Policy: no-referrer$/m);
  });
});
