import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const { public_key } =
  await idp.passkeys.createRegistrationOptions(
    "ORG_USR_9921_AFG",
    { user_name: "alexander@enterprise.com" },
  );
// Keep it in the session of the browser.
console.log(public_key.challenge);
// The page passes this to createPasskey() of @edge-idp/sdk/browser.
console.log(JSON.stringify(public_key));
