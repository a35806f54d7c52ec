/** Rehearses a restore: loads a backup into a throw-away local service, and checks what that service then has. */
import { join } from "node:path";
import { EdgeIdp } from "@edge-idp/sdk";
import {
  type BackedUpDatabase,
  digestFile,
  type Manifest,
  readManifest,
} from "../backup/manifest.ts";
import { listProjectDatabases } from "../backup/wrangler.ts";
import { Failure } from "../failure.ts";
import { readSecret } from "../secret-file.ts";
import { ThrowAwayService } from "./throw-away-service.ts";
import { verifyRestoredTrail } from "./verify-trail.ts";

const requestTimeoutMs = 60_000;
/** Wrangler reads a file into one text, and V8 allows it 512 MB. */
const maxFileBytes = 500_000_000;

export interface Check {
  readonly title: string;
  /** Empty if the check has passed. */
  readonly problems: readonly string[];
}

export interface DrillOptions {
  readonly project: string;
  /** An absolute path. */
  readonly folder: string;
  /** The secrets of the service whose backup it is. */
  readonly secretsFile: string;
  readonly onProgress: (text: string) => void;
  readonly onCheck: (check: Check) => void;
}

async function compareDigests(folder: string, { databases }: Manifest): Promise<string[]> {
  const problems: string[] = [];
  for (const { file, sha256, bytes } of databases) {
    const found = await digestFile(join(folder, file)).catch(() => undefined);
    if (found === undefined) problems.push(`${file} is missing`);
    else if (found.sha256 !== sha256) {
      problems.push(`${file} was changed: it has ${found.bytes} bytes, and had ${bytes}`);
    }
  }
  return problems;
}

/** @throws Failure if a file is too large for this machine's wrangler */
function requireLoadable({ databases }: Manifest): void {
  const large = databases.find(({ bytes }) => bytes > maxFileBytes);
  if (large === undefined) return;
  throw new Failure(
    `${large.file} has more than ${maxFileBytes / 1e6} MB, which wrangler cannot load here. Rehearse with a new D1 database: docs/operations.md, "From a backup".`,
  );
}

/** @throws Failure if the project binds other databases than the backup has */
async function requireSameDatabases(project: string, { databases }: Manifest): Promise<void> {
  const bound = new Set(
    (await listProjectDatabases(project, "local")).map(({ binding }) => binding),
  );
  const missing = databases.filter(({ binding }) => !bound.has(binding));
  if (missing.length === 0) return;
  const names = missing.map(({ binding }) => binding).join(", ");
  throw new Failure(`The backup has ${names}; add it to wrangler.toml to rehearse the restore.`);
}

async function compareRows(
  service: ThrowAwayService,
  databases: readonly BackedUpDatabase[],
): Promise<string[]> {
  const problems: string[] = [];
  for (const database of databases) {
    const found = await service.countRows(database);
    for (const [table, count] of Object.entries(database.rows)) {
      if (found[table] === count) continue;
      problems.push(`${database.binding}.${table} has ${found[table]} rows, and had ${count}`);
    }
  }
  return problems;
}

async function verifyTrails(
  url: string,
  token: string,
  { trails }: Manifest,
  options: DrillOptions,
) {
  const operator = new EdgeIdp({ url, token, timeoutMs: requestTimeoutMs });
  const known = new Set<string>();
  for await (const { id, status } of operator.tenants.list({ limit: 100 })) {
    if (status !== "deleting") known.add(id);
  }
  const problems: string[] = [];
  let verified = 0;
  let archived = 0;
  for (const trail of trails) {
    // The trail of a deleted tenant stays without the tenant, so no token can read it.
    if (!known.has(trail.tenant_id)) continue;
    const found = await verifyRestoredTrail({ url, operator }, trail);
    problems.push(...found.map((problem) => `${trail.tenant_id}: ${problem}`));
    verified += 1;
    if (trail.first_leaf > 0) archived += 1;
    options.onProgress(`Verified ${verified} of ${known.size} trails`);
  }
  const parts = [
    `${verified} trails extend their checkpoints`,
    ...(archived === 0
      ? []
      : [`of ${archived} only the tree was compared: their first leaves are in the archive`]),
    ...(trails.length === verified
      ? []
      : [`${trails.length - verified} are of deleted tenants and were not read`]),
  ];
  return { title: parts.join("; "), problems };
}

/** @returns whether all checks have passed @throws Failure if the drill cannot go on */
export async function rehearseRestore(options: DrillOptions): Promise<boolean> {
  const { project, folder, secretsFile, onProgress } = options;
  let isOk = true;
  const add = (check: Check) => {
    isOk &&= check.problems.length === 0;
    options.onCheck(check);
    return check.problems.length === 0;
  };
  const manifest = readManifest(folder);
  const token = readSecret(secretsFile, "OPERATOR_TOKEN");
  requireLoadable(manifest);
  await requireSameDatabases(project, manifest);
  const problems = await compareDigests(folder, manifest);
  const title = `the files of ${manifest.made_at} are those that the backup has written`;
  if (!add({ title, problems })) return false;

  const service = new ThrowAwayService(project);
  try {
    for (const database of manifest.databases) {
      onProgress(`Loading ${database.file} …`);
      await service.load(database, join(folder, database.file));
    }
    const rows = await compareRows(service, manifest.databases);
    add({ title: "each table has as many rows as in the manifest", problems: rows });
    for (const database of manifest.databases) {
      onProgress(`Preparing ${database.binding} …`);
      await service.prepare(database);
    }
    onProgress("Starting the service …");
    const url = await service.start(secretsFile);
    add({ title: "the restored service is ready, and the secrets fit its data", problems: [] });
    add(await verifyTrails(url, token, manifest, options));
  } finally {
    await service.close();
  }
  return isOk;
}
