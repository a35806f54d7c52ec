/** The SDK in the runtime of the service. `npm run check:sdk` runs the built package, also in Node. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import document from "../../docs/openapi.json";
import * as sdk from "../../packages/sdk/src/index.ts";
import worker from "../../src/index.ts";
import { makeJourney } from "./journey/journey.ts";

const origin = "https://idp.test";

/** The operations of the OpenAPI document that a client calls, as `GET /v1/idp/user`. */
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods)
    .filter(([, { tags }]) => !tags.includes("Documentation"))
    .map(([method]) => `${method.toUpperCase()} ${path}`),
);

/** The operation of a request: of several that fit, such as `/v1/tokens/{id}`, the one with the most fixed parts. */
function operationOf(method: string, path: string): string | undefined {
  return operations
    .filter((operation) =>
      new RegExp(`^${operation.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(`${method} ${path}`),
    )
    .toSorted((one, other) => one.split("{").length - other.split("{").length)[0];
}

describe("the SDK", () => {
  it("makes the journey of the tutorial, and has a method for every operation", async () => {
    const called = new Set<string | undefined>();
    await makeJourney(sdk, {
      url: origin,
      operatorToken: env.OPERATOR_TOKEN,
      fetch: async (input, init) => {
        const request = new Request(input, init);
        called.add(operationOf(request.method, new URL(request.url).pathname));
        return await worker.fetch(request, env, createExecutionContext());
      },
    });
    expect([...called].toSorted()).toEqual(operations.toSorted());
  });

  it("knows the error codes of the document", () => {
    const codes = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).flatMap((operation) => operation["x-error-codes"] ?? []),
    );
    const known: readonly string[] = sdk.serviceErrorCodes;
    expect([...new Set(codes)].filter((code) => !known.includes(code))).toEqual([]);
  });
});
