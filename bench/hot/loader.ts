/** Starts the load process and sends it bursts. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Burst, Outcome, Reply } from "./protocol.ts";

function isReply(value: unknown): value is Reply {
  return typeof value === "object" && value !== null && "ok" in value;
}

export class Loader {
  readonly #child: ChildProcess = fork(join(import.meta.dirname, "load.ts"));

  /** @throws Error if a status differs from the expected one, or the process does not become idle */
  async run(burst: Burst): Promise<Outcome> {
    this.#child.send(burst);
    const [reply] = await once(this.#child, "message");
    if (!isReply(reply)) throw new Error("The load process sent an unknown message");
    if (reply.ok) return reply.outcome;
    throw new Error(reply.error);
  }

  close(): void {
    this.#child.disconnect();
  }
}
