/**
 * Reads and writes KV for the import, local or remote.
 *
 * Remote KV uses the wrangler command. Local KV uses wrangler's programmatic interface, because
 * `wrangler kv bulk put --local` (4.124) decodes base64 values as text and so destroys every byte above 0x7f.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { DataStore, KeyValue } from "../../../../../src/sentinel/feeds/data-set.ts";
import { dataStoreOf } from "../../../../../src/sentinel/feeds/kv-store.ts";
import { Failure } from "../../failure.ts";
import { requireProjectFolder } from "../../project.ts";

/** The configuration of the project, which names the namespace. @throws Failure outside a clone */
function findWranglerConfig(): string {
  return join(requireProjectFolder(), "wrangler.toml");
}

export interface ImportStore extends DataStore {
  close(): Promise<void>;
}

export interface LocalStore extends ImportStore {
  /** The binding as a Worker has it. */
  readonly namespace: KVNamespace;
}

const keyListSchema = z.array(z.object({ name: z.string() }));

const bindingName = "IP_REPUTATION";
/** Concurrent writes to local KV; more are not faster. */
const localKeysAtOnce = 32;
/** One bulk request takes 10,000 keys and 100 MB; this leaves a margin for the latter. */
const bulkMaxKeys = 10_000;
const bulkMaxCharacters = 90_000_000;
const commandOutputMaxBytes = 256 * 1024 * 1024;

/** Opens the KV namespace of `wrangler dev`. @param persistTo as wrangler's option of that name */
export async function openLocalStore(persistTo: string | undefined): Promise<LocalStore> {
  const wranglerConfig = findWranglerConfig();
  // It takes a second to load, which no other command should wait for.
  const { getPlatformProxy, unstable_readConfig } = await import("wrangler");
  const folder = mkdtempSync(join(tmpdir(), "sentinel-import-"));
  const state = join(persistTo ?? join(dirname(wranglerConfig), ".wrangler", "state"), "v3");
  const configPath = join(folder, "wrangler.json");
  // A configuration with only the namespace needs no Durable Objects and no secrets.
  const namespace = unstable_readConfig({ config: wranglerConfig }).kv_namespaces.find(
    (candidate: { binding: string; id?: string }) => candidate.binding === bindingName,
  );
  const id = namespace?.id === undefined ? {} : { id: namespace.id };
  const kvNamespaces = [{ binding: bindingName, ...id }];
  const config = { name: "sentinel-import", compatibility_date: "2026-08-15" };
  writeFileSync(configPath, JSON.stringify({ ...config, kv_namespaces: kvNamespaces }));
  const proxy = await getPlatformProxy<{ [bindingName]: KVNamespace }>({
    configPath,
    persist: { path: state },
    envFiles: [],
    remoteBindings: false,
  });
  const kv = proxy.env[bindingName];

  return {
    ...dataStoreOf(kv, localKeysAtOnce),
    namespace: kv,
    async close() {
      await proxy.dispose();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Opens the KV namespace of the account. Wrangler must be logged in or have CLOUDFLARE_API_TOKEN. */
export async function openRemoteStore(namespaceId: string | undefined): Promise<ImportStore> {
  const wranglerConfig = findWranglerConfig();
  const folder = mkdtempSync(join(tmpdir(), "sentinel-import-"));
  const file = join(folder, "bulk.json");
  const where =
    namespaceId === undefined ? ["--binding", bindingName] : ["--namespace-id", namespaceId];

  function wrangler(...command: string[]): Buffer {
    const entry = fileURLToPath(import.meta.resolve("wrangler"));
    const wranglerPath = join(dirname(entry), "..", "bin", "wrangler.js");
    const result = spawnSync(
      process.execPath,
      [wranglerPath, "kv", ...command, ...where, "--remote", "--config", wranglerConfig],
      {
        env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
        maxBuffer: commandOutputMaxBytes,
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    if (result.status === 0) return result.stdout;
    const printed = [result.stdout, result.stderr].map((output) => output?.toString("utf8") ?? "");
    const output = [...printed, result.error?.message ?? ""].join("");
    throw new Failure(`wrangler kv ${command.slice(0, 2).join(" ")} failed:\n${output.trim()}`);
  }

  function list(prefix: string): Set<string> {
    const output = wrangler("key", "list", "--prefix", prefix).toString("utf8");
    return new Set(keyListSchema.parse(JSON.parse(output)).map(({ name }) => name));
  }

  return {
    async list(prefix) {
      return list(prefix);
    },
    async read(key) {
      // Wrangler reports a missing key like any other failure.
      return list(key).has(key) ? wrangler("key", "get", key) : undefined;
    },
    async write(values, onProgress) {
      let done = 0;
      for (const batch of bulkBatches(values)) {
        writeFileSync(file, JSON.stringify(batch));
        wrangler("bulk", "put", file);
        done += batch.length;
        onProgress(done);
      }
    },
    async remove(keys) {
      for (let from = 0; from < keys.length; from += bulkMaxKeys) {
        writeFileSync(file, JSON.stringify(keys.slice(from, from + bulkMaxKeys)));
        wrangler("bulk", "delete", file, "--force");
      }
    },
    async close() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface BulkValue {
  readonly key: string;
  readonly value: string;
  readonly base64: true;
}

function* bulkBatches(values: readonly KeyValue[]): Generator<BulkValue[]> {
  let batch: BulkValue[] = [];
  let characters = 0;
  for (const { key, bytes } of values) {
    const value = Buffer.from(bytes).toString("base64");
    // 50 characters for field names, quotes and commas.
    const size = key.length + value.length + 50;
    if (batch.length === bulkMaxKeys || characters + size > bulkMaxCharacters) {
      yield batch;
      batch = [];
      characters = 0;
    }
    batch.push({ key, value, base64: true });
    characters += size;
  }
  if (batch.length > 0) yield batch;
}
