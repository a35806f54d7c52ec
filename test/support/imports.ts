/** Users who come from another system. */
import { base32nopad } from "@scure/base";
import { TOTP } from "otpauth";
import type { Answer, Tenant } from "./client.ts";
import { guardOf } from "./guard.ts";

export interface RowResult {
  readonly external_id: string;
  readonly outcome: string;
  readonly code?: string;
  readonly message?: string;
}

export async function sendImport(
  tenant: Tenant,
  users: readonly object[],
  options: object = {},
): Promise<Answer> {
  return await tenant.send("POST", "/v1/idp/users/import", { users, ...options });
}

/** The results of an import. @throws if the status is not 200 */
export async function importRows(
  tenant: Tenant,
  users: readonly object[],
  options: object = {},
): Promise<readonly RowResult[]> {
  const { status, body } = await sendImport(tenant, users, options);
  if (status !== 200) throw new Error(`Not imported: ${status} ${JSON.stringify(body)}`);
  return body.results;
}

/** The outcome of each row, with its code if it has one. */
export async function outcomesOf(
  tenant: Tenant,
  users: readonly object[],
  options: object = {},
): Promise<readonly string[]> {
  const results = await importRows(tenant, users, options);
  return results.map(({ outcome, code }) => (code === undefined ? outcome : `${outcome} ${code}`));
}

export interface Parameters {
  readonly algorithm?: string;
  readonly digits?: number;
  readonly period?: number;
}

/** The code of a secret at a time (Unix ms), from the package `otpauth`. @param secret base32 */
export function otpauthCode(secret: string, at: number, parameters: Parameters = {}): string {
  return new TOTP({ secret, ...parameters }).generate({ timestamp: at });
}

let drawn = 0;

/** A secret of this file's own, in base32: of ASCII text, so that a test finds it in any encoding. */
export function createSecret(bytes = 20): string {
  drawn += 1;
  const text = `secret ${drawn} `.padEnd(bytes, "x");
  return base32nopad.encode(new TextEncoder().encode(text.slice(0, bytes)));
}

/** Verifies a code of a user who was imported. */
export async function verifyFor(tenant: Tenant, externalId: string, code: string): Promise<Answer> {
  return await tenant.send("POST", "/v1/idp/otp/verify", { otp: { id: externalId, code } });
}

export async function eventsOf(tenant: Tenant, externalId: string): Promise<Answer["body"][]> {
  const query = `externalUserId=${encodeURIComponent(externalId)}&limit=100`;
  return (await tenant.send("GET", `/v1/audit/events?${query}`)).body.events;
}

export async function profileOf(tenant: Tenant, externalId: string): Promise<Answer["body"]> {
  const query = `externalUserId=${encodeURIComponent(externalId)}`;
  return (await tenant.send("GET", `/v1/idp/user?${query}`)).body;
}

export async function authenticatorsOf(
  tenant: Tenant,
  externalId: string,
): Promise<Answer["body"][]> {
  const query = `externalUserId=${encodeURIComponent(externalId)}`;
  const { body } = await tenant.send("GET", `/v1/idp/user/authenticators?${query}`);
  return body.authenticators;
}

export async function idOf(tenant: Tenant, externalId: string): Promise<string> {
  return (await profileOf(tenant, externalId)).id;
}

/** Delivers what the guards of users have recorded, so that lists show it. */
export async function drainAll(tenant: Tenant, externalIds: readonly string[]): Promise<void> {
  for (const externalId of externalIds) {
    await guardOf({ tenant, id: await idOf(tenant, externalId) }).deliver();
  }
}
