/** Makes the keys of a new service, and never those of one that has keys already. */
import { join } from "node:path";
import { Failure } from "../failure.ts";
import { ensureServiceSecrets, readServiceSecrets } from "../service-secrets.ts";
import type { DeployedVersion } from "./deployed.ts";
import { type BoundDatabase, findRows } from "./migrations.ts";
import { idOfDryRun } from "./resources.ts";
import type { Steps } from "./steps.ts";
import { secretsFile, type Target } from "./target.ts";

/** Whether the database has data that was sealed under keys. */
async function hasKeyVersions({ login }: Target, databases: readonly BoundDatabase[]) {
  const control = databases.find(({ binding }) => binding === "DB");
  if (control === undefined || control.id === idOfDryRun) return false;
  const rows = await findRows(login, control.id, "SELECT keyring FROM key_versions LIMIT 1");
  return rows !== undefined && rows.length > 0;
}

/**
 * New keys for a service that has been running would make its data unreadable. So a missing file of secrets stops the
 * run, unless neither the deployed Worker nor the database has ever had keys.
 */
export async function ensureKeys(
  target: Target,
  steps: Steps,
  deployed: DeployedVersion | undefined,
  databases: readonly BoundDatabase[],
): Promise<void> {
  const file = join(target.project, secretsFile);
  const { missing } = readServiceSecrets(file);
  if (missing.length === 0) {
    steps.note(secretsFile, "has every secret");
    return;
  }
  const lost = missing.filter((name) => deployed?.secretNames.includes(name));
  // A service may run without keys of step-up tokens, and get them later.
  const required = missing.filter((name) => name !== "TOKEN_SIGNING_KEYS");
  if (lost.length === 0 && required.length > 0 && (await hasKeyVersions(target, databases))) {
    lost.push(...required);
  }
  if (lost.length > 0) {
    throw new Failure(
      `The service has ${lost.join(", ")}, and ${secretsFile} does not. Bring the file from where you keep it: ` +
        "with new keys, the service could not read its data.",
    );
  }
  await steps.change(secretsFile, `generated: ${missing.length} secrets`, async () =>
    ensureServiceSecrets(file),
  );
}
