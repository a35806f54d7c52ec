/** Reads the audit trails of a soak's tenants, from where the last reading ended. */
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { Failure } from "../../packages/cli/src/failure.ts";
import { Client } from "../support/client.ts";
import type { Ledger } from "./ledger.ts";
import type { SoakTenant } from "./tenant.ts";

/** Events arrive within seconds. After an outage, guards wait up to a minute before they try again. */
const maxWaitMs = 180_000;
const pollMs = 2_000;
/** A second copy of an event would arrive with the next delivery of its guard. */
const quietMs = 15_000;

const exportedEvent = z.object({
  leaf_index: z.int(),
  id: z.string(),
  action: z.string(),
  target: z.object({ type: z.string(), external_id: z.string().nullish() }),
  outcome: z.enum(["success", "failure", "refused"]),
  reason: z.string().nullable(),
  request_id: z.string(),
});

export class TrailReader {
  readonly #client: Client;
  readonly #file: string;
  readonly #ledger: Ledger;
  #lost: number;
  /** The leaf after the last one that was entered. */
  #next = 0;

  /** @param lost the number of events to skip, as if the service had lost them */
  constructor(client: Client, file: string, ledger: Ledger, lost: number) {
    this.#client = client;
    this.#file = file;
    this.#ledger = ledger;
    this.#lost = lost;
  }

  /** Enters the events that the trail has gained. @returns their number */
  async read(): Promise<number> {
    const { tree_size: size } = (await this.#client.checkpoint()).head;
    const first = this.#next;
    if (size === first) return 0;
    await this.#client.export(this.#file, size, first);
    const lines = createInterface({ input: createReadStream(this.#file) });
    for await (const line of lines) this.#enter(exportedEvent.parse(JSON.parse(line)));
    return this.#next - first;
  }

  #enter(event: z.output<typeof exportedEvent>): void {
    const { target, request_id, leaf_index, ...rest } = event;
    if (leaf_index !== this.#next) {
      throw new Failure(`The export has leaf ${leaf_index} where leaf ${this.#next} belongs.`);
    }
    this.#next += 1;
    // The others are about the tenant, its tokens, and requests that reached no identity.
    if (target.type !== "identity") return;
    if (this.#lost > 0) {
      this.#lost -= 1;
      return;
    }
    this.#ledger.enter({
      ...rest,
      requestId: request_id,
      externalId: target.external_id ?? "an erased user",
    });
  }
}

/** Enters all events, until none is missing, or for three minutes, and until no further one arrives. */
export async function readTrails(
  url: string,
  tenants: readonly SoakTenant[],
  folder: string,
  ledger: Ledger,
  lost: number,
): Promise<void> {
  const readers = tenants.map(({ token }, n) => {
    const file = join(folder, `trail-${n}.ndjson`);
    return new TrailReader(new Client(url, token), file, ledger, n === 0 ? lost : 0);
  });
  const startedAt = performance.now();
  for (let quietSince = startedAt; ; ) {
    let gained = 0;
    for (const reader of readers) gained += await reader.read();
    const now = performance.now();
    if (gained > 0) quietSince = now;
    const isDone = ledger.isComplete || now - startedAt > maxWaitMs;
    if (isDone && now - quietSince > quietMs) return;
    await sleep(pollMs);
  }
}
