import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

// For whoever signs in. { id: "ORG_USR_9921_AFG" } would name the user.
const { public_key } =
  await idp.passkeys.createAuthenticationOptions();
// Keep it in the session of the browser.
console.log(public_key.challenge);
// The page passes this to getPasskey() of @edge-idp/sdk/browser.
console.log(JSON.stringify(public_key));
