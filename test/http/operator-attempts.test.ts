/** Wrong operator tokens: a limit for each address, and few lines in the log. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import worker from "../../src/index.ts";

/** Far from other tests of this Worker, which also send wrong operator tokens. */
let now = Date.UTC(2040, 0, 1);
let nextAddress = 0;
const lines: string[] = [];

beforeEach(() => {
  lines.length = 0;
  now += 3_600_000;
  vi.useFakeTimers({ toFake: ["Date"], now });
  vi.spyOn(console, "error").mockImplementation((line) => void lines.push(String(line)));
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function newAddress(): string {
  nextAddress += 1;
  return `198.51.${nextAddress >> 8}.${nextAddress & 255}`;
}

function advance(ms: number): void {
  now += ms;
  vi.setSystemTime(now);
}

async function listKeys(token: string, address?: string): Promise<Response> {
  const headers = new Headers({ Authorization: `Bearer ${token}` });
  if (address !== undefined) headers.set("CF-Connecting-IP", address);
  const request = new Request("https://idp.test/v1/keys", { headers });
  return await worker.fetch(request, env, createExecutionContext());
}

const wrong = "x".repeat(40);

async function guess(count: number, address?: string): Promise<number[]> {
  const statuses: number[] = [];
  for (let n = 0; n < count; n += 1) statuses.push((await listKeys(wrong, address)).status);
  return statuses;
}

function readLines(): unknown[] {
  return lines
    .map((line): { event?: unknown } => JSON.parse(line))
    .filter(({ event }) => event === "operator_token_refused");
}

it("An address with ten wrong operator tokens is refused for the rest of the minute, also with the right one", async () => {
  const address = newAddress();
  expect(new Set(await guess(10, address))).toEqual(new Set([401]));
  advance(20_000);
  const refused = await listKeys(wrong, address);
  expect([refused.status, refused.headers.get("Retry-After")]).toEqual([429, "40"]);
  expect(await refused.json()).toMatchObject({ code: "rate_limited" });
  expect((await listKeys(env.OPERATOR_TOKEN, address)).status).toBe(429);
  expect((await listKeys(env.OPERATOR_TOKEN, newAddress())).status).toBe(200);
  expect((await listKeys(env.OPERATOR_TOKEN)).status).toBe(200);
  advance(40_000);
  expect((await listKeys(env.OPERATOR_TOKEN, address)).status).toBe(200);
  expect(await guess(10, address)).not.toContain(429);
});

it("All addresses of one IPv6 /64 count as one, and a text that is no address counts for none", async () => {
  for (let n = 0; n < 10; n += 1) await guess(1, `2001:db8:0:${nextAddress}::${n}`);
  expect(await guess(1, `2001:db8:0:${nextAddress}:ffff::1`)).toEqual([429]);
  expect(await guess(1, `2001:db8:1:${nextAddress}::1`)).toEqual([401]);
  expect(await guess(12, "not an address")).not.toContain(429);
});

it("Above 1,000 wrong tokens a minute every further one is a 429, and the right one is accepted from every address", async () => {
  const statuses: number[] = [];
  for (let n = 0; n < 101; n += 1) statuses.push(...(await guess(10, newAddress())));
  expect(statuses.filter((status) => status === 401)).toHaveLength(1_000);
  expect(statuses.slice(-10)).toEqual(Array.from({ length: 10 }, () => 429));
  for (const address of [undefined, newAddress()]) {
    expect((await listKeys(env.OPERATOR_TOKEN, address)).status).toBe(200);
  }
  advance(60_000);
  expect(await guess(1, newAddress())).toEqual([401]);
});

it("The log has at most one line a minute, with the number of attempts and some of the addresses", async () => {
  const wait = scheduler.wait.bind(scheduler);
  let isHeld = false;
  vi.spyOn(scheduler, "wait").mockImplementation(async () => {
    while (isHeld) await wait(5);
  });
  // What earlier tests have left is in a line of its own.
  await guess(1);
  await vi.waitFor(() => expect(readLines()).toHaveLength(1));
  lines.length = 0;
  advance(3_600_000);
  isHeld = true;
  const first = newAddress();
  await guess(12, first);
  for (let n = 0; n < 30; n += 1) await guess(1, newAddress());
  expect(readLines()).toEqual([]);
  isHeld = false;
  await vi.waitFor(() => expect(readLines()).toHaveLength(1));
  const [line] = readLines();
  expect(line).toEqual({
    level: "error",
    event: "operator_token_refused",
    count: 42,
    addresses: expect.arrayContaining([first]),
  });
  expect(Object(line).addresses).toHaveLength(20);
  // The next line comes a minute after the first one, which was due 20 s after the first attempt.
  advance(54_999);
  await guess(1, "not an address");
  advance(1);
  await guess(1);
  await vi.waitFor(() => expect(readLines()).toHaveLength(2));
  expect(readLines()[1]).toMatchObject({ count: 2, addresses: ["unknown"] });
});
