/**
 * Makes the first tenant of a service, once. Its token is written to a file of this machine, and printed nowhere. The
 * idempotency key is written first: if the answer is lost, the next run gets the same answer, with the same token.
 */
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { EdgeIdp, IdpError } from "@edge-idp/sdk";
import { Failure } from "../failure.ts";
import { writePrivately } from "../service-secrets.ts";
import type { Steps } from "./steps.ts";
import { findTimeLimits } from "./time-limits.ts";

export const tenantFile = ".prod.env";

/** The service keeps answers for 24 hours. Later, the same key would make a second tenant. */
const keptMs = 23 * 3_600_000;

export interface FirstTenant {
  readonly name: string;
  readonly jurisdiction: "eu" | undefined;
}

interface Place {
  readonly project: string;
  /** The address at which clients reach the service. */
  readonly publicUrl: string;
  /** The address at which this machine reaches it. */
  readonly url: string;
  readonly operatorToken: string;
  readonly now: number;
}

type Values = Readonly<Record<string, string | undefined>>;

function readValues(file: string): Values {
  return existsSync(file) ? parseEnv(readFileSync(file, "utf8")) : {};
}

function writeValues(file: string, values: Readonly<Record<string, string>>): void {
  const lines = Object.entries(values).map(([name, value]) => `${name}=${JSON.stringify(value)}\n`);
  writePrivately(file, lines.join(""));
}

/** The key of an interrupted run for the same tenant, while the service still keeps its answer. */
function findKey(values: Values, { name }: FirstTenant, now: number): string | undefined {
  const { IDP_REQUEST_KEY: key, IDP_REQUEST_NAME: asked, IDP_REQUEST_AT: at } = values;
  const isKept = now - Date.parse(at ?? "") < keptMs;
  return key !== undefined && asked === name && isKept ? key : undefined;
}

async function callService<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof IdpError) throw new Failure(`The service refused: ${error.message}`);
    throw error;
  }
}

/** Whether the tenant that the file names is still there. @throws Failure if it is not */
async function requireTenant(idp: EdgeIdp, id: string): Promise<string> {
  for await (const tenant of idp.tenants.list()) if (tenant.id === id) return tenant.name;
  throw new Failure(
    `${tenantFile} has a token of the tenant ${id}, which the service does not have. ` +
      "Delete the file to make a new tenant.",
  );
}

/** @returns whether the file has a token, or would have one after a dry run */
export async function ensureFirstTenant(
  steps: Steps,
  { project, publicUrl, url, operatorToken, now }: Place,
  tenant: FirstTenant,
): Promise<boolean> {
  const file = join(project, tenantFile);
  const values = readValues(file);
  const idp = new EdgeIdp({
    url,
    token: operatorToken,
    maxRetries: 1,
    timeoutMs: findTimeLimits().requestMs,
  });
  if (values.IDP_TOKEN && values.IDP_TENANT) {
    const name = await callService(requireTenant(idp, values.IDP_TENANT));
    steps.note(`tenant "${name}"`, `exists, and ${tenantFile} has a token of it`);
    return true;
  }
  const begun = findKey(values, tenant, now);
  if (begun === undefined) {
    const { items } = await callService(idp.tenants.list().page());
    const [first] = items;
    if (first !== undefined) {
      steps.note(
        `tenant "${first.name}"`,
        `exists; ${tenantFile} has no token of it (npx edge-idp tenants tokens create ${first.id} makes one)`,
      );
      return false;
    }
  }
  await steps.change(
    `tenant "${tenant.name}"`,
    `created, with its token in ${tenantFile}`,
    async () => {
      const key = begun ?? randomUUID();
      if (begun === undefined) {
        writeValues(file, {
          IDP_REQUEST_KEY: key,
          IDP_REQUEST_NAME: tenant.name,
          IDP_REQUEST_AT: new Date(now).toISOString(),
        });
      }
      const { name, jurisdiction = null } = tenant;
      const wanted = { name, mode: "live", jurisdiction, shard: 0 } as const;
      const created = await callService(idp.tenants.create(wanted, { idempotencyKey: key }));
      writeValues(file, {
        IDP_URL: publicUrl,
        IDP_TENANT: created.tenant.id,
        IDP_TOKEN: created.token.secret,
      });
    },
  );
  return true;
}
