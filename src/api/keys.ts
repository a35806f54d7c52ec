/** `/v1/keys` for the operator: which keys are in use, and the re-encryption. */
import { z } from "zod";
import { runBatch } from "../db/client.ts";
import { listDatabases, controlDb } from "../db/shards.ts";
import { resealGuard } from "../guard/client.ts";
import { operator } from "../http/access.ts";
import { none, reply, route } from "../http/route.ts";
import { instant, rfc3339, rfc3339OrNull } from "../http/schemas.ts";
import { runOnce, operatorScope } from "../idempotency/run-once.ts";
import { keyringOf } from "../keys/key-check.ts";
import { keyringNames } from "../keys/keyring-names.ts";
import { type Progress, sumProgress, type ReEncryptCall, reEncrypt } from "../keys/re-encrypt.ts";
import { findReEncryption } from "../keys/re-encryption-store.ts";
import { countBackupCodeSets } from "../keys/sealed-data-store.ts";
import { listKeyVersions } from "../keys/version-store.ts";
import { mergeKeyVersions } from "../keys/merge-key-versions.ts";

/** Guards asked in one request: the free plan of the platform allows 50 subrequests. */
const defaultSlice = 40;
const maxPerSlice = 500;

const progressAnswer = z
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

function showProgress(progress: Progress): z.input<typeof progressAnswer> {
  const { version, seen, total, failed, passes, leftOver, startedAt, finishedAt } = progress;
  return {
    ...{ version, seen, total, failed, passes, left_over: leftOver },
    done: finishedAt !== null,
    started_at: rfc3339(startedAt),
    finished_at: rfc3339OrNull(finishedAt),
  };
}

export const keyRoutes = [
  route(
    {
      method: "get",
      path: "/v1/keys",
      name: "listKeys",
      summary: "Versions of the service's keys: in use, or free to be dropped",
      tag: "Keys",
      access: operator,
      body: none,
      query: none,
      answers: {
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
            re_encryption: progressAnswer.nullable(),
          }),
        },
      },
    },
    async ({ env, config }) => {
      const { newest } = config.sealingKeys;
      const found = await Promise.all(
        listDatabases(env).map(
          async (db) =>
            await Promise.all([
              listKeyVersions(db),
              countBackupCodeSets(db),
              findReEncryption(db, newest),
            ]),
        ),
      );
      const versions = mergeKeyVersions(found.map(([noted]) => noted));
      const progress = sumProgress(found.map(([, , run]) => run));
      const setsUnder = (version: number) =>
        found.reduce((sum, [, sets]) => sum + (sets.get(version) ?? 0), 0);
      const keys = versions.map(({ keyring, version, firstUsedAt, retiredAt }) => ({
        keyring,
        version,
        newest: keyringOf(config, keyring).newest === version,
        in_keyring: keyringOf(config, keyring).keys.has(version),
        in_use: retiredAt === null,
        backup_code_sets: keyring === "backup_codes" ? setsUnder(version) : null,
        first_used_at: rfc3339(firstUsedAt),
        retired_at: rfc3339OrNull(retiredAt),
      }));
      const shown = progress === undefined ? null : showProgress(progress);
      return reply(200, { keys, re_encryption: shown });
    },
  ),
  route(
    {
      method: "post",
      path: "/v1/keys/re-encryption",
      name: "reEncrypt",
      summary: "Put the next identities under the newest sealing key, from where it was left",
      tag: "Keys",
      access: operator,
      body: z.strictObject({
        re_encryption: z.strictObject({
          limit: z.int().min(1).max(maxPerSlice).default(defaultSlice),
        }),
      }),
      query: none,
      answers: {
        200: {
          description: "How far it has come. Send it again until it is done.",
          body: z.object({ re_encryption: progressAnswer }),
        },
      },
    },
    async (exchange) => {
      const db = controlDb(exchange.env);
      const progress = await runOnce<Progress>(exchange, operatorScope, db, async (remember) => {
        const { env, config, arrivedAt: now } = exchange;
        const call: ReEncryptCall = {
          env,
          config,
          now,
          resealGuard: (owner, location, run) => resealGuard(env, owner, location, run),
        };
        const done = await reEncrypt(call, exchange.body.re_encryption.limit);
        await runBatch(db, await remember(done));
        return done;
      });
      return reply(200, { re_encryption: showProgress(progress) });
    },
  ),
];
