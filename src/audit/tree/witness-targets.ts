/**
 * The witnesses besides KV: a bucket, and a webhook. Each gets the heads that KV has, independently of the other.
 * A head that one of them does not accept waits longer after each failure, and keeps no other head back.
 */
import { awaitStore } from "../../db/client.ts";
import { awaitWithin } from "../../deadline.ts";
import { causeOf, log } from "../../log.ts";
import { headNameOf } from "./witness-kv.ts";
import type { Forwarding, TargetName } from "./witness-store.ts";

const webhookTimeoutMs = 5_000;
const minuteMs = 60_000;
/** So that a refused head is still sent within the hour. */
const maxRetryMinutes = 32;
/** The job runs every minute, but not to the second. */
const slackMs = 15_000;
/** A run sends nothing later, so that a slow witness does not hold up the others. */
const maxRunMs = 25_000;
/** After so many heads in a row without an answer, a run sends no further ones to that witness. */
const maxUnanswered = 3;

interface SentHead {
  readonly tenantId: string;
  readonly size: number;
  readonly note: string;
}

/** The code of a refusal, or undefined if the head was accepted. @throws if there is no answer about this head */
type Send = (head: SentHead) => Promise<string | undefined>;

/** Answers that are about the witness, and not about the head. */
function isUnavailable(status: number): boolean {
  return status >= 500 || status === 408 || status === 429;
}

/** One of the witnesses, during one run. */
export class Target {
  readonly name: TargetName;
  readonly #send: Send;
  readonly #until = Date.now() + maxRunMs;
  #unanswered = 0;
  #refused = 0;

  constructor(name: TargetName, send: Send) {
    this.name = name;
    this.#send = send;
  }

  /**
   * Sends a head if it is due. Never throws.
   * @param now Unix ms
   * @returns what the witness has then
   */
  async forward(head: SentHead, known: Forwarding, now: number): Promise<Forwarding> {
    const isStopped = this.#unanswered >= maxUnanswered || Date.now() > this.#until;
    if (head.size <= known.size || known.retryAt > now || isStopped) return known;
    const fields = { tenant_id: head.tenantId, source: this.name };
    try {
      const code = await this.#send(head);
      this.#unanswered = 0;
      if (code === undefined) return { size: head.size, failures: 0, retryAt: 0 };
      this.#refused += 1;
      if (known.failures === 0) log("error", "audit_head_refused", { ...fields, code });
    } catch (error) {
      this.#unanswered += 1;
      log("error", "audit_witness_failed", { ...fields, cause: causeOf(error) });
    }
    const minutes = Math.min(2 ** known.failures, maxRetryMinutes);
    const retryAt = now + minutes * minuteMs - slackMs;
    return { size: known.size, failures: known.failures + 1, retryAt };
  }

  /** Reports the heads that were refused in this run, with their number. */
  report(): void {
    if (this.#refused === 0) return;
    log("error", "audit_heads_refused", { source: this.name, count: this.#refused });
  }
}

function createWebhook(address: string): Target {
  return new Target("webhook", async ({ note }) => {
    const headers = { "Content-Type": "text/plain; charset=utf-8" };
    // A redirect is a refusal: the platform can only follow one or return it.
    const request = { method: "POST", headers, body: note, redirect: "manual" } as const;
    const answer = await awaitWithin(webhookTimeoutMs, fetch(address, request));
    await answer.body?.cancel();
    if (isUnavailable(answer.status)) throw new Error("The witness is not available");
    return answer.ok ? undefined : String(answer.status);
  });
}

function createBucket(bucket: R2Bucket): Target {
  return new Target("bucket", async (head) => {
    await awaitStore(bucket.put(headNameOf(head), head.note));
    return undefined;
  });
}

/** Creates the configured targets for one run. */
export function createTargets({
  AUDIT_ARCHIVE: bucket,
  AUDIT_WITNESS_URL: address,
}: Env): Target[] {
  return [
    ...(bucket === undefined ? [] : [createBucket(bucket)]),
    ...(address === undefined ? [] : [createWebhook(address)]),
  ];
}
