/** Waits until the deployed service is ready, and checks its version. */
import { setTimeout as wait } from "node:timers/promises";
import { z } from "zod";
import { findTimeLimits } from "./time-limits.ts";

const pauseMs = 1_000;
const requestTimeoutMs = Math.min(10_000, findTimeLimits().requestMs);
/** While a deployment spreads, some requests still reach the version before it. */
const answersInSequence = 3;

const readySchema = z.object({ status: z.literal("ready") });
const problemSchema = z.object({ error: z.string() });
const documentSchema = z.object({ info: z.object({ version: z.string() }) });

async function fetchJson(url: string): Promise<unknown> {
  const response = await fetch(url, { signal: AbortSignal.timeout(requestTimeoutMs) });
  return await response.json();
}

/** Undefined if the service is ready; otherwise one sentence. */
export async function findReadinessProblem(url: string): Promise<string | undefined> {
  try {
    const answer = await fetchJson(`${url}/readyz`);
    if (readySchema.safeParse(answer).success) return undefined;
    return problemSchema.safeParse(answer).data?.error ?? "/readyz answers something unknown.";
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return `${url} does not answer: ${cause instanceof Error ? cause.message : cause}.`;
  }
}

async function findVersionProblem(url: string, version: string): Promise<string | undefined> {
  try {
    const { info } = documentSchema.parse(await fetchJson(`${url}/openapi.json`));
    return info.version === version
      ? undefined
      : `The service still answers as version ${info.version}, not ${version}.`;
  } catch {
    return `${url}/openapi.json does not answer.`;
  }
}

/** Whether the service is ready now. One answer can be lost on the way, so it asks again. */
export async function isReady(url: string): Promise<boolean> {
  for (let tries = 1; (await findReadinessProblem(url)) !== undefined; tries += 1) {
    if (tries === answersInSequence) return false;
    await wait(pauseMs);
  }
  return true;
}

/**
 * Waits until the service has been ready several times in sequence, as the wanted version.
 * @returns undefined if it is ready; otherwise what was wrong last
 */
export async function waitUntilReady(
  url: string,
  version: string,
  limitSeconds: number,
): Promise<string | undefined> {
  const end = Date.now() + limitSeconds * 1_000;
  let ready = 0;
  for (;;) {
    const problem = (await findReadinessProblem(url)) ?? (await findVersionProblem(url, version));
    ready = problem === undefined ? ready + 1 : 0;
    if (ready === answersInSequence) return undefined;
    if (problem !== undefined && Date.now() > end) return problem;
    await wait(pauseMs);
  }
}
