/** `/v1/keys`, for the operator: the versions of the keys, and the re-encryption. */
import { z } from "zod";
import { requireAllDatabases } from "../db/bound-shards.ts";
import { runBatch } from "../db/client.ts";
import { controlDbOf, listDatabases } from "../db/shards.ts";
import { resealGuard } from "../guard/client.ts";
import { operator } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { instant, toRfc3339, toRfc3339OrNull } from "../http/schemas.ts";
import { operatorScope, runOnce } from "../idempotency/run-once.ts";
import { keyringOf } from "../keys/key-check.ts";
import { keyringNames } from "../keys/keyring-names.ts";
import { mergeKeyVersions } from "../keys/merge-key-versions.ts";
import { type Progress, type ReEncryptCall, reEncrypt, sumProgress } from "../keys/re-encrypt.ts";
import { findReEncryption } from "../keys/re-encryption-store.ts";
import { listKeyVersions } from "../keys/version-store.ts";

/** Guards that one request calls: the platform's free plan allows 50 subrequests. */
const defaultGuardsPerRequest = 40;
const maxGuardsPerRequest = 500;

const progressSchema = z
  .object({
    version: z
      .int()
      .meta({ description: "The version of the sealing key under which data is sealed anew." }),
    done: z.boolean(),
    seen: z.int().min(0).meta({ description: "Identities that the current pass has processed." }),
    total: z.int().min(0).meta({
      description: "Identities when they were last counted. The first requests count them.",
    }),
    failed: z.int().min(0).meta({
      description:
        "Processed identities that could not be sealed anew; the log states the reasons.",
    }),
    passes: z
      .int()
      .min(0)
      .meta({ description: "Number of completed passes that left some data under an older key." }),
    left_over: z.int().min(0).meta({
      description: "How many identities the last of those passes left under an older key.",
    }),
    started_at: instant,
    finished_at: instant.nullable(),
  })
  .meta({ id: "ReEncryption" });

function showProgress(progress: Progress): z.input<typeof progressSchema> {
  const { version, seen, total, failed, passes, leftOver, startedAt, finishedAt } = progress;
  return {
    version,
    seen,
    total,
    failed,
    passes,
    left_over: leftOver,
    done: finishedAt !== null,
    started_at: toRfc3339(startedAt),
    finished_at: toRfc3339OrNull(finishedAt),
  };
}

export const keyRoutes = [
  defineRoute(
    {
      method: "get",
      path: "/v1/keys",
      name: "listKeys",
      summary: "List the versions of the service's keys, and whether they are in use",
      description: "Lists the versions of the service's keys, and whether records still use them.",
      tag: "Keys",
      access: operator,
      body: none,
      query: none,
      responses: {
        200: {
          description:
            "The versions; a response never contains a key. The counts are those of the last re-encryption that ended.",
          body: z.object({
            keys: z.array(
              z.object({
                keyring: z.enum(keyringNames),
                version: z.int(),
                newest: z.boolean(),
                in_keyring: z.boolean(),
                in_use: z.boolean().meta({
                  description: "False if the version may be removed from the keyring.",
                }),
                backup_code_sets: z.int().nullable().meta({
                  description:
                    "Users whose backup codes were hashed under this version when they were counted; null for other keyrings, and as long as not all are counted.",
                }),
                first_used_at: instant,
                retired_at: instant.nullable(),
              }),
            ),
            counted: z
              .object({
                complete: z.boolean().meta({
                  description: "Whether the identities of every database have been counted.",
                }),
                at: instant.nullable().meta({
                  description: "When the oldest of these counts ended; null if there is none.",
                }),
              })
              .meta({
                description:
                  "The count behind `backup_code_sets`. `in_use` does not depend on it: a version is unused only if no data needs it.",
              }),
            re_encryption: progressSchema.nullable(),
          }),
        },
      },
    },
    async ({ env, config }) => {
      const { newest } = config.sealingKeys;
      const readAll = listDatabases(env).map(
        async (db) => await Promise.all([listKeyVersions(db), findReEncryption(db, newest)]),
      );
      const [found] = await Promise.all([Promise.all(readAll), requireAllDatabases(env)]);
      const versions = mergeKeyVersions(found.map(([versions]) => versions));
      const runs = found.map(([, run]) => run);
      const progress = sumProgress(runs);
      const counts = runs.flatMap((run) => run?.counts ?? []);
      const countTimes = runs.flatMap((run) => run?.countedAt ?? []);
      const isComplete = counts.length === runs.length;
      const setsUnder = (version: number) =>
        counts.reduce((sum, { codeSets }) => sum + (codeSets[version] ?? 0), 0);
      const keys = versions.map(({ keyring, version, firstUsedAt, retiredAt }) => ({
        keyring,
        version,
        newest: keyringOf(config, keyring).newest === version,
        in_keyring: keyringOf(config, keyring).keys.has(version),
        in_use: retiredAt === null,
        backup_code_sets: keyring === "backup_codes" && isComplete ? setsUnder(version) : null,
        first_used_at: toRfc3339(firstUsedAt),
        retired_at: toRfc3339OrNull(retiredAt),
      }));
      const shown = progress === undefined ? null : showProgress(progress);
      const at = countTimes.length === 0 ? null : toRfc3339(Math.min(...countTimes));
      const counted = { complete: isComplete, at };
      return respond(200, { keys, counted, re_encryption: shown });
    },
  ),
  defineRoute(
    {
      method: "post",
      path: "/v1/keys/re-encryption",
      name: "reEncrypt",
      summary: "Seal the data of the next identities under the newest key",
      description: "Seals records again under the newest key, a part with each call.",
      tag: "Keys",
      access: operator,
      body: z.strictObject({
        re_encryption: z.strictObject({
          limit: z.int().min(1).max(maxGuardsPerRequest).default(defaultGuardsPerRequest),
        }),
      }),
      query: none,
      responses: {
        200: {
          description: "The progress. Repeat the request until `done` is true.",
          body: z.object({ re_encryption: progressSchema }),
        },
      },
      errors: ["relocation_in_progress"],
    },
    async (request) => {
      const db = controlDbOf(request.env);
      const progress = await runOnce<Progress>(request, operatorScope, db, async (storeResult) => {
        const { env, config, arrivedAt: now } = request;
        const call: ReEncryptCall = {
          env,
          config,
          now,
          resealGuard: (owner, location, run) => resealGuard(env, owner, location, run),
        };
        const progress = await reEncrypt(call, request.body.re_encryption.limit);
        await runBatch(db, await storeResult(progress));
        return progress;
      });
      return respond(200, { re_encryption: showProgress(progress) });
    },
  ),
];
