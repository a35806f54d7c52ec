import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const passkey = await idp.passkeys.rename(
  "ORG_USR_9921_AFG",
  "3f9c1a7be2045d8816c0aa47",
  "iPhone of Alexander",
);
console.log(passkey.name);
