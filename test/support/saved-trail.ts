/** The files that a security officer saves of a tenant's trail, and their verification. */
import { type Verdict, verifyTrail } from "../../packages/sdk/src/audit/index.ts";
import { encodeUtf8 } from "../../src/crypto/bytes.ts";
import type { Tenant } from "./client.ts";
import { forgetExport } from "./trail.ts";

export interface SavedTrail {
  readonly exported: string | Uint8Array;
  readonly checkpoint: string;
  readonly older?: string | undefined;
  readonly keys?: string | undefined;
}

export async function saveCheckpoint(tenant: Tenant): Promise<string> {
  const { status, body } = await tenant.send("GET", "/v1/audit/checkpoint");
  if (status !== 200) throw new Error(`No checkpoint: ${status} ${JSON.stringify(body)}`);
  return JSON.stringify(body);
}

export async function saveKeys(tenant: Tenant): Promise<string> {
  return JSON.stringify((await tenant.send("GET", "/v1/audit/keys")).body);
}

/** Saves the checkpoint first, in the order of docs/audit-verification.md. */
export async function saveTrail(
  tenant: Tenant,
  overrides: Partial<SavedTrail> = {},
): Promise<SavedTrail> {
  const checkpoint = await saveCheckpoint(tenant);
  const { status, body } = await tenant.send("GET", "/v1/audit/export");
  if (status !== 200) throw new Error(`No export: ${status} ${JSON.stringify(body)}`);
  await forgetExport(tenant);
  return { checkpoint, exported: body, ...overrides };
}

/** Yields the bytes in small chunks, which split lines and characters anywhere. */
async function* readChunks(bytes: Uint8Array, length = 1_000): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += length) {
    yield bytes.subarray(start, start + length);
  }
}

export async function verifySavedTrail({ exported, ...files }: SavedTrail): Promise<Verdict> {
  const bytes = typeof exported === "string" ? encodeUtf8(exported) : exported;
  return await verifyTrail({ ...files, read: () => readChunks(bytes) });
}

/** Each problem as one line: kind, leaf, message. */
export async function problemsOf(saved: SavedTrail): Promise<string[]> {
  return (await verifySavedTrail(saved)).problems.map(
    ({ kind, leaf, message }) => `${kind} ${leaf ?? "-"}: ${message}`,
  );
}
