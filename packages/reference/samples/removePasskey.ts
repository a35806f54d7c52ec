import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

await idp.passkeys.remove(
  "ORG_USR_9921_AFG",
  "3f9c1a7be2045d8816c0aa47",
);
