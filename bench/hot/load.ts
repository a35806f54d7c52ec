/**
 * The load process sends the requests, so that sending does not use the server's processor time. It reads that
 * time right before the first request and right after the last answer.
 */
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { hasLostThread, readCpu } from "./cpu.ts";
import type { Burst, Outcome, Received, Reply, Shot } from "./protocol.ts";

/** A process that uses less processor time than this is idle. */
const maxRestingNs = 500_000;
const sampleMs = 50;
const maxRestWaitMs = 60_000;
const maxSockets = 64;

function send(origin: string, shot: Shot, agent: Agent): Promise<Received> {
  return new Promise((resolve, reject) => {
    const { method, path, body, status } = shot;
    const headers =
      body === undefined
        ? shot.headers
        : { ...shot.headers, "Content-Length": String(Buffer.byteLength(body)) };
    const sent = request(`${origin}${path}`, { method, headers, agent }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.once("error", reject);
      answer.once("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        if (answer.statusCode !== status) {
          reject(new Error(`${method} ${path} answered ${answer.statusCode}: ${text} to ${body}`));
          return;
        }
        const cookies = answer.headers["set-cookie"] ?? [];
        const cookie = cookies.map((one) => one.split(";")[0] ?? "").join("; ");
        resolve({ body: text, cookie });
      });
    });
    sent.once("error", ({ message }) => {
      // The server may close a connection after an answer. A request that it did not take is sent again.
      if (sent.reusedSocket) resolve(send(origin, shot, agent));
      else reject(new Error(`${method} ${origin}${path} had no answer: ${message}`));
    });
    sent.end(body);
  });
}

async function sendAll(
  origin: string,
  shots: readonly Shot[],
  concurrency: number,
  agent: Agent,
): Promise<Received[]> {
  const answers: Received[] = [];
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < shots.length; index = next++) {
      const shot = shots[index];
      if (shot !== undefined) answers[index] = await send(origin, shot, agent);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  return answers;
}

/** Waits until the process was idle for `restMs`. @throws Error after a minute */
async function waitUntilIdle(pid: number, restMs: number): Promise<void> {
  const samples: number[] = [];
  const needed = Math.ceil(restMs / sampleMs) + 1;
  for (let waited = 0; waited < maxRestWaitMs; waited += sampleMs) {
    samples.push(readCpu(pid).ns);
    const [first] = samples.slice(-needed);
    const last = samples.at(-1);
    if (samples.length >= needed && first !== undefined && last !== undefined) {
      if (last - first < maxRestingNs) return;
    }
    await sleep(sampleMs);
  }
  throw new Error(`Process ${pid} does not become idle`);
}

async function runBurst(burst: Burst): Promise<Outcome> {
  const { origin, pid, warmUp, shots, concurrency } = burst;
  // Each burst has connections of its own: the server may just be closing one that was idle since the last burst.
  const agent = new Agent({ keepAlive: true, maxSockets });
  try {
    await sendAll(origin, warmUp, concurrency, agent);
    const before = readCpu(pid);
    const startedAt = performance.now();
    const answers = await sendAll(origin, shots, concurrency, agent);
    const wallMs = performance.now() - startedAt;
    const after = readCpu(pid);
    if (burst.restMs > 0) await waitUntilIdle(pid, burst.restMs);
    const rested = readCpu(pid);
    return {
      wallMs,
      requestNs: after.ns - before.ns,
      restNs: rested.ns - before.ns,
      lostThread: hasLostThread(before, rested),
      answers: burst.collect ? answers : [],
    };
  } finally {
    agent.destroy();
  }
}

async function replyTo(burst: Burst): Promise<Reply> {
  try {
    return { ok: true, outcome: await runBurst(burst) };
  } catch (error) {
    return { ok: false, error: error instanceof Error ? (error.stack ?? error.message) : "?" };
  }
}

function isBurst(value: unknown): value is Burst {
  return typeof value === "object" && value !== null && "shots" in value;
}

process.on("message", (message) => {
  if (isBurst(message)) replyTo(message).then((reply) => process.send?.(reply));
});
process.once("disconnect", () => process.exit());
