/** Goes back to the version before an upgrade, if that version can run with what the upgrade has changed. */
import { z } from "zod";
import type { Login } from "./login.ts";
import type { UpgradeNote } from "./upgrade-note.ts";

/**
 * Migrations after which an older version cannot run: docs/deploy.md says why. All others only add to the schema, so
 * the version before them works with it.
 */
export const oneWayMigrations: readonly string[] = [
  "0001_sealed_trail.sql",
  "0005_reviewed_faults.sql",
];

/** Why the version before must not come back; undefined if it may. */
export function findObstacle(
  { migrations, wasReady, previousMigrationTag }: UpgradeNote,
  migrationTag: string | undefined,
): string | undefined {
  const oneWay = migrations.find((name) => oneWayMigrations.includes(name));
  if (oneWay !== undefined) return `it cannot run with the migration ${oneWay}`;
  if ((migrationTag ?? null) !== previousMigrationTag) {
    return "Cloudflare does not go back across a migration of Durable Objects";
  }
  return wasReady ? undefined : "it was not ready either";
}

/** Makes the version the active one for all requests. @throws Failure if Cloudflare refuses */
export async function rollBack(
  { api, accountId }: Login,
  name: string,
  versionId: string,
): Promise<void> {
  await api.post(`/accounts/${accountId}/workers/scripts/${name}/deployments`, z.unknown(), {
    body: {
      strategy: "percentage",
      versions: [{ version_id: versionId, percentage: 100 }],
      annotations: { "workers/message": "edge-idp upgrade: the new version was not ready" },
    },
  });
}
