/** The manifest of a backup: what its files contain, so that a restore can be compared with it. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { Failure } from "../failure.ts";

export const manifestName = "manifest.json";

const count = z.int().min(0);

const manifestSchema = z.object({
  /** The form of this file. */
  form: z.literal(1),
  made_at: z.iso.datetime(),
  /** The version of the product that made it. */
  version: z.string(),
  source: z.enum(["remote", "local"]),
  databases: z
    .array(
      z.object({
        /** 0 is `DB`, 1 is `DB_1` and so on. */
        shard: count,
        binding: z.string(),
        name: z.string(),
        file: z.string().regex(/^DB(_\d+)?\.sql$/),
        bytes: count,
        sha256: z.string(),
        migrations: count,
        rows: z.record(z.string(), count),
      }),
    )
    .min(1),
  /** The newest signed tree head of each tenant's trail. */
  trails: z.array(
    z.object({
      tenant_id: z.string(),
      shard: count,
      size: count,
      /** The first leaf that the database has; those before it are in the archive. */
      first_leaf: count,
      note: z.string(),
    }),
  ),
});
export type Manifest = z.output<typeof manifestSchema>;
export type Trail = Manifest["trails"][number];
export type BackedUpDatabase = Manifest["databases"][number];

/** @throws Failure if the folder is no whole backup */
export function readManifest(folder: string): Manifest {
  const file = join(folder, manifestName);
  if (!existsSync(file)) {
    throw new Failure(
      `${folder} has no ${manifestName}: it is no backup, or the backup was interrupted.`,
    );
  }
  try {
    return manifestSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    throw new Failure(`${file} is damaged, or of another version of the product.`);
  }
}

/** SHA-256 of a file, hex, and its length. */
export async function digestFile(file: string): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of createReadStream(file)) {
    if (!Buffer.isBuffer(chunk)) continue;
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { sha256: hash.digest("hex"), bytes };
}
