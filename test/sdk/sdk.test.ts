/** The SDK in the runtime of the service. `npm run check:sdk` runs the built package, also in Node. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import document from "../../docs/openapi.json";
import * as verifier from "../../packages/sdk/src/audit/index.ts";
import { errorOfAnswer } from "../../packages/sdk/src/idp-error.ts";
import * as sdk from "../../packages/sdk/src/index.ts";
import { findRetryDelay } from "../../packages/sdk/src/retry.ts";
import * as tokens from "../../packages/sdk/src/tokens/index.ts";
import * as webhooks from "../../packages/sdk/src/webhooks/index.ts";
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
    await makeJourney(
      { ...sdk, ...verifier, ...tokens, ...webhooks },
      {
        url: origin,
        operatorToken: env.OPERATOR_TOKEN,
        fetch: async (input, init) => {
          const request = new Request(input, init);
          called.add(operationOf(request.method, new URL(request.url).pathname));
          return await worker.fetch(request, env, createExecutionContext());
        },
      },
    );
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

describe("The wait before a retry", () => {
  const retryAfter = (value: string) =>
    errorOfAnswer(new Response(null, { status: 429, headers: { "Retry-After": value } }), "");
  const unreachable = new sdk.IdpError({ code: "unreachable", message: "No answer arrived." });

  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  it("doubles from 200 ms to 5 s, and is a random part of that", () => {
    const retries = [0, 1, 2, 3, 4, 5, 60];
    vi.spyOn(Math, "random").mockReturnValue(1);
    const longest = retries.map((count) => findRetryDelay(unreachable, count));
    expect(longest).toEqual([200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    vi.spyOn(Math, "random").mockReturnValue(0);
    expect(retries.map((count) => findRetryDelay(unreachable, count))).toEqual(Array(7).fill(0));
  });

  it("is at least Retry-After, unless that is longer than 30 s", () => {
    vi.spyOn(Math, "random").mockReturnValue(0);
    expect(findRetryDelay(retryAfter("2"), 0)).toBe(2_000);
    expect(findRetryDelay(retryAfter("30"), 0)).toBe(30_000);
    expect(findRetryDelay(retryAfter("31"), 0)).toBeUndefined();
    vi.useFakeTimers({ now: Date.parse("2026-08-15T09:30:00Z"), toFake: ["Date"] });
    expect(findRetryDelay(retryAfter("Sat, 15 Aug 2026 09:30:05 GMT"), 0)).toBe(5_000);
    expect(findRetryDelay(retryAfter("soon"), 0)).toBe(0);
  });
});
