/** What a user with passkeys does, and what the service makes of it. */
import type { Passkey, PasskeyCreationOptions, PasskeyRequestOptions } from "@edge-idp/sdk";
import type { Page } from "playwright-core";
import { failInBrowser } from "./passkey-failures.ts";
import {
  compare,
  findUser,
  listPasskeys,
  logInAgain,
  type Place,
  register,
  type Scenario,
} from "./passkey-place.ts";
import { VirtualAuthenticator } from "./virtual-authenticator.ts";

/** Has the browser choose this algorithm: it takes the first that is offered. @returns what the service offered */
async function offerOnly(page: Page, algorithm: number): Promise<number[]> {
  const offered: number[] = [];
  await page.route("**/account/options", async (route) => {
    const answer = await route.fetch();
    const options: PasskeyCreationOptions = await answer.json();
    offered.push(...options.pubKeyCredParams.map(({ alg }) => alg));
    const pubKeyCredParams = options.pubKeyCredParams.filter(({ alg }) => alg === algorithm);
    await route.fulfill({ response: answer, json: { ...options, pubKeyCredParams } });
  });
  return offered;
}

function useAlgorithm(algorithm: number): Scenario {
  return async (place) => {
    const offered = await offerOnly(place.user.page, algorithm);
    const device = await register(place);
    await logInAgain(place);
    const [passkey] = await listPasskeys(place.idp, device);
    return [
      ...compare("offered", offered, [-7, -8, -257]),
      ...compare("algorithm", passkey?.algorithm, algorithm),
      ...compare("mediation", await place.user.readMediation(), "none"),
      ...compare("used", typeof passkey?.last_used_at, "string"),
      ...compare("user verified", passkey?.user_verified, true),
      ...compare("transports", passkey?.transports, ["internal"]),
    ];
  };
}

async function logInAfterPassword(place: Place): Promise<string[]> {
  const { user, idp } = place;
  const device = await register(place);
  await user.logOut();
  await user.enterPassword();
  const allowed: string[] = [];
  // The page leaves as soon as the browser has answered, so the options are read on their way.
  await user.page.route("**/code/options", async (route) => {
    const answer = await route.fetch();
    const options: PasskeyRequestOptions = await answer.json();
    allowed.push(...options.allowCredentials.map(({ id }) => id));
    await route.fulfill({ response: answer, json: options });
  });
  await user.usePasskey();
  await user.waitForAccount();
  const passkeys = await listPasskeys(idp, device);
  const registered = passkeys.map((passkey) => passkey.credential_id);
  return compare("allowed", allowed, registered);
}

/** As when support has removed the app of a lost phone. */
async function logInWithoutCodes(place: Place): Promise<string[]> {
  const { user, idp } = place;
  const device = await register(place);
  const externalId = await findUser(idp, device);
  await idp.otp.remove(externalId);
  await user.logOut();
  await user.enterPassword();
  const enrolments = await user.page.locator("svg").count();
  await user.usePasskey();
  await user.waitForAccount();
  const { otp_status: status } = await idp.users.get(externalId);
  return [...compare("enrolments", enrolments, 0), ...compare("otp_status", status, "none")];
}

async function takeSuggestion(place: Place): Promise<string[]> {
  const { user } = place;
  await register(place);
  await user.logOut();
  await user.open("shown");
  await user.waitForAccount();
  return compare("mediation", await user.readMediation(), "conditional");
}

async function failUserVerification(place: Place): Promise<string[]> {
  const { user } = place;
  const device = await register(place);
  await user.logOut();
  await user.open();
  await device.setUserVerified(false);
  await user.usePasskey();
  await user.waitForMessage("No passkey was used.");
  await device.setUserVerified(true);
  await device.setBadUserVerification(true);
  await user.usePasskey();
  await user.waitForMessage("Your passkey was not accepted (user_verification).");
  await device.setBadUserVerification(false);
  await user.open();
  await user.usePasskey();
  await user.waitForAccount();
  return [];
}

async function changeBackup(place: Place): Promise<string[]> {
  const { user, idp } = place;
  const device = await register(place);
  const flagsOf = (passkey?: Passkey) => [passkey?.backup_eligible, passkey?.backed_up];
  const [registered] = await listPasskeys(idp, device);
  await device.change({ backupState: true });
  await logInAgain(place);
  const [backedUp] = await listPasskeys(idp, device);
  await user.logOut();
  await user.open();
  await device.change({ backupEligibility: false, backupState: false });
  await user.usePasskey();
  await user.waitForMessage("Your passkey was not accepted (key).");
  return [
    ...compare("flags of the registration", flagsOf(registered), [true, false]),
    ...compare("flags of the login", flagsOf(backedUp), [true, true]),
  ];
}

/** Replaces the device by a copy with the counter of the registration. */
async function clone(
  { user }: Place,
  device: VirtualAuthenticator,
  isSynced: boolean,
): Promise<VirtualAuthenticator> {
  const [stored] = await device.list();
  if (stored === undefined) throw new Error("The authenticator has no passkey");
  await device.remove();
  const copy = await VirtualAuthenticator.create(user.page, isSynced);
  await copy.add({ ...stored, signCount: 1 });
  return copy;
}

async function useCloneOfDevice(place: Place): Promise<string[]> {
  const { user, idp } = place;
  const device = await register(place, false);
  await logInAgain(place);
  await logInAgain(place);
  const [before] = await listPasskeys(idp, device);
  await user.logOut();
  await user.open();
  const copy = await clone(place, device, false);
  await user.usePasskey();
  await user.waitForMessage("Your passkey was not accepted (counter).");
  const [after] = await listPasskeys(idp, copy);
  return [
    ...compare("backup eligible", before?.backup_eligible, false),
    ...compare("counter", after?.sign_count, before?.sign_count),
  ];
}

async function useCloneOfSynced(place: Place): Promise<string[]> {
  const { idp } = place;
  const device = await register(place);
  await logInAgain(place);
  await logInAgain(place);
  const copy = await clone(place, device, true);
  await logInAgain(place);
  const externalUserId = await findUser(idp, copy);
  const filters = { externalUserId, action: "passkey.verified", limit: 1 } as const;
  const { items } = await idp.audit.events(filters).page();
  const { outcome, details } = items[0] ?? {};
  return [
    ...compare("outcome", outcome, "success"),
    ...compare("details", details?.counter_regression, true),
  ];
}

async function removeInAccount(place: Place): Promise<string[]> {
  const device = await register(place);
  const deletion = device.waitForDeletion();
  await place.user.removeFirstPasskey();
  await place.user.waitForPasskeys(0);
  await deletion;
  return compare("passkeys of the device", await device.list(), []);
}

async function removeElsewhere(place: Place): Promise<string[]> {
  const { user, idp } = place;
  const device = await register(place);
  const externalId = await findUser(idp, device);
  for (const { id } of await listPasskeys(idp, device)) await idp.passkeys.remove(externalId, id);
  await user.logOut();
  await user.open();
  const deletion = device.waitForDeletion();
  await user.usePasskey();
  await user.waitForMessage("This passkey was removed.");
  await deletion;
  return compare("passkeys of the device", await device.list(), []);
}

async function registerTwice(place: Place): Promise<string[]> {
  const device = await register(place);
  await place.user.addPasskey();
  await place.user.waitForMessage("The device already has a passkey of this user.");
  return compare("passkeys", (await listPasskeys(place.idp, device)).length, 1);
}

export const scenarios: readonly (readonly [title: string, scenario: Scenario])[] = [
  ["an ES256 key is registered, and logs in without a name", useAlgorithm(-7)],
  ["an Ed25519 key is registered, and logs in without a name", useAlgorithm(-8)],
  ["an RSA key is registered, and logs in without a name", useAlgorithm(-257)],
  ["a device takes one passkey of a user", registerTwice],
  ["the suggestion of the browser logs in", takeSuggestion],
  ["a passkey stands in for the code", logInAfterPassword],
  ["a password alone enrols no app beside a passkey", logInWithoutCodes],
  ["an unverified user is refused by the device, and by the service", failUserVerification],
  ["the flags of a backup are kept, and eligibility may not change", changeBackup],
  ["a clone of a device-bound passkey is refused by its old counter", useCloneOfDevice],
  ["a copy of a synced passkey is accepted with an old counter", useCloneOfSynced],
  ["each failure of the browser has its code", failInBrowser],
  ["a removal in the account reaches the device", removeInAccount],
  ["a passkey that was removed elsewhere is refused, and leaves the device", removeElsewhere],
];
