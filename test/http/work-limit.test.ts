/** The bound on long computations that an isolate works on at once. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { WorkLimit } from "../../src/http/work-limit.ts";

afterEach(() => {
  vi.useRealTimers();
});

describe("The limit of work", () => {
  const create = () => new WorkLimit({ maxPerTenant: 1, maxInAll: 2, maxWorkMs: 1_000 });
  const refused = { code: "rate_limited", headers: { "Retry-After": "1" } };

  it("holds for a tenant and for the isolate, until work ends or fails", async () => {
    const limit = create();
    const [first, second] = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
    const running = [limit.run("one", () => first.promise), limit.run("two", () => second.promise)];
    await expect(limit.run("one", async () => "more")).rejects.toMatchObject(refused);
    await expect(limit.run("three", async () => "more")).rejects.toMatchObject(refused);
    first.resolve("done");
    expect(await running[0]).toBe("done");
    expect(await limit.run("three", async () => "more")).toBe("more");
    second.reject(new Error("failed"));
    await expect(running[1]).rejects.toThrow("failed");
    expect(await limit.run("two", async () => "more")).toBe("more");
  });

  it("does not count work for ever whose client has disconnected", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 1_000_000 });
    const limit = create();
    void limit.run("one", () => new Promise<never>(() => {}));
    vi.setSystemTime(1_000_999);
    await expect(limit.run("one", async () => "more")).rejects.toMatchObject(refused);
    vi.setSystemTime(1_001_000);
    expect(await limit.run("one", async () => "more")).toBe("more");
  });
});
