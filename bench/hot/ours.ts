/** A server process of the service. */
import { join } from "node:path";
import { unstable_readConfig } from "wrangler";
import { z } from "zod";
import { databasesOf, type Service } from "../support/service.ts";
import type { Loader } from "./loader.ts";
import { countRows } from "./mass.ts";
import type { Shot } from "./protocol.ts";
import { alarmRestMs, type Subject } from "./subject.ts";

/** Concurrent requests during preparation. */
const lanes = 8;
/** https://developers.cloudflare.com/queues/configuration/configure-queues/ */
const defaultBatchSeconds = 5;
const configPath = join(import.meta.dirname, "..", "..", "wrangler.toml");

const config = z.object({
  queues: z
    .object({
      consumers: z
        .array(z.object({ max_batch_timeout: z.number().default(defaultBatchSeconds) }))
        .default([]),
    })
    .optional(),
});

/** Reads how long a queue may collect a batch, in ms. */
function readMaxBatchMs(): number {
  const { queues } = config.parse(unstable_readConfig({ config: configPath }));
  const waits = queues?.consumers.map((consumer) => consumer.max_batch_timeout) ?? [];
  return Math.max(0, ...waits) * 1000;
}

export class Ours implements Subject {
  readonly name: string;
  readonly origin: string;
  readonly pid: number;
  readonly restMs = alarmRestMs + readMaxBatchMs();
  readonly service: Service;
  readonly close: () => Promise<void>;
  readonly #loader: Loader;

  constructor(name: string, service: Service, loader: Loader) {
    if (service.pid === undefined) throw new Error("The process of the service is unknown");
    this.name = name;
    this.origin = service.url;
    this.pid = service.pid;
    this.service = service;
    this.close = () => service.close();
    this.#loader = loader;
  }

  /** Sends requests without measuring. @returns the bodies of the answers */
  async send(shots: readonly Shot[]): Promise<readonly string[]> {
    const { origin, pid } = this;
    const { answers } = await this.#loader.run({
      origin,
      pid,
      shots,
      warmUp: [],
      concurrency: lanes,
      restMs: 0,
      collect: true,
    });
    return answers.map(({ body }) => body);
  }

  /** Counts the audit events of these tenants over all databases. */
  async countEvents(tenantIds: readonly string[]): Promise<number> {
    let events = 0;
    for (const db of databasesOf(this.service.env)) {
      for (const id of tenantIds) events += await countRows(db, "audit_events", id);
    }
    return events;
  }
}
