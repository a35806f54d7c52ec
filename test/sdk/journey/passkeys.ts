/** A user with a passkey, on a device in software. */
import { PasskeyAuthenticator } from "../../support/passkey-authenticator.ts";
import { expectEqual, expectError } from "./expect.ts";
import type { EdgeIdp, Sdk } from "./sdk.ts";

const externalId = "ORG_USR_5531_PKY";
const names = { user_name: "alexandra@enterprise.com" };
const page = { origin: "https://login.example.com" };

/** Registers a passkey, logs in with it in both ways, and removes it. */
export async function usePasskeys(sdk: Sdk, idp: EdgeIdp): Promise<void> {
  await idp.users.provision(externalId);
  const begin = () => idp.passkeys.createRegistrationOptions(externalId, names);
  await expectError(sdk, "passkeys_not_set_up", begin());
  const settings = { rp_id: "login.example.com", rp_name: "Acme", origins: [page.origin] };
  await idp.settings.change({ passkeys: settings });

  const device = new PasskeyAuthenticator({ algorithm: -8 });
  const { public_key: options } = await begin();
  const { challenge } = options;
  const credential = await device.create(options, page);
  const elsewhere = await device.clone().create(options, { origin: "https://example.net" });
  const forged = { challenge, credential: elsewhere };
  const refused = await expectError(
    sdk,
    "invalid_passkey",
    idp.passkeys.register(externalId, forged),
  );
  expectEqual("reason", refused.reason, "origin");

  const passkey = await idp.passkeys.register(externalId, { challenge, credential, name: "Phone" });
  expectEqual("passkey", [passkey.credential_id, passkey.name], [credential.id, "Phone"]);
  await expectError(sdk, "verification_required", begin());
  const renamed = await idp.passkeys.rename(externalId, passkey.id, "Alexandra's phone");
  const listed = await idp.passkeys.list(externalId);
  expectEqual("list", listed, { passkeys: [renamed], user_handle: options.user.id });

  await logInByName(sdk, idp, device);
  await logInWithoutName(idp, device);

  await idp.passkeys.remove(externalId, passkey.id);
  await expectError(sdk, "passkey_not_found", idp.passkeys.remove(externalId, passkey.id));
  const call = idp.passkeys.createAuthenticationOptions({ id: externalId });
  await expectError(sdk, "passkey_not_configured", call);
  const unknown = await expectError(sdk, "passkey_unknown", logInWithoutName(idp, device));
  expectEqual("unknown passkey", unknown.credentialId, credential.id);
}

async function logInByName(sdk: Sdk, idp: EdgeIdp, device: PasskeyAuthenticator): Promise<void> {
  const id = externalId;
  const { public_key: options } = await idp.passkeys.createAuthenticationOptions({ id });
  const credential = await device.get(options, page);
  const proof = { id, challenge: options.challenge, credential };
  const verified = await idp.passkeys.verify(proof);
  expectEqual("verified", [verified.id, verified.method], [id, "passkey"]);
  const again = await expectError(sdk, "invalid_passkey", idp.passkeys.verify(proof));
  expectEqual("reason", again.reason, "challenge");
}

async function logInWithoutName(idp: EdgeIdp, device: PasskeyAuthenticator): Promise<void> {
  const { public_key: options } = await idp.passkeys.createAuthenticationOptions();
  const credential = await device.get(options, page);
  const verified = await idp.passkeys.verify({ challenge: options.challenge, credential });
  expectEqual("user", verified.id, externalId);
}
