/** Requests of a browser that is, or is to be, a known device. */
import type { Answer, Tenant, User } from "./client.ts";

export function setClock(tenant: Tenant, time: number): void {
  tenant.clock = new Date(time).toISOString();
}

/** Verifies a code with further fields of `otp`. */
export async function verifyWith(user: User, code: string, fields: object): Promise<Answer> {
  const body = { otp: { id: user.externalId, code, ...fields } };
  return await user.tenant.send("POST", "/v1/idp/otp/verify", body);
}

/** Verifies the code of that time, and has the device remembered. @returns `device` of the answer */
export async function rememberDevice(
  user: User,
  at: number,
  fields: object = {},
): Promise<Answer["body"]> {
  setClock(user.tenant, at);
  const asked = { remember_device: { days: 30 }, ...fields };
  const { status, body } = await verifyWith(user, user.code(at), asked);
  if (status !== 200) throw new Error(`Not remembered: ${status} ${JSON.stringify(body)}`);
  return body.device;
}

export async function listDevices(user: User): Promise<Answer["body"][]> {
  return (await user.tenant.send("GET", user.path("/devices"))).body.devices;
}
