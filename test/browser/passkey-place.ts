/** A user of the login app with the service behind it, for each scenario a new one. */
import { isDeepStrictEqual } from "node:util";
import type { EdgeIdp, Passkey } from "@edge-idp/sdk";
import type { LoginPage } from "./login-page.ts";
import { VirtualAuthenticator } from "./virtual-authenticator.ts";

export interface Place {
  /** Is in the account, and has no passkey. */
  readonly user: LoginPage;
  readonly idp: EdgeIdp;
}

/** @returns problems */
export type Scenario = (place: Place) => Promise<string[]>;

export function compare(what: string, actual: unknown, expected: unknown): string[] {
  if (isDeepStrictEqual(actual, expected)) return [];
  return [`${what}: ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`];
}

/** The user whose handle the authenticator has. */
export async function findUser(idp: EdgeIdp, device: VirtualAuthenticator): Promise<string> {
  const [stored] = await device.list();
  const id = Buffer.from(stored?.userHandle ?? "", "base64").toString("hex");
  for await (const user of idp.users.list()) if (user.id === id) return user.external_id;
  throw new Error(`The authenticator has the handle of nobody: ${id}`);
}

/** The user's passkeys in the service. */
export async function listPasskeys(idp: EdgeIdp, device: VirtualAuthenticator): Promise<Passkey[]> {
  return (await idp.passkeys.list(await findUser(idp, device))).passkeys;
}

/** Adds a passkey on a new device. */
export async function register({ user }: Place, isSynced = true): Promise<VirtualAuthenticator> {
  const device = await VirtualAuthenticator.create(user.page, isSynced);
  await user.addPasskey();
  await user.waitForPasskeys(1);
  return device;
}

/** Logs out, and in again with a click and without a name. */
export async function logInAgain({ user }: Place): Promise<void> {
  await user.logOut();
  await user.open();
  await user.usePasskey();
  await user.waitForAccount();
}
