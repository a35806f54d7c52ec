/** A client of the audit API. Any answer but the expected one ends the bench. */
import {
  closeSync,
  createWriteStream,
  openSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { pipeline } from "node:stream/promises";
import { z } from "zod";

const checkpoint = z.object({ tree_size: z.int(), root_hash: z.string() });
export type Checkpoint = z.infer<typeof checkpoint>;

const checkpointAnswer = z.object({ checkpoint });
const pageAnswer = z.object({
  events: z.array(z.object({ id: z.string(), personal: z.unknown() })),
  has_more: z.boolean(),
});
const inclusionAnswer = z.object({
  proof: z.object({
    leaf_index: z.int(),
    leaf_hash: z.string(),
    tree_size: z.int(),
    hashes: z.array(z.string()),
  }),
  checkpoint,
});
export type InclusionAnswer = z.infer<typeof inclusionAnswer>;

const consistencyAnswer = z.object({ proof: z.object({ hashes: z.array(z.string()) }) });
const lastLine = z.object({ leaf_index: z.int() });

/** Longer than any two lines of an export. */
const tailBytes = 65_536;

export class Client {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  async get(path: string): Promise<Response> {
    const headers = { Authorization: `Bearer ${this.#token}` };
    const send = () => fetch(`${this.#url}${path}`, { headers });
    // workerd may close a connection while a request reuses it.
    const answer = await send().catch(send);
    if (answer.ok) return answer;
    throw new Error(`GET ${path} answered ${answer.status}: ${await answer.text()}`);
  }

  /** The head, and the text of the answer. */
  async checkpoint(): Promise<{ readonly head: Checkpoint; readonly text: string }> {
    const text = await (await this.get("/v1/audit/checkpoint")).text();
    return { head: checkpointAnswer.parse(JSON.parse(text)).checkpoint, text };
  }

  /** The number of events on the page. */
  async list(query: string): Promise<number> {
    const answer = await this.get(`/v1/audit/events?${query}`);
    return pageAnswer.parse(await answer.json()).events.length;
  }

  async proveInclusion(eventId: string): Promise<InclusionAnswer> {
    const answer = await this.get(`/v1/audit/events/${eventId}/proof`);
    return inclusionAnswer.parse(await answer.json());
  }

  async proveConsistency(from: number, to: number): Promise<readonly string[]> {
    const answer = await this.get(`/v1/audit/consistency?from=${from}&to=${to}`);
    return consistencyAnswer.parse(await answer.json()).proof.hashes;
  }

  /** Writes the export of the trail to a file, in as many requests as needed. @param first the first leaf */
  async export(file: string, below: number, first = 0): Promise<{ readonly requests: number }> {
    let requests = 0;
    writeFileSync(file, "");
    for (let from = first; from < below; requests += 1) {
      const { body } = await this.get(`/v1/audit/export?from=${from}`);
      if (body === null) throw new Error("The export has no body");
      // An answer that breaks off is continued like one that ends early.
      await pipeline(body, createWriteStream(file, { flags: "a" })).catch(() => {});
      const next = readNextLeaf(file);
      if (next <= from) throw new Error("The export does not go on");
      from = next;
    }
    return { requests };
  }
}

/** Deletes a last line that is cut off, or is no event. @returns the leaf after the last line; 0 without a line */
function readNextLeaf(file: string): number {
  const { size } = statSync(file);
  const length = Math.min(size, tailBytes);
  const tail = Buffer.alloc(length);
  const opened = openSync(file, "r");
  readSync(opened, tail, 0, length, size - length);
  closeSync(opened);
  const end = tail.lastIndexOf("\n") + 1;
  const lines = tail.subarray(0, end).toString("utf8").trimEnd().split("\n");
  const isEvent = (line = "") => line !== "" && lastLine.safeParse(JSON.parse(line)).success;
  const cut = isEvent(lines.at(-1)) ? "" : `${lines.pop() ?? ""}\n`;
  truncateSync(file, Math.max(0, size - length + end - Buffer.byteLength(cut)));
  const line = lines.at(-1);
  return line === undefined ? 0 : lastLine.parse(JSON.parse(line)).leaf_index + 1;
}
