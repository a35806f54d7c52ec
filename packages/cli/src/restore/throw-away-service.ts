/** A local service on a restored copy of the databases, which is deleted afterwards. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import type { BackedUpDatabase } from "../backup/manifest.ts";
import { runWrangler } from "../backup/wrangler.ts";
import { exitCodes, Failure } from "../failure.ts";
import { findFreePort } from "../local/port.ts";
import { waitUntilReady } from "../local/wait-until-ready.ts";
import { type Running, startWorkerProcess } from "../local/wrangler-process.ts";

const answers = z.array(z.object({ results: z.array(z.record(z.string(), z.unknown())) }));

/**
 * The copy must not send to the receivers of tenants, who would take the events for new ones. And no local runtime has
 * jurisdictions; the copy has no Durable Objects that could be in one.
 */
const isolate = [
  "UPDATE destinations SET status = 'disabled'",
  "UPDATE tenants SET destinations = '[]', jurisdiction = NULL",
].join("; ");
const endSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Ends this command, and with it the processes that it has started. */
function exit(): void {
  process.exit(exitCodes.failed);
}

export class ThrowAwayService {
  readonly #project: string;
  readonly #state = mkdtempSync(join(tmpdir(), "edge-idp-drill-"));
  #process: Running | undefined;

  /** @param project the clone whose code runs */
  constructor(project: string) {
    this.#project = project;
    // An interrupted drill leaves no copy of the data behind either.
    process.once("exit", this.#remove);
    for (const signal of endSignals) process.once(signal, exit);
  }

  async load({ binding }: BackedUpDatabase, file: string): Promise<void> {
    await this.#execute(binding, ["--file", file], `load ${file}`);
  }

  /** The rows of each table, as this copy has them. */
  async countRows({ binding, rows }: BackedUpDatabase): Promise<Record<string, number>> {
    const counts = Object.keys(rows).map(
      (table) => `(SELECT count(*) FROM "${table}") AS "${table}"`,
    );
    const text = await this.#query(binding, `SELECT ${counts.join(", ")}`);
    return z.record(z.string(), z.number()).parse(text[0] ?? {});
  }

  /** Applies migrations that are newer than the backup, and has the copy send nothing. */
  async prepare({ binding }: BackedUpDatabase): Promise<void> {
    const args = ["d1", "migrations", "apply", binding, "--local", "--persist-to", this.#state];
    await runWrangler(this.#project, args, `apply the migrations to ${binding}`);
    await this.#execute(binding, ["--command", isolate], "disable the destinations of the copy");
  }

  /** Starts the service with these secrets. @returns its address @throws Failure if it does not become ready */
  async start(secretsFile: string): Promise<string> {
    const port = await findFreePort();
    const args = [
      ...["--ip", "127.0.0.1", "--port", String(port)],
      ...["--persist-to", this.#state, "--secrets-file", secretsFile],
    ];
    const url = `http://127.0.0.1:${port}`;
    this.#process = startWorkerProcess(this.#project, args, { storesTraces: false });
    const { ended, heldOutput } = this.#process;
    const starting = new AbortController();
    const died = ended.then(() => {
      throw new Failure(`${heldOutput()}\nThe restored service stopped.`);
    });
    try {
      await Promise.race([waitUntilReady(url, starting.signal), died]);
    } catch (error) {
      throw error instanceof Failure
        ? new Failure(`${error.message}\n${this.#listProblems()}`)
        : error;
    } finally {
      starting.abort();
      died.catch(() => {});
    }
    return url;
  }

  /** Ends the service and deletes the copy. */
  async close(): Promise<void> {
    await this.#process?.stop();
    this.#remove();
    process.off("exit", this.#remove);
    for (const signal of endSignals) process.off(signal, exit);
  }

  readonly #remove = () => {
    rmSync(this.#state, { recursive: true, force: true, maxRetries: 5 });
  };

  /** What the service has logged as an error: it names the secret or the version that is wrong. */
  #listProblems(): string {
    const lines = (this.#process?.heldOutput() ?? "").split("\n");
    return [...new Set(lines.filter((line) => line.includes('"level":"error"')))]
      .slice(0, 5)
      .join("\n");
  }

  async #query(binding: string, sql: string): Promise<readonly Record<string, unknown>[]> {
    const text = await this.#execute(binding, ["--json", "--command", sql], "read the copy");
    return answers.parse(JSON.parse(text))[0]?.results ?? [];
  }

  async #execute(binding: string, args: readonly string[], purpose: string): Promise<string> {
    const local = ["d1", "execute", binding, "--local", "--persist-to", this.#state, "--yes"];
    return await runWrangler(this.#project, [...local, ...args], purpose);
  }
}
