/** `/v1/keys` for the operator: which keys are in use, and the re-encryption. */
import { z } from "zod";
import { runBatch } from "../db/client.ts";
import { allDatabases, controlDb } from "../db/shards.ts";
import { resealGuard } from "../guard/client.ts";
import { operator } from "../http/access.ts";
import { none, respond, defineRoute } from "../http/route.ts";
import { instant, toRfc3339, toRfc3339OrNull } from "../http/schemas.ts";
import { runOnce, operatorScope } from "../idempotency/run-once.ts";
import { ringOf } from "../keys/key-check.ts";
import { keyringNames } from "../keys/keyring-names.ts";
import { type Progress, progressOf, type ReEncryptCall, reEncrypt } from "../keys/re-encrypt.ts";
import { countBackupCodeKeys, findReEncryption, listKeyVersions } from "../keys/store.ts";
import { inAllDatabases } from "../keys/versions.ts";

/** Guards asked in one request: the free plan of the platform allows 50 subrequests. */
const defaultGuardsPerRequest = 40;
const maxGuardsPerRequest = 500;

const progressSchema = z
  .object({
    version: z.int().meta({ description: "Of the sealing keys: everything is put under it." }),
    done: z.boolean(),
    seen: z.int().min(0).meta({ description: "Identities dealt with in the present pass." }),
    total: z.int().min(0).meta({ description: "Identities there were when it began." }),
    failed: z
      .int()
      .min(0)
      .meta({ description: "Of those seen, not sealed anew; the log says why." }),
    passes: z.int().min(0).meta({ description: "Passes that ended with something left over." }),
    left_over: z.int().min(0).meta({ description: "What the last of them left." }),
    started_at: instant,
    finished_at: instant.nullable(),
  })
  .meta({ id: "ReEncryption" });

function showProgress(progress: Progress): z.input<typeof progressSchema> {
  const { version, seen, total, failed, passes, leftOver, startedAt, finishedAt } = progress;
  return {
    ...{ version, seen, total, failed, passes, left_over: leftOver },
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
      summary: "Versions of the service's keys: in use, or free to be dropped",
      tag: "Keys",
      access: operator,
      body: none,
      query: none,
      responses: {
        200: {
          description: "Numbers only, never a key. Counts read all identities.",
          body: z.object({
            keys: z.array(
              z.object({
                keyring: z.enum(keyringNames),
                version: z.int(),
                newest: z.boolean(),
                in_keyring: z.boolean(),
                in_use: z.boolean().meta({ description: "False: it may leave the keyring." }),
                backup_code_sets: z
                  .int()
                  .nullable()
                  .meta({ description: "Users whose backup codes are hashed under it." }),
                first_used_at: instant,
                retired_at: instant.nullable(),
              }),
            ),
            re_encryption: progressSchema.nullable(),
          }),
        },
      },
    },
    async ({ env, config }) => {
      const { newest } = config.sealingKeys;
      const found = await Promise.all(
        allDatabases(env).map(
          async (db) =>
            await Promise.all([
              listKeyVersions(db),
              countBackupCodeKeys(db),
              findReEncryption(db, newest),
            ]),
        ),
      );
      const versions = inAllDatabases(found.map(([noted]) => noted));
      const progress = progressOf(found.map(([, , run]) => run));
      const setsUnder = (version: number) =>
        found.reduce((sum, [, sets]) => sum + (sets.get(version) ?? 0), 0);
      const keys = versions.map(({ keyring, version, firstUsedAt, retiredAt }) => ({
        keyring,
        version,
        newest: ringOf(config, keyring).newest === version,
        in_keyring: ringOf(config, keyring).keys.has(version),
        in_use: retiredAt === null,
        backup_code_sets: keyring === "backup_codes" ? setsUnder(version) : null,
        first_used_at: toRfc3339(firstUsedAt),
        retired_at: toRfc3339OrNull(retiredAt),
      }));
      const shown = progress === undefined ? null : showProgress(progress);
      return respond(200, { keys, re_encryption: shown });
    },
  ),
  defineRoute(
    {
      method: "post",
      path: "/v1/keys/re-encryption",
      name: "reEncrypt",
      summary: "Put the next identities under the newest sealing key, from where it was left",
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
          description: "How far it has come. Send it again until it is done.",
          body: z.object({ re_encryption: progressSchema }),
        },
      },
    },
    async (request) => {
      const db = controlDb(request.env);
      const progress = await runOnce<Progress>(request, operatorScope, db, async (remember) => {
        const { env, config, arrivedAt: now } = request;
        const call: ReEncryptCall = {
          env,
          config,
          now,
          resealGuard: (owner, location, run) => resealGuard(env, owner, location, run),
        };
        const done = await reEncrypt(call, request.body.re_encryption.limit);
        await runBatch(db, await remember(done));
        return done;
      });
      return respond(200, { re_encryption: showProgress(progress) });
    },
  ),
];
