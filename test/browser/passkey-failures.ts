/** The errors of `@edge-idp/sdk/browser`, which the login app serves, and the passkeys of extensions. */
import { compare, type Place, register } from "./passkey-place.ts";

/** Runs in the page. @returns a word for each failure, and the answer that is made of an extension's passkeys */
async function failInPage(): Promise<string[]> {
  const scope = Object(globalThis);
  const { getPasskey } = await import(`${scope.location.origin}/login/browser.js`);
  const options = { challenge: "AAAA", timeout: 1_000, allowCredentials: [] };
  const here = { ...options, rpId: "localhost", userVerification: "required" };
  const fail = async (publicKey: object, more: object): Promise<string> => {
    try {
      return JSON.stringify(await getPasskey(publicKey, more));
    } catch (error) {
      const { code, name, message } = Object(error);
      return typeof code === "string" ? code : `${name} ${message}`;
    }
  };
  const mediation = "conditional";
  const words = [
    await fail(here, { signal: AbortSignal.abort(new Error("the reason")) }),
    await fail(here, { mediation, signal: AbortSignal.timeout(100) }),
    await fail({ ...here, rpId: "example.com" }, {}),
  ];
  scope.PublicKeyCredential.isConditionalMediationAvailable = async () => false;
  words.push(await fail(here, { mediation }));
  const { buffer } = new Uint8Array([1, 2, 3]);
  const signed = { clientDataJSON: buffer, authenticatorData: buffer, signature: buffer };
  const foreign = {
    id: "AQID",
    rawId: buffer,
    authenticatorAttachment: null,
    response: { ...signed, userHandle: null },
    getClientExtensionResults: () => ({}),
  };
  scope.navigator.credentials.get = async () => foreign;
  words.push(await fail(here, {}));
  Reflect.deleteProperty(scope, "PublicKeyCredential");
  return [...words, await fail(here, {})];
}

const unsupported = ["unsupported", "unsupported"];

export async function failInBrowser(place: Place): Promise<string[]> {
  const { user } = place;
  const device = await register(place);
  await user.logOut();
  await user.openScript("shown");
  await device.setPresence(false);
  const [aborted, late, ...rest] = await user.page.evaluate(failInPage);
  const [wrongSite, unsuggested, answer = "", ...codes] = rest;
  const { rawId, response } = JSON.parse(answer);
  return [
    ...compare("aborted", aborted, "Error the reason"),
    ...compare("late", late?.split(" ")[0], "TimeoutError"),
    ...compare("codes", [wrongSite, unsuggested, ...codes], ["wrong_site", ...unsupported]),
    ...compare("an extension's passkey", [rawId, response.signature], ["AQID", "AQID"]),
  ];
}
