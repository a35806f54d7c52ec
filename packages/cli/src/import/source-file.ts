/** Reads an export from the disk: its text, its digest, and how far it was read. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { Failure } from "../failure.ts";
import type { Chunks } from "./entry.ts";

function explain(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export class SourceFile {
  readonly path: string;
  readonly #hash = createHash("sha256");

  constructor(path: string) {
    this.path = path;
  }

  /** SHA-256 of what was read, in hex. Once, after the last chunk. */
  takeDigest(): string {
    return this.#hash.digest("hex");
  }

  /** @throws Failure if the file cannot be read, or is not UTF-8 */
  async *read(): Chunks & AsyncGenerator<string> {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
    const decode = (bytes?: Uint8Array) => {
      try {
        return decoder.decode(bytes, { stream: bytes !== undefined });
      } catch {
        throw new Failure(`${this.path} is not a text in UTF-8; save or export it as UTF-8.`);
      }
    };
    try {
      const stream: AsyncIterable<Buffer> = createReadStream(this.path);
      for await (const bytes of stream) {
        this.#hash.update(bytes);
        yield decode(bytes);
      }
    } catch (error) {
      if (error instanceof Failure) throw error;
      throw new Failure(`${this.path}: ${explain(error)}`);
    }
    yield decode();
  }
}
